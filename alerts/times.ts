import { parseDate } from '../sla/instant.ts';
import { firstMinuteOfDay, offsetMinutesAt } from '../sla/zone.ts';

/**
 * Times as people read them in a message: in UTC and in the contract's zone, and spans in words.
 */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** "UTC+8", "UTC-3:30", "UTC". */
function zoneName(atMs: number, timeZone: string): string {
  const minutes = offsetMinutesAt(timeZone, atMs);
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? '' : `:${String(size % 60).padStart(2, '0')}`;
  return `UTC${minutes < 0 ? '-' : '+'}${Math.floor(size / 60)}${rest}`;
}

/** "14:35 UTC+8". */
export function clockTime(atMs: number, timeZone: string): string {
  return `${local(atMs, timeZone).slice(11, 16)} ${zoneName(atMs, timeZone)}`;
}

/** "2026-11-23 14:35 UTC+8". */
export function dateTime(atMs: number, timeZone: string): string {
  return `${local(atMs, timeZone).slice(0, 10)} ${clockTime(atMs, timeZone)}`;
}

/** "2026-11-23 06:35 UTC (14:35 UTC+8)"; the second date too when it differs. */
export function bothTimes(atMs: number, timeZone: string): string {
  const utc = dateTime(atMs, 'UTC');
  if (offsetMinutesAt(timeZone, atMs) === 0) return utc;
  const there = dateTime(atMs, timeZone);
  return `${utc} (${there.slice(0, 10) === utc.slice(0, 10) ? there.slice(11) : there})`;
}

/** "12 minutes", "3 h 05 min", "5 days"; truncated, and "less than a minute" below one. */
export function span(ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes < 1) return 'less than a minute';
  if (minutes === 1) return '1 minute';
  if (minutes < 120) return `${minutes} minutes`;
  if (ms < 2 * DAY_MS) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(ms / DAY_MS)} days`;
}

/** 00:00, in the contract's zone, `daysLater` days after a contract date (YYYY-MM-DD). */
export function startOfDate(date: string, timeZone: string, daysLater = 0): number {
  const day = parseDate(date);
  if (day === undefined) throw new Error(`DATE_INVALID: ${date} is not a date; a reading has YYYY-MM-DD`);
  return firstMinuteOfDay(day + daysLater, timeZone) * MINUTE_MS;
}

function local(atMs: number, timeZone: string): string {
  return new Date(atMs + offsetMinutesAt(timeZone, atMs) * MINUTE_MS).toISOString();
}
