// The contract's own calendar: a month is a number of whole days, cut into windows that are named by the clock
// of its zone, whatever that clock did (clauses 1.5 and 1.6). A window is known here by its place in the month,
// from 0; the daemon says how the clock went, so that no table of zones is needed here.

/** @import { ContractMonth, MonthWindows } from './types.d.ts' */

const DAY_MS = 86_400_000;

/**
 * @param {Pick<MonthWindows, 'month' | 'timeZone' | 'firstDate' | 'days' | 'windowMinutes' | 'windowsPerDay' | 'clock'>} answer
 * @returns {ContractMonth}
 */
export function contractMonth({ month, timeZone, firstDate, days, windowMinutes, windowsPerDay, clock }) {
  const laid = {
    month,
    timeZone,
    firstDate,
    days,
    windowMinutes,
    perDay: windowsPerDay,
    clock: clock.map(({ from, to, offsetMinutes }) => ({
      fromMs: Date.parse(from),
      toMs: Date.parse(to),
      offsetMs: offsetMinutes * 60_000,
    })),
  };
  return { ...laid, absent: absentOf(laid) };
}

/** @param {Omit<ContractMonth, 'absent'>} month @returns {Set<number>} */
function absentOf(month) {
  const minutes = month.clock.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / 60_000, 0);
  // Nearly every month: one piece, and every minute in it.
  if (month.clock.length === 1 && minutes === month.days * month.perDay * month.windowMinutes)
    return new Set();
  const places = Array.from({ length: month.days * month.perDay }, (_, place) => place);
  return new Set(places.filter((place) => spansOf(month, place).length === 0));
}

/**
 * The instants that bear a window's name: one span as a rule, none where the clock skipped them, two where it showed
 * them twice.
 * @param {Pick<ContractMonth, 'clock' | 'firstDate' | 'windowMinutes'>} month
 * @param {number} place
 */
function spansOf({ clock, firstDate, windowMinutes }, place) {
  const shownFromMs = Date.parse(firstDate) + place * windowMinutes * 60_000;
  const shownToMs = shownFromMs + windowMinutes * 60_000;
  return clock
    .map(({ fromMs, toMs, offsetMs }) => ({
      fromMs: Math.max(fromMs, shownFromMs - offsetMs),
      toMs: Math.min(toMs, shownToMs - offsetMs),
    }))
    .filter((span) => span.fromMs < span.toMs);
}

/** Whether the clock shows the times of a window twice. @param {ContractMonth} month @param {number} place */
export function isRepeated(month, place) {
  return spansOf(month, place).length > 1;
}

/**
 * @param {ContractMonth} month
 * @param {number | string} at  epoch milliseconds or RFC 3339
 * @returns {number | null} the place of the window that holds the instant; null outside of the month
 */
export function placeOf(month, at) {
  const atMs = msOf(at);
  const piece = month.clock.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
  if (piece === undefined) return null;
  return Math.floor((atMs + piece.offsetMs - Date.parse(month.firstDate)) / (month.windowMinutes * 60_000));
}

/** @param {ContractMonth} month @param {number} place @returns {number | null} epoch milliseconds; null for an absent one */
export function startMsOf(month, place) {
  return spansOf(month, place)[0]?.fromMs ?? null;
}

/** The end of a window, not included. @param {ContractMonth} month @param {number} place @returns {number | null} */
export function endMsOf(month, place) {
  return spansOf(month, place).at(-1)?.toMs ?? null;
}

/**
 * What a person typed as the clock's time. One that the clock shows twice is the first as a beginning and the second
 * as an end; one that it skips is taken by the clock before the change.
 * @param {ContractMonth} month
 * @param {string} text  "2026-11-03T10:05"
 * @param {'beginning' | 'end'} role
 * @returns {string} RFC 3339, or the text itself when it is no time
 */
export function instantOf({ clock }, text, role) {
  const shownMs = Date.parse(`${text}Z`);
  if (Number.isNaN(shownMs)) return text;
  const fitting = clock.filter(({ fromMs, toMs, offsetMs }) => {
    const atMs = shownMs - offsetMs;
    return role === 'beginning' ? atMs >= fromMs && atMs < toMs : atMs > fromMs && atMs <= toMs;
  });
  const begun = clock.filter(({ fromMs, offsetMs }) => shownMs - offsetMs >= fromMs);
  const piece = (role === 'beginning' ? fitting[0] : fitting.at(-1)) ?? begun.at(-1) ?? clock[0];
  return new Date(shownMs - (piece?.offsetMs ?? 0)).toISOString();
}

/** @param {ContractMonth} month @param {number} day  from 0 @returns {string} "Tue 3" */
export function dayLabel({ firstDate }, day) {
  return dateText(firstDate, day, { weekday: 'short', day: 'numeric' });
}

/** @param {ContractMonth} month @param {number} place @returns {string} "3 November, 10:05 to 10:10" */
export function windowLabel(month, place) {
  return `${momentLabel(month, place)} to ${clock(month, place + 1)}`;
}

/** @param {ContractMonth} month @param {number} place @returns {string} "3 November, 10:05" */
export function momentLabel(month, place) {
  const date = dateText(month.firstDate, Math.floor(place / month.perDay), { day: 'numeric', month: 'long' });
  return `${date}, ${clock(month, place)}`;
}

/** @param {ContractMonth} month @param {number} place @returns {string} "10:05" */
export function clock({ perDay, windowMinutes }, place) {
  const minutes = (place % perDay) * windowMinutes;
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/**
 * The clock of the month in words.
 * @param {ContractMonth} month
 * @returns {string} "UTC+08:00", "Europe/Berlin: UTC+01:00, from 29 March, 03:00 UTC+02:00"
 */
export function zoneWords({ clock, timeZone }) {
  const words = clock.map(({ fromMs, offsetMs }, i) => {
    if (i === 0) return offsetText(offsetMs);
    const at = new Date(fromMs + offsetMs).toISOString();
    const date = dateText(at.slice(0, 10), 0, { day: 'numeric', month: 'long' });
    return `from ${date}, ${at.slice(11, 16)} ${offsetText(offsetMs)}`;
  });
  const isNamed = /[A-Za-z]/.test(timeZone) && timeZone !== 'UTC';
  return `${isNamed ? `${timeZone}: ` : ''}${words.join(', ')}`;
}

/** @param {number} offsetMs */
function offsetText(offsetMs) {
  const minutes = Math.abs(offsetMs) / 60_000;
  return `UTC${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/**
 * An instant as the contract's clock shows it; one outside of the month by the clock of its nearer end.
 * @param {ContractMonth} month
 * @param {number | string} at  epoch milliseconds or RFC 3339
 * @returns {string} "2026-11-03 10:05"
 */
export function localTime({ clock }, at) {
  const atMs = msOf(at);
  const piece = clock.find(({ toMs }) => atMs < toMs) ?? clock.at(-1);
  return new Date(atMs + (piece?.offsetMs ?? 0)).toISOString().slice(0, 16).replace('T', ' ');
}

/** @param {number | string} at */
function msOf(at) {
  return typeof at === 'number' ? at : Date.parse(at);
}

/** @param {string} month YYYY-MM @returns {string} "November 2026" */
export function monthName(month) {
  return dateText(`${month}-01`, 0, { month: 'long', year: 'numeric' });
}

/** @param {string} date YYYY-MM-DD @returns {string} "9 December 2026" */
export function longDate(date) {
  return dateText(date, 0, { day: 'numeric', month: 'long', year: 'numeric' });
}

/** @param {string} month YYYY-MM @param {number} by @returns {string} */
export function monthAfter(month, by) {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

/** @param {string} from YYYY-MM-DD @param {number} days @param {Intl.DateTimeFormatOptions} shape */
function dateText(from, days, shape) {
  const date = new Date(Date.parse(from) + days * DAY_MS);
  return date.toLocaleDateString('en-GB', { ...shape, timeZone: 'UTC' });
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, '0');
}
