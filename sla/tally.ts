import type { Cause } from './cause.ts';
import {
  COUNTER_MAX,
  emptyFacts,
  LATE_SLOT_MINUTES,
  MEASURE_COUNT,
  MEASURE_INDEX,
  type MinuteFacts,
} from './facts.ts';
import type { Outcome } from './outcome.ts';

/** Folds outcomes of one service into minutes, as the books hold them. Mutable; one owner. */
export interface Tally {
  /**
   * Adds an outcome to the minute in which it started.
   * @param cause  of a failed one; not looked at otherwise
   * @returns false when that minute is outside the run: then only the reach of `markWatched` grows
   */
  add(outcome: Pick<Outcome, 'startedAtMs' | 'result' | 'count'>, cause: Cause): boolean;
  markAlive(minute: number): void;
  /**
   * Marks every minute from the first outcome added to the last as watched, as a file of outcomes is read:
   * whoever wrote it was there in between.
   */
  markWatched(): void;
  /** The minutes so far; the same arrays at every call. */
  facts(): MinuteFacts;
  /** Counts that reached COUNTER_MAX and lost an increment. */
  readonly saturated: number;
}

/** @param firstMinute of the epoch; like `minuteCount` a multiple of five (asserted) */
export function createTally(firstMinute: number, minuteCount: number): Tally {
  if (firstMinute % LATE_SLOT_MINUTES !== 0 || minuteCount % LATE_SLOT_MINUTES !== 0) {
    throw new RangeError(
      'TALLY_UNALIGNED: a run of minutes begins and ends at multiples of five; round it outwards',
    );
  }
  const facts = emptyFacts(firstMinute, minuteCount);
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let saturated = 0;

  const increase = (at: number, n: number) => {
    const sum = facts.tallies[at]! + n;
    if (sum > COUNTER_MAX) saturated += 1;
    facts.tallies[at] = Math.min(sum, COUNTER_MAX);
  };
  return {
    add({ startedAtMs, result, count }, cause) {
      const minute = Math.floor(startedAtMs / 60_000);
      if (minute < first) first = minute;
      if (minute > last) last = minute;
      const at = minute - firstMinute;
      if (at < 0 || at >= minuteCount) return false;
      increase(at * MEASURE_COUNT + MEASURE_INDEX.attempts, count);
      if (result === 'failed') increase(at * MEASURE_COUNT + MEASURE_INDEX[cause], count);
      return true;
    },
    markAlive(minute) {
      const at = minute - firstMinute;
      if (at >= 0 && at < minuteCount) facts.alive[at] = 1;
    },
    markWatched() {
      const from = Math.max(0, first - firstMinute);
      const to = Math.min(minuteCount, last + 1 - firstMinute);
      if (from < to) facts.alive.fill(1, from, to);
    },
    facts: () => facts,
    get saturated() {
      return saturated;
    },
  };
}
