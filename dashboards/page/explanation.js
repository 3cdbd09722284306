// Why a window has its verdict, in the daemon's own words and numbers.

import { callJson, servicePath } from './api.js';
import { startMsOf, windowLabel } from './contract-time.js';
import { byId, element, fill } from './element.js';

/** @import { ContractMonth } from './contract-time.js' */

/** @param {string} service @param {ContractMonth} month @param {number} place */
export async function explainWindow(service, month, place) {
  const at = new Date(startMsOf(month, place)).toISOString();
  return callJson(servicePath(service, `explain?at=${encodeURIComponent(at)}`));
}

/** @param {ContractMonth} month @param {number} place @param {any} explanation */
export function showExplanation(month, place, explanation) {
  const box = byId('explain', HTMLElement);
  box.hidden = false;
  fill(box, element('h2', {}, windowLabel(month, place)), ...rows(explanation));
}

/** @param {unknown} value @returns {Node[]} */
function rows(value) {
  if (typeof value !== 'object' || value === null) return [document.createTextNode(String(value))];
  if (Array.isArray(value)) return value.map((one) => element('p', {}, ...rows(one)));
  return [
    element(
      'dl',
      {},
      ...Object.entries(value).flatMap(([name, one]) => [
        element('dt', {}, name),
        element('dd', {}, ...rows(one)),
      ]),
    ),
  ];
}
