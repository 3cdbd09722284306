// One service month as the daemon tells it: fetched whole once, then only what can have changed.

import { ApiError, callJson, servicePath } from './api.js';
import { contractMonth, placeOf } from './contract-time.js';
import { fetchWindows } from './windows.js';

/** @import { Reading } from '../../sla/reading.ts' */
/** @import { WindowCell, ExclusionRecord, AlertRecord, MonthView } from './types.d.ts' */

/** Windows asked for again each time: outcomes may come late by a window and the three minutes of grace. */
const REPEATED_WINDOWS = 3;

/**
 * All but the windows, which are a hundred times larger and come after.
 * @param {string} service
 * @param {string} monthName  YYYY-MM
 * @returns {Promise<Omit<MonthView, 'cells' | 'cellsAt'>>}
 */
export async function fetchHead(service, monthName) {
  const [reading, exclusions, alerts] = await Promise.all([
    /** @type {Promise<Reading>} */ (callJson(servicePath(service, `months/${monthName}`))),
    fetchExclusions(service),
    fetchAlerts(service),
  ]);
  const month = contractMonth(reading);
  const touching = exclusions.filter(
    ({ from, to }) => Date.parse(to) > month.startMs && Date.parse(from) < Date.parse(reading.period.end),
  );
  return { reading, month, exclusions: touching, alerts };
}

/**
 * Asks for the windows that are over: all of them, or those that can have changed.
 * @param {MonthView} view
 * @returns {Promise<MonthView>}
 */
export async function fetchCells(view) {
  const { reading, month, cellsAt } = view;
  const cells = cellsAt !== null && isContinued(cellsAt, reading) ? [...view.cells] : [];
  const last = month.days * month.perDay;
  const now = placeOf(month, reading.asOf) ?? last;
  const from = Math.max(0, Math.min(cells.length, now) - REPEATED_WINDOWS);
  const to = Math.min(last, now + 1);
  if (to <= from || Date.parse(reading.asOf) < month.startMs) return { ...view, cells, cellsAt: reading };
  const fetched = await fetchWindows(reading.service, month, { from, to });
  const isNews = cells.length === 0 || fetched.some((cell) => !isEqual(cell, cells[cell.place]));
  for (const cell of fetched) cells[cell.place] = cell;
  // The same array where nothing is new, so that nothing is drawn anew.
  return { ...view, cells: isNews ? cells : view.cells, cellsAt: reading };
}

/** @param {WindowCell} one @param {WindowCell | undefined} other */
function isEqual(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Whether nothing that was over has changed, so that only the newest windows need asking for.
 * @param {Reading} before
 * @param {Reading} now
 */
function isContinued(before, now) {
  if (!isSameMonth(before, now)) return false;
  const past = (/** @type {Reading} */ { lostWindows, revisions, windows }) =>
    JSON.stringify([lostWindows, revisions, windows.excluded]);
  return past(before) === past(now);
}

/** @param {Reading} one @param {Reading} other */
export function isSameMonth(one, other) {
  return (
    one.service === other.service && one.month === other.month && one.period.start === other.period.start
  );
}

/** @param {string} service @returns {Promise<ExclusionRecord[]>} */
async function fetchExclusions(service) {
  /** @type {{ exclusions: ExclusionRecord[] }} */
  const { exclusions } = await callJson(`/api/v1/exclusions?service=${encodeURIComponent(service)}`);
  return exclusions;
}

/** @param {string} service @returns {Promise<AlertRecord[] | null>} */
async function fetchAlerts(service) {
  try {
    /** @type {{ alerts: AlertRecord[] }} */
    const { alerts } = await callJson('/api/v1/alerts');
    return alerts.filter((alert) => alert.service === service);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
