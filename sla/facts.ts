import { CAUSES } from './cause.ts';

/**
 * What the books hold for one service: one-minute tallies, and which minutes an agent was alive in.
 * Facts are the only thing stored; every judgement is derived from them by `read()`.
 */

/** The integers kept for each minute, in storage order: attempts, then failures by cause. */
export const MEASURES = ['attempts', ...CAUSES] as const;
export type Measure = (typeof MEASURES)[number];

/** Offset of each measure within a minute's slice of `MinuteFacts.tallies`. */
export const MEASURE_INDEX = { attempts: 0, provider: 1, unknown: 2, customer: 3, network: 4 } as const;
export const MEASURE_COUNT = MEASURES.length;

/**
 * What the vendor's own callbacks are counted as, in storage order: users who asked to enter a room and did, users who
 * left one, and users who were back in it after a time-out. The last were counted as leaving when they timed out, and
 * made no request (clause 1.4): they count where concurrent users do and nowhere else.
 */
export const CALLBACK_MEASURES = ['entered', 'left', 'returned'] as const;
export type CallbackMeasure = (typeof CALLBACK_MEASURES)[number];

/** Offset of each within a minute's slice of `MinuteFacts.callbacks`. */
export const CALLBACK_INDEX = Object.fromEntries(
  CALLBACK_MEASURES.map((measure, index) => [measure, index]),
) as Readonly<Record<CallbackMeasure, number>>;
export const CALLBACK_COUNT = CALLBACK_MEASURES.length;

/** A counter is an unsigned 32-bit integer; a store saturates here and reports it, never wraps. */
export const COUNTER_MAX = 0xffff_ffff;

export const MINUTE_MS = 60_000;
/** Lateness is kept per slot of five minutes: one unit of clause 1.5, aligned to the epoch in every zone. */
export const LATE_SLOT_MINUTES = 5;

/**
 * A dense run of minutes of one service.
 *
 * `firstMinute` counts minutes since 1970-01-01T00:00Z and is a multiple of five.
 * `tallies[(m - firstMinute) * MEASURE_COUNT + MEASURE_INDEX[x]]` is the count of `x` in minute `m`.
 * `alive[m - firstMinute]` is 1 when an agent of the service was alive in minute `m`, else 0.
 * `late[slot]` is the attempts that arrived after their window had closed, one entry for each
 * `LATE_SLOT_MINUTES` minutes from `firstMinute`; such attempts are in `tallies` too.
 * `callbacks[(m - firstMinute) * CALLBACK_COUNT + CALLBACK_INDEX[x]]` is the count of `x` in minute `m`, as the
 * vendor told it; absent when it told nothing of these minutes, which is the rule: see `openCallbacks`.
 */
export interface MinuteFacts {
  readonly firstMinute: number;
  readonly minuteCount: number;
  readonly tallies: Uint32Array;
  readonly alive: Uint8Array;
  readonly late: Uint32Array;
  callbacks?: Uint32Array;
}

/** An empty run of minutes; both bounds are multiples of five. */
export function emptyFacts(firstMinute: number, minuteCount: number): MinuteFacts {
  return {
    firstMinute,
    minuteCount,
    tallies: new Uint32Array(minuteCount * MEASURE_COUNT),
    alive: new Uint8Array(minuteCount),
    late: new Uint32Array(Math.ceil(minuteCount / LATE_SLOT_MINUTES)),
  };
}

/**
 * Attempts of the minute whose slice of the tallies begins at `from`. Each counter saturates alone, so at the
 * ceiling of the attempts the failures may be more; each of them was an attempt.
 */
export function attemptsIn(tallies: Uint32Array, from: number): number {
  const attempts = tallies[from + MEASURE_INDEX.attempts]!;
  if (attempts < COUNTER_MAX) return attempts;
  return Math.max(
    attempts,
    CAUSES.reduce((failures, cause) => failures + tallies[from + MEASURE_INDEX[cause]]!, 0),
  );
}

/** The callbacks of a run that is being filled, all zero at first. */
export function openCallbacks(facts: MinuteFacts): Uint32Array {
  facts.callbacks ??= new Uint32Array(facts.minuteCount * CALLBACK_COUNT);
  return facts.callbacks;
}
