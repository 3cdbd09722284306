import { dateText, MINUTES_A_DAY, parseDate } from '../../sla/instant.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import { offsetMinutesAt } from '../../sla/zone.ts';

/** How people read times: on the contract's own clock, which names the windows. */

const WEEKDAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'] as const;

/** The date and time that a zone's clock shows at an instant: '2026-06-01 00:00'. */
export function clockText(atMs: number, timeZone: string): string {
  return contractSeconds(atMs, timeZone).slice(0, 16);
}

/** The same with its seconds, truncated: '2026-06-01 00:00:15'. */
export function contractSeconds(atMs: number, timeZone: string): string {
  const local = new Date(atMs + offsetMinutesAt(timeZone, atMs) * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
}

/** The contract date of the day'th day of a month, from 0, and its weekday. */
export function dayOf(month: ServiceMonth, day: number): { readonly date: string; readonly weekday: string } {
  const number = parseDate(month.firstDate)! + day;
  return { date: dateText(number), weekday: WEEKDAYS[((number % 7) + 7) % 7]! };
}

/** A window by the clock's name for it: '2026-05-05 01:00 to 01:05'. */
export function windowText(month: ServiceMonth, window: number): string {
  const from = window * month.windowMinutes;
  const { date } = dayOf(month, Math.floor(from / MINUTES_A_DAY));
  return `${date} ${timeText(from % MINUTES_A_DAY)} to ${timeText((from % MINUTES_A_DAY) + month.windowMinutes)}`;
}

function timeText(minuteOfDay: number): string {
  const pad = (value: number) => `${value}`.padStart(2, '0');
  return `${pad(Math.floor(minuteOfDay / 60))}:${pad(minuteOfDay % 60)}`;
}
