/** Instants as text (RFC 3339) and as calendar dates. No clock is read here. */

export const DAY_MS = 86_400_000;
export const MINUTES_A_DAY = 1_440;

const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export function daysOfMonth(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] ?? 0);
}

/**
 * Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
 * Not Date.UTC, which reads the years 0 to 99 as 1900 to 1999.
 */
export function dayNumber(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** A day number as YYYY-MM-DD. */
export function dateText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** YYYY-MM-DD as a day number; undefined when it is not a date of the calendar. */
export function parseDate(text: string): number | undefined {
  if (text.length !== 10 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) return undefined;
  return dayNumber(year, month, day);
}

/** Epoch milliseconds as RFC 3339 text in UTC with milliseconds. */
export function instantText(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** The number written in `count` digits of `text` from `from`, or -1. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    // NaN past the end of the text fails both comparisons, hence the negation.
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * An RFC 3339 instant with an offset as epoch milliseconds, or undefined.
 *
 * Strict, because Date.parse takes local times, month 13 of some formats and plain words for dates.
 * `t` and `z` may be lower-case; the fraction may have any length and is truncated to milliseconds, so that an
 * instant never leaves its window. A leap second (23:59:60 in UTC) is folded into the last millisecond before
 * it: epoch time has no name for it, and its window is the one that ends there.
 */
export function parseInstant(text: string): number | undefined {
  const day = parseDate(text.slice(0, 10));
  if (day === undefined || (text.charCodeAt(10) | 32) !== 116) return undefined;
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  if (text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return undefined;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return undefined;

  let end = 19;
  let milliseconds = 0;
  if (text.charCodeAt(end) === 46) {
    const from = end + 1;
    end = from;
    for (let unit = 100; ; end += 1) {
      const digit = text.charCodeAt(end) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      milliseconds += digit * unit;
      unit = unit === 100 ? 10 : unit === 10 ? 1 : 0;
    }
    if (end === from) return undefined;
  }

  const offsetMinutes = parseOffset(text, end);
  if (offsetMinutes === undefined) return undefined;
  const minuteOfEpoch = day * MINUTES_A_DAY + hour * 60 + minute - offsetMinutes;
  if (second < 60) return minuteOfEpoch * 60_000 + second * 1_000 + milliseconds;
  const minuteOfDay = ((minuteOfEpoch % MINUTES_A_DAY) + MINUTES_A_DAY) % MINUTES_A_DAY;
  return minuteOfDay === MINUTES_A_DAY - 1 ? minuteOfEpoch * 60_000 + 59_999 : undefined;
}

/** `Z`, `+hh:mm` or `-hh:mm` as the whole rest of `text` from `from`, in minutes east of UTC. */
export function parseOffset(text: string, from: number): number | undefined {
  const sign = text.charCodeAt(from);
  if ((sign | 32) === 122) return text.length === from + 1 ? 0 : undefined;
  if (sign !== 43 && sign !== 45) return undefined;
  const hours = digits(text, from + 1, 2);
  const minutes = digits(text, from + 4, 2);
  if (text.length !== from + 6 || text.charCodeAt(from + 3) !== 58) return undefined;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined;
  return (sign === 43 ? 1 : -1) * (hours * 60 + minutes);
}
