// The windows of a month, by their place in it.

import { callJson, servicePath } from './api.js';
import { contractMonth } from './contract-time.js';

/** @import { ContractMonth, MonthWindows, WindowCell } from './types.d.ts' */

/**
 * @param {string} service
 * @param {string} monthName  YYYY-MM
 * @param {number} from  the first place asked for
 * @returns {Promise<{ month: ContractMonth, fetched: WindowCell[] }>} the windows that are over
 */
export async function fetchWindows(service, monthName, from) {
  /** @type {MonthWindows} */
  const answer = await callJson(servicePath(service, `months/${monthName}/windows?from=${from}`));
  const { verdict, attempts, failures, failuresByCause, lowVolume } = answer;
  const fetched = verdict.map((one, i) => ({
    place: answer.from + i,
    verdict: one,
    attempts: attempts[i] ?? 0,
    failures: failures[i] ?? 0,
    failuresByCause: Object.fromEntries(
      Object.entries(failuresByCause).map(([cause, counts]) => [cause, counts[i] ?? 0]),
    ),
    lowVolume: lowVolume[i] ?? false,
  }));
  return { month: contractMonth(answer), fetched };
}
