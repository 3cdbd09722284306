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
  /** Outcomes that a minute at COUNTER_MAX attempts had no or not enough room for. */
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

  return {
    add({ startedAtMs, result, count }, cause) {
      const minute = Math.floor(startedAtMs / 60_000);
      if (minute < first) first = minute;
      if (minute > last) last = minute;
      const at = minute - firstMinute;
      if (at < 0 || at >= minuteCount) return false;
      const { tallies } = facts;
      const attempts = at * MEASURE_COUNT + MEASURE_INDEX.attempts;
      // What does not fit is neither attempt nor failure, or a minute would hold more failures than attempts.
      const counted = Math.min(count, COUNTER_MAX - tallies[attempts]!);
      if (counted < count) saturated += 1;
      tallies[attempts]! += counted;
      if (result === 'failed') tallies[at * MEASURE_COUNT + MEASURE_INDEX[cause]]! += counted;
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
