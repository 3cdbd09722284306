// Why a window has its verdict, in the daemon's own words and numbers.

import { callJson, servicePath } from './api.js';
import { localTime, startMsOf, windowLabel } from './contract-time.js';
import { byId, element, faint, fill } from './element.js';
import { countText } from './figures.js';

/** @import { Explanation } from '../../sla/explain.ts' */
/** @import { ContractMonth } from './types.d.ts' */

/** @type {Readonly<Record<Explanation['state'], string>>} */
const STATES = {
  future: 'It has not begun.',
  open: 'It is in progress.',
  provisional: 'It is over, and provisional: outcomes may still come.',
  closed: 'It is closed: what still comes is listed as a revision.',
};

/** @param {string} service @param {ContractMonth} month @param {number} place @returns {Promise<Explanation>} */
export async function fetchExplanation(service, month, place) {
  const at = new Date(startMsOf(month, place) ?? Number.NaN).toISOString();
  return callJson(servicePath(service, `explain?at=${encodeURIComponent(at)}`));
}

/** @param {ContractMonth} month @param {number} place @param {Explanation} explanation */
export function showExplanation(month, place, { window, state, rule, exclusions, sentences }) {
  const box = byId('explain');
  box.hidden = false;
  box.dataset.state = window.verdict === 'down' ? 'lost' : '';
  fill(
    box,
    element('h2', {}, windowLabel(month, place)),
    ...sentences.map((sentence) => element('p', {}, sentence)),
    faint(`Clause ${rule.clause}: ${rule.text}. ${STATES[state]}`),
    counts(window),
    ...exclusions.map(({ clause, from, to, author, reason }) =>
      faint(
        `Excluded ${localTime(month, from)} to ${localTime(month, to)} under ${clause}: ${reason} (${author})`,
      ),
    ),
  );
}

/** @param {Explanation['window']} window */
function counts({ attempts, failures, counted, minutes, aliveMinutes, excludedMinutes }) {
  const entries = /** @type {const} */ ([
    ['Attempts', attempts],
    ['Counted attempts', counted.attempts],
    ['Counted failures', counted.failures],
    ...Object.entries(failures).map(([cause, count]) => /** @type {const} */ ([`Failed, ${cause}`, count])),
    ['Minutes watched', `${aliveMinutes} of ${minutes - excludedMinutes}`],
  ]);
  return element(
    'dl',
    {},
    ...entries.map(([name, value]) =>
      element(
        'div',
        {},
        element('dt', {}, name),
        element('dd', {}, typeof value === 'number' ? countText(value) : value),
      ),
    ),
  );
}
