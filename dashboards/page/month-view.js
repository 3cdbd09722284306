// One service month as the daemon tells it: its windows are fetched whole once, then only those that can have changed.

import { ApiError, callJson, servicePath } from './api.js';
import { fetchWindows } from './windows.js';

/** @import { Reading } from '../../sla/reading.ts' */
/** @import { WindowCell, ExclusionRecord, AlertRecord, MonthView } from './types.d.ts' */

/** Windows asked for again each time: outcomes may come late by a window and the three minutes of grace. */
const REPEATED_WINDOWS = 3;

/**
 * @param {string} service
 * @param {string} monthName  YYYY-MM
 * @param {MonthView | null} before  what is shown now
 * @returns {Promise<MonthView>}
 */
export async function fetchMonth(service, monthName, before) {
  const shown = before?.reading.service === service && before.reading.month === monthName ? before : null;
  const from = Math.max(0, (shown?.cells.length ?? 0) - REPEATED_WINDOWS);
  const [reading, windows, exclusions, alerts] = await Promise.all([
    /** @type {Promise<Reading>} */ (callJson(servicePath(service, `months/${monthName}`))),
    fetchWindows(service, monthName, from),
    fetchExclusions(service),
    fetchAlerts(service),
  ]);
  const { start, end } = reading.period;
  const touching = exclusions.filter(
    (one) => Date.parse(one.to) > Date.parse(start) && Date.parse(one.from) < Date.parse(end),
  );
  const rest = { reading, exclusions: touching, alerts };
  if (shown === null || !isContinued(shown.reading, reading)) {
    const whole = from === 0 ? windows : await fetchWindows(service, monthName, 0);
    return { ...rest, month: whole.month, cells: whole.fetched };
  }
  const { month, cells } = shown;
  const isNews = windows.fetched.some((cell) => !isEqual(cell, cells[cell.place]));
  // The same objects where nothing is new, so that nothing is drawn anew.
  return { ...rest, month, cells: isNews ? [...cells.slice(0, from), ...windows.fetched] : cells };
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
