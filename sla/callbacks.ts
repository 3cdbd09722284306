import {
  CALLBACK_COUNT,
  CALLBACK_INDEX,
  MEASURE_COUNT,
  MEASURE_INDEX,
  MINUTE_MS,
  type MinuteFacts,
} from './facts.ts';
import { instantText } from './instant.ts';
import type { ServiceMonth } from './month.ts';
import type { CallbackEvidence, Surge } from './reading.ts';

/** Clause 4.6: a surge is more than `users` concurrent users on top of the lowest number in the hour before. */
export const SURGE = {
  users: 3_000,
  /** The clause names no time. An hour sees what was opened to the public; a day's slow tide rises in longer. */
  baselineMinutes: 60,
} as const;

export interface CallbackInput {
  readonly month: ServiceMonth;
  /** Should begin SURGE.baselineMinutes before the month, or its first surges are measured from less. */
  readonly facts: MinuteFacts;
  readonly nowMs: number;
}

/**
 * What the vendor's callbacks say of a service month, beside what agents reported. Evidence only: callbacks tell of
 * successes alone, so no success rate can come from them, and no verdict or figure is made of them.
 *
 * `coverage` is agent successes over the vendor's entries, from the minute of the first callback to that of the
 * last. The successes are all of the service's: minutes hold none by application or platform. Those of an application
 * that sends no callbacks make it read too high and hide as many entries that nobody reported, so it is true only where
 * every application of the service calls back. It can be slightly above or below 1 though nothing is missing: an
 * outcome is booked in the minute in which its request started and a callback in that in which the user was in, by two
 * clocks; the vendor gives a callback up after a minute of refusals; and an application may count a success that the
 * user left before the vendor saw.
 *
 * The number of users is not known, only its changes, summed: those who entered, and those back after a time-out, less
 * those who left. Each change that is missing shifts all later minutes, so that a rise is off by what is missing within
 * it: a gap between low and peak hides a surge or makes one, and what is missing steadily adds up over the hour. Hence
 * a user whose time-out is counted is counted when back, too.
 * @returns undefined when no callback came in the month so far
 */
export function readCallbacks({ month, facts, nowMs }: CallbackInput): CallbackEvidence | undefined {
  const { callbacks } = facts;
  if (callbacks === undefined) return undefined;
  const fromMinute = Math.max(month.firstMinute, facts.firstMinute);
  const toMinute = Math.min(
    month.firstMinute + month.minuteCount,
    facts.firstMinute + facts.minuteCount,
    Math.ceil(nowMs / MINUTE_MS),
  );
  let first = -1;
  let last = -1;
  let entered = 0;
  for (let minute = fromMinute; minute < toMinute; minute += 1) {
    const at = (minute - facts.firstMinute) * CALLBACK_COUNT;
    let told = 0;
    for (let measure = 0; measure < CALLBACK_COUNT; measure += 1) told += callbacks[at + measure]!;
    if (told === 0) continue;
    if (first === -1) first = minute;
    last = minute;
    entered += callbacks[at + CALLBACK_INDEX.entered]!;
  }
  if (first === -1) return undefined;
  const reported = successes(facts, first, last + 1);
  return {
    from: minuteText(first),
    to: minuteText(last + 1),
    entered,
    reported,
    coverage: entered === 0 ? null : reported / entered,
    ...readRises(callbacks, { facts, fromMinute, toMinute }),
  };
}

/** @param toMinute excluded */
function successes({ tallies, firstMinute }: MinuteFacts, fromMinute: number, toMinute: number): number {
  let sum = 0;
  for (let minute = fromMinute; minute < toMinute; minute += 1) {
    const at = (minute - firstMinute) * MEASURE_COUNT;
    sum += tallies[at + MEASURE_INDEX.attempts]!;
    for (let cause = MEASURE_INDEX.attempts + 1; cause < MEASURE_COUNT; cause += 1)
      sum -= tallies[at + cause]!;
  }
  return sum;
}

/** The rise of the last minute, and the surges of [fromMinute, toMinute). */
function readRises(
  callbacks: Uint32Array,
  { facts, fromMinute, toMinute }: { facts: MinuteFacts; fromMinute: number; toMinute: number },
): { readonly rise: number; readonly surges: readonly Surge[] } {
  const { users, baselineMinutes } = SURGE;
  const start = Math.max(facts.firstMinute, fromMinute - baselineMinutes);
  const baseline = new SlidingLeast(baselineMinutes);
  let sums: Sums = { minute: start - 1, concurrent: 0, entered: 0, returned: 0 };
  baseline.add(sums);
  const surges: { fromMinute: number; lastMinute: number; risen: Risen }[] = [];
  let rise = 0;
  for (let minute = start; minute < toMinute; minute += 1) {
    const at = (minute - facts.firstMinute) * CALLBACK_COUNT;
    const entered = callbacks[at + CALLBACK_INDEX.entered]!;
    const returned = callbacks[at + CALLBACK_INDEX.returned]!;
    sums = {
      minute,
      concurrent: sums.concurrent + entered + returned - callbacks[at + CALLBACK_INDEX.left]!,
      entered: sums.entered + entered,
      returned: sums.returned + returned,
    };
    const low = baseline.leastBefore(minute);
    rise = Math.max(0, sums.concurrent - low.concurrent);
    baseline.add(sums);
    if (rise <= users || minute < fromMinute) continue;
    const risen = { rise, entered: sums.entered - low.entered, returned: sums.returned - low.returned };
    const surge = surges.at(-1);
    // Within an hour of the last one it is the same surge, measured from the same low.
    if (surge && minute - surge.lastMinute <= baselineMinutes) {
      surge.lastMinute = minute;
      if (rise > surge.risen.rise) surge.risen = risen;
    } else surges.push({ fromMinute: minute, lastMinute: minute, risen });
  }
  return {
    rise,
    surges: surges.map(({ fromMinute, lastMinute, risen }) => ({
      from: minuteText(fromMinute),
      to: minuteText(lastMinute + 1),
      ...risen,
    })),
  };
}

type Risen = Omit<Surge, 'from' | 'to'>;

/** At the end of a minute, all summed from the first one looked at. */
interface Sums {
  readonly minute: number;
  readonly concurrent: number;
  readonly entered: number;
  readonly returned: number;
}

/** Where the fewest users of the last minutes were, the latest of equals: what a later one outdoes is not kept. */
class SlidingLeast {
  readonly #minutes: number;
  readonly #kept: Sums[] = [];
  /** Of the least one still in reach; what lies before it in `#kept` is spent. */
  #head = 0;

  constructor(minutes: number) {
    this.#minutes = minutes;
  }

  add(sums: Sums): void {
    while (this.#kept.length > this.#head && this.#kept.at(-1)!.concurrent >= sums.concurrent)
      this.#kept.pop();
    this.#kept.push(sums);
  }

  leastBefore(minute: number): Sums {
    while (this.#kept[this.#head]!.minute < minute - this.#minutes) this.#head += 1;
    return this.#kept[this.#head]!;
  }
}

function minuteText(minute: number): string {
  return instantText(minute * MINUTE_MS);
}
