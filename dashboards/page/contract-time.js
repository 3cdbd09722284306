// The contract's own calendar: a month is a number of whole days, cut into windows that are named by the clock
// of its zone, whatever that clock did (clauses 1.5 and 1.6). A window is known here by its place in the month,
// from 0; its date and time follow from that without a table of zones.

/** @import { ContractMonth } from './types.d.ts' */

const DAY_MS = 86_400_000;
const DAY_MINUTES = 1440;

/**
 * @param {{ month: string, period: { start: string, days: number, windows: number } }} reading
 * @returns {ContractMonth}
 */
export function contractMonth({ month, period }) {
  const startMs = Date.parse(period.start);
  const offsetMinutes = offsetOf(month, startMs);
  const perDay = period.windows / period.days;
  return {
    month,
    startMs,
    days: period.days,
    perDay,
    windowMinutes: DAY_MINUTES / perDay,
    offsetMinutes,
    firstDate: new Date(startMs + offsetMinutes * 60_000).toISOString().slice(0, 10),
  };
}

/**
 * Whether the zone's clock changes within the month: then places and times after the change are off by what it
 * jumped, as no zone's rules are known here.
 * @param {{ period: { start: string, end: string, minutes: number } }} reading
 */
export function hasClockChange({ period }) {
  return Date.parse(period.end) - Date.parse(period.start) !== period.minutes * 60_000;
}

/**
 * The zone's offset: the period starts at midnight there, and on a day of the month. UTC-12 to UTC+14; where two
 * offsets a day apart both fit, the smaller one.
 * @param {string} month
 * @param {number} startMs
 */
function offsetOf(month, startMs) {
  const east = (DAY_MINUTES - ((startMs / 60_000) % DAY_MINUTES)) % DAY_MINUTES;
  const candidates = [east, east - DAY_MINUTES]
    .filter((minutes) => minutes >= -720 && minutes <= 840)
    .sort((a, b) => Math.abs(a) - Math.abs(b));
  const fits = (/** @type {number} */ minutes) =>
    new Date(startMs + minutes * 60_000).toISOString().startsWith(month);
  return candidates.find(fits) ?? candidates[0] ?? 0;
}

/**
 * @param {ContractMonth} month
 * @param {number | string} at  epoch milliseconds or RFC 3339
 * @returns {number | null} the place of the window that holds the instant; null outside of the month
 */
export function placeOf(month, at) {
  const atMs = typeof at === 'number' ? at : Date.parse(at);
  const place = Math.floor((atMs - month.startMs) / (month.windowMinutes * 60_000));
  return place >= 0 && place < month.days * month.perDay ? place : null;
}

/** @param {ContractMonth} month @param {number} place @returns {number} epoch milliseconds */
export function startMsOf(month, place) {
  return month.startMs + place * month.windowMinutes * 60_000;
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

/** @param {{ offsetMinutes: number }} month @returns {string} "+08:00", as in RFC 3339 */
export function zoneSuffix({ offsetMinutes }) {
  const size = Math.abs(offsetMinutes);
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/**
 * An instant as the contract's clock shows it.
 * @param {{ offsetMinutes: number }} month
 * @param {number | string} at  epoch milliseconds or RFC 3339
 * @returns {string} "2026-11-03 10:05"
 */
export function localTime({ offsetMinutes }, at) {
  const atMs = typeof at === 'number' ? at : Date.parse(at);
  return new Date(atMs + offsetMinutes * 60_000).toISOString().slice(0, 16).replace('T', ' ');
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
