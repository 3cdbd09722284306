import { createRequire } from 'node:module';
import { dateText } from './instant.ts';
import type { Terms } from './terms.ts';

export type Calendar = Terms['claim']['calendar'];

/**
 * Mainland China's holidays and make-up working days. The package's data file rather than its functions: those
 * build local Date objects, and a contract date must not depend on the host's zone.
 */
const china: {
  readonly holidays: Readonly<Record<string, string>>;
  readonly workdays: Readonly<Record<string, string>>;
} = createRequire(import.meta.url)('chinese-days/dist/chinese-days.json');

const chinaYears = new Set(Object.keys(china.holidays).map((date) => date.slice(0, 4)));

/** Whether the calendar holds a year (each is published late in the year before); otherwise it is Monday to Friday. */
export function isYearKnown(year: string, calendar: Calendar): boolean {
  return calendar === 'weekdays' || chinaYears.has(year);
}

/** @param day  day number, see `dayNumber` */
export function isBusinessDay(day: number, calendar: Calendar): boolean {
  // 1970-01-01 was a Thursday.
  const weekday = (((day + 4) % 7) + 7) % 7;
  const isWeekday = weekday >= 1 && weekday <= 5;
  if (calendar === 'weekdays') return isWeekday;
  const date = dateText(day);
  return Object.hasOwn(china.workdays, date) || (isWeekday && !Object.hasOwn(china.holidays, date));
}

/** The `count`-th business day after `day`; `day` itself when count is 0. */
export function addBusinessDays(day: number, count: number, calendar: Calendar): number {
  let at = day;
  for (let left = count; left > 0; ) {
    at += 1;
    if (isBusinessDay(at, calendar)) left -= 1;
  }
  return at;
}
