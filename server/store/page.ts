import { CALLBACK_COUNT, LATE_SLOT_MINUTES, MEASURE_COUNT, MINUTE_MS } from '../../sla/facts.ts';
import { PAGE_MINUTES } from './store.ts';

/**
 * A page: PAGE_MINUTES minutes of one service. Both adapters number the counters of a page alike:
 *
 *     index   0 .. 2399   minute-of-page * MEASURE_COUNT + measure
 *     index 2415 .. 2510  LATE_INDEX + five-minute slot of the page
 *
 * 2400 .. 2414 is where Redis keeps the alive bits (60 bytes, fifteen times four), so that there the index is
 * also the counter's place in the page, in units of 32 bits.
 *
 * The vendor's callbacks are a page of their own beside it, which most services never have: `PAGE_CALLBACKS`
 * counters, minute-of-page * CALLBACK_COUNT + measure. Its number and its revision are those of the page.
 */
export const PAGE_CALLBACKS = PAGE_MINUTES * CALLBACK_COUNT;
export const PAGE_TALLIES = PAGE_MINUTES * MEASURE_COUNT;
export const PAGE_SLOTS = PAGE_MINUTES / LATE_SLOT_MINUTES;
export const ALIVE_BYTES = PAGE_MINUTES / 8;
export const LATE_INDEX = PAGE_TALLIES + ALIVE_BYTES / 4;

const DAY_MS = 86_400_000;

/** Days for which pages, their revisions and the cursors of silent producers are kept, unless configured. */
export const RETENTION_DAYS = 400;

export function pageOf(minute: number): number {
  return Math.floor(minute / PAGE_MINUTES);
}

export function dayOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

/** Milliseconds that a page still has at `nowMs`; zero or less when it is past the retention. */
export function pageLeftMs(page: number, nowMs: number, retentionDays: number): number {
  const endsAtMs = (page + 1) * PAGE_MINUTES * MINUTE_MS;
  return Math.ceil(endsAtMs + retentionDays * DAY_MS - nowMs);
}

/** The oldest page that is still kept at `nowMs`. */
export function oldestPage(nowMs: number, retentionDays: number): number {
  return Math.max(0, Math.floor((nowMs - retentionDays * DAY_MS) / (PAGE_MINUTES * MINUTE_MS)));
}
