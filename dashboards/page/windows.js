// The windows of a month, by their place in it.

import { callJson, servicePath } from './api.js';
import { placeOf, startMsOf } from './contract-time.js';

/** @import { ContractMonth, WindowCell, WindowRecord } from './types.d.ts' */

/**
 * @param {string} service
 * @param {ContractMonth} month
 * @param {{ from: number, to: number }} places  to is excluded
 * @returns {Promise<WindowCell[]>} those that are over
 */
export async function fetchWindows(service, month, { from, to }) {
  const at = (/** @type {number} */ place) =>
    encodeURIComponent(new Date(startMsOf(month, place)).toISOString());
  /** @type {{ windows: WindowRecord[] }} */
  const { windows } = await callJson(servicePath(service, `windows?from=${at(from)}&to=${at(to)}`));
  return windows.flatMap((one) => {
    const { verdict } = one;
    const place = placeOf(month, one.start);
    return place === null || verdict === 'remaining' ? [] : [{ ...one, verdict, place }];
  });
}
