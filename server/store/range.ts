import assert from 'node:assert/strict';
import {
  CALLBACK_COUNT,
  LATE_SLOT_MINUTES,
  MEASURE_COUNT,
  type MinuteFacts,
  openCallbacks,
} from '../../sla/facts.ts';
import { pageOf } from './page.ts';
import { PAGE_MINUTES } from './store.ts';

/** A whole page in memory: PAGE_MINUTES minutes in the shape of MinuteFacts. */
export interface PageFacts {
  readonly tallies: Uint32Array;
  readonly alive: Uint8Array;
  readonly late: Uint32Array;
}

/** Copies the part of a page's callbacks that lies in the range of `facts` to its place there. */
export function placeCallbacks(facts: MinuteFacts, page: number, counters: Uint32Array): void {
  const pageStart = page * PAGE_MINUTES;
  const start = Math.max(pageStart, facts.firstMinute);
  const end = Math.min(pageStart + PAGE_MINUTES, facts.firstMinute + facts.minuteCount);
  if (start >= end) return;
  const part = counters.subarray((start - pageStart) * CALLBACK_COUNT, (end - pageStart) * CALLBACK_COUNT);
  openCallbacks(facts).set(part, (start - facts.firstMinute) * CALLBACK_COUNT);
}

/** Minutes are [from, to), both multiples of five. */
export function assertRange(fromMinute: number, toMinute: number): void {
  for (const minute of [fromMinute, toMinute])
    assert(
      Number.isSafeInteger(minute) && minute >= 0 && minute % LATE_SLOT_MINUTES === 0,
      `a range of minutes starts and ends on multiples of ${LATE_SLOT_MINUTES}, not ${minute}`,
    );
  assert(
    fromMinute <= toMinute,
    `a range of minutes ends at or after its start, not ${fromMinute}..${toMinute}`,
  );
}

/** The pages that hold the minutes [from, to), ascending. */
export function pagesOf(fromMinute: number, toMinute: number): number[] {
  if (fromMinute === toMinute) return [];
  const first = pageOf(fromMinute);
  return Array.from({ length: pageOf(toMinute - 1) - first + 1 }, (_, i) => first + i);
}

/** Copies the part of a page that lies in the range of `facts` to its place there. */
export function placePage(facts: MinuteFacts, page: number, from: PageFacts): void {
  const pageStart = page * PAGE_MINUTES;
  const start = Math.max(pageStart, facts.firstMinute);
  const end = Math.min(pageStart + PAGE_MINUTES, facts.firstMinute + facts.minuteCount);
  if (start >= end) return;
  const [inPage, inPageEnd] = [start - pageStart, end - pageStart];
  const inFacts = start - facts.firstMinute;
  facts.tallies.set(
    from.tallies.subarray(inPage * MEASURE_COUNT, inPageEnd * MEASURE_COUNT),
    inFacts * MEASURE_COUNT,
  );
  facts.alive.set(from.alive.subarray(inPage, inPageEnd), inFacts);
  facts.late.set(
    from.late.subarray(inPage / LATE_SLOT_MINUTES, inPageEnd / LATE_SLOT_MINUTES),
    inFacts / LATE_SLOT_MINUTES,
  );
}
