// The windows of a month, by their place in it.

import { callJson, servicePath } from './api.js';
import { placeOf, startMsOf } from './contract-time.js';

/** @import { ContractMonth, WindowCell } from './types.d.ts' */

/**
 * @param {string} service
 * @param {ContractMonth} month
 * @param {{ from: number, to: number }} places  to is excluded
 * @returns {Promise<WindowCell[]>} those that are over
 */
export async function fetchWindows(service, month, { from, to }) {
  const at = (/** @type {number} */ place) =>
    encodeURIComponent(new Date(startMsOf(month, place)).toISOString());
  const answer = await callJson(servicePath(service, `windows?from=${at(from)}&to=${at(to)}`));
  return answer.windows.flatMap((/** @type {any} */ one) => {
    const place = placeOf(month, one.start);
    return place === null || one.verdict === 'remaining' ? [] : [{ ...one, place }];
  });
}
