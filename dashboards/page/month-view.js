// One service month as the daemon tells it: fetched whole once, then only what can have changed.

import { ApiError, callJson, servicePath } from './api.js';
import { contractMonth, placeOf } from './contract-time.js';
import { fetchWindows } from './windows.js';

/** @import { Reading } from '../../sla/reading.ts' */
/** @import { ContractMonth, WindowCell, ExclusionRecord, AlertRecord, MonthView } from './types.d.ts' */

/** Windows asked for again each time: outcomes may come late by a window and the three minutes of grace. */
const REPEATED_WINDOWS = 3;

/**
 * @param {string} service
 * @param {string} monthName  YYYY-MM
 * @param {MonthView | null} before  what is known of the same month already
 * @returns {Promise<MonthView>}
 */
export async function fetchMonth(service, monthName, before) {
  const [reading, exclusions, alerts] = await Promise.all([
    /** @type {Promise<Reading>} */ (callJson(servicePath(service, `months/${monthName}`))),
    fetchExclusions(service),
    fetchAlerts(service),
  ]);
  const month = contractMonth(reading);
  const touching = exclusions.filter(
    ({ from, to }) => Date.parse(to) > month.startMs && Date.parse(from) < Date.parse(reading.period.end),
  );
  const known = before !== null && isContinued(before.reading, reading) ? [...before.cells] : [];
  const cells = await withWindows(service, month, known, reading);
  return { reading, month, cells, exclusions: touching, alerts };
}

/**
 * Whether nothing that was over has changed, so that only the newest windows need asking for.
 * @param {Reading} before
 * @param {Reading} now
 */
function isContinued(before, now) {
  if (before.service !== now.service || before.month !== now.month) return false;
  const past = (/** @type {Reading} */ { lostWindows, revisions, windows, period }) =>
    JSON.stringify([lostWindows, revisions, windows.excluded, windows.down, period]);
  return past(before) === past(now);
}

/** @param {string} service @param {ContractMonth} month @param {(WindowCell | undefined)[]} cells @param {Reading} reading */
async function withWindows(service, month, cells, reading) {
  const last = month.days * month.perDay;
  const now = placeOf(month, reading.asOf) ?? last;
  const from = Math.max(0, Math.min(cells.length, now) - REPEATED_WINDOWS);
  const to = Math.min(last, now + 1);
  if (to <= from || Date.parse(reading.asOf) < month.startMs) return cells;
  for (const cell of await fetchWindows(service, month, { from, to })) cells[cell.place] = cell;
  return cells;
}

/** @param {string} service @returns {Promise<ExclusionRecord[]>} */
async function fetchExclusions(service) {
  const { exclusions } = await callJson(`/api/v1/exclusions?service=${encodeURIComponent(service)}`);
  return exclusions;
}

/** @param {string} service @returns {Promise<AlertRecord[] | null>} */
async function fetchAlerts(service) {
  try {
    const { alerts } = await callJson('/api/v1/alerts');
    return alerts.filter((/** @type {AlertRecord} */ alert) => alert.service === service);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
