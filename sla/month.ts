import { dateText, dayNumber, daysOfMonth, MINUTES_A_DAY, parseDate } from './instant.ts';
import type { Terms } from './terms.ts';
import { offsetMinutesAt, zonePieces } from './zone.ts';

/**
 * A Service Month (clauses 1.2 and 1.6): the part of a calendar month inside the service period, in the
 * contract's zone, cut into windows.
 *
 * The contract counts days x 1,440 minutes whatever the clocks do, and 288 points a day named by the clock. So a
 * window is a name on the contract's clock: where daylight saving skips an hour, its windows have no minute and
 * cannot be lost; where it repeats one, the two passes fall into the same windows, which are judged once, over
 * both. With a fixed offset, window `w` is simply the minutes from `firstMinute + w * windowMinutes`.
 */
export interface ServiceMonth {
  /** YYYY-MM */
  readonly month: string;
  readonly timeZone: string;
  /** First and last contract date counted, YYYY-MM-DD. */
  readonly firstDate: string;
  readonly lastDate: string;
  readonly startMs: number;
  /** excluded */
  readonly endMs: number;
  /** Contract days, windows and minutes: the divisors of every ratio. */
  readonly days: number;
  readonly windows: number;
  readonly minutes: number;
  readonly windowMinutes: number;
  /** Elapsed minutes from startMs to endMs; a multiple of five, like firstMinute (minutes of the epoch). */
  readonly firstMinute: number;
  readonly minuteCount: number;
  /** In order, without overlap. Minutes of the month in no stretch are outside the service period. */
  readonly stretches: readonly Stretch[];
}

/** Minutes [fromMinute, toMinute) of the epoch; minute `m` is in window floor((m + shift) / windowMinutes). */
export interface Stretch {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly shiftMinutes: number;
}

/** Years in which months are computed; before 2001 an outcome is refused anyway. */
const YEARS = { first: 2001, last: 2099 } as const;

/**
 * @param month  'YYYY-MM' of the contract's zone
 * @returns the month, or why there is none (not a month, or outside the service period)
 */
export function serviceMonth(
  month: string,
  terms: Terms,
): { readonly ok: true; readonly month: ServiceMonth } | { readonly ok: false; readonly message: string } {
  const parts = /^(\d{4})-(\d{2})$/.exec(month.slice(0, 8));
  const year = Number(parts?.[1]);
  const number = Number(parts?.[2]);
  if (!(year >= YEARS.first && year <= YEARS.last && number >= 1 && number <= 12)) {
    const range = `${YEARS.first}-01 to ${YEARS.last}-12`;
    return {
      ok: false,
      message: `${JSON.stringify(month.slice(0, 20))} is not a month; write YYYY-MM, ${range}`,
    };
  }
  const calendar = {
    first: dayNumber(year, number, 1),
    last: dayNumber(year, number, daysOfMonth(year, number)),
  };
  const service = {
    first: Math.max(calendar.first, boundary(terms.serviceStart) ?? calendar.first),
    last: Math.min(calendar.last, boundary(terms.serviceEnd) ?? calendar.last),
  };
  if (service.first > service.last) {
    const period = `${terms.serviceStart ?? 'the beginning'} to ${terms.serviceEnd ?? 'no end'}`;
    return {
      ok: false,
      message: `${month} is outside the service period, ${period}; choose a month inside it`,
    };
  }
  return {
    ok: true,
    month: layOut(month, service, terms.partialMonth === 'full' ? calendar : service, terms),
  };
}

interface Days {
  readonly first: number;
  readonly last: number;
}

function layOut(month: string, service: Days, counted: Days, terms: Terms): ServiceMonth {
  const stretches = stretchesOf(service, counted, terms);
  const days = counted.last - counted.first + 1;
  const minutes = days * MINUTES_A_DAY;
  const span = counted === service ? stretches : stretchesOf(counted, counted, terms);
  const firstMinute = span[0]!.fromMinute;
  const endMinute = span.at(-1)!.toMinute;
  return Object.freeze({
    month,
    timeZone: terms.timeZone,
    firstDate: dateText(counted.first),
    lastDate: dateText(counted.last),
    startMs: firstMinute * 60_000,
    endMs: endMinute * 60_000,
    days,
    windows: minutes / terms.windowMinutes,
    minutes,
    windowMinutes: terms.windowMinutes,
    firstMinute,
    minuteCount: endMinute - firstMinute,
    stretches: Object.freeze(stretches),
  });
}

/** The elapsed minutes whose clock shows one of the dates, counted from the first minute of `origin`. */
function stretchesOf(dates: Days, origin: Days, terms: Terms): Stretch[] {
  const from = dates.first * MINUTES_A_DAY;
  const to = (dates.last + 1) * MINUTES_A_DAY;
  // A day more on either side holds every zone's midnights.
  const pieces = zonePieces(terms.timeZone, (from - MINUTES_A_DAY) * 60_000, (to + MINUTES_A_DAY) * 60_000);
  return pieces
    .map(({ fromMinute, toMinute, offsetMinutes }) => ({
      fromMinute: Math.max(fromMinute, from - offsetMinutes),
      toMinute: Math.min(toMinute, to - offsetMinutes),
      shiftMinutes: offsetMinutes - origin.first * MINUTES_A_DAY,
    }))
    .filter((stretch) => stretch.fromMinute < stretch.toMinute);
}

/** The month, 'YYYY-MM', that the contract's clock shows at an instant. */
export function monthAt(nowMs: number, terms: Terms): string {
  return contractDate(nowMs, terms.timeZone).slice(0, 7);
}

/** The date, 'YYYY-MM-DD', that a zone's clock shows at an instant. */
export function contractDate(atMs: number, timeZone: string): string {
  return dateText(Math.floor((atMs / 60_000 + offsetMinutesAt(timeZone, atMs)) / MINUTES_A_DAY));
}

function boundary(date: string | undefined): number | undefined {
  return date === undefined ? undefined : parseDate(date);
}
