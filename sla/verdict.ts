import type { Cause } from './cause.ts';
import { isBelow } from './percent.ts';
import type { Terms } from './terms.ts';

/**
 * `remaining`: not over yet. `up` and `down`: measured. `idle`: observed, and nobody asked to enter. `unmeasured`:
 * nobody was watching. `excluded`: every minute is left out. All but `down` count as up.
 */
export const VERDICTS = ['remaining', 'up', 'down', 'excluded', 'idle', 'unmeasured'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Positions in VERDICTS, for arrays of windows. */
export const VERDICT_INDEX = {
  remaining: 0,
  up: 1,
  down: 2,
  excluded: 3,
  idle: 4,
  unmeasured: 5,
} as const satisfies Record<Verdict, number>;

/** What was recorded in the minutes of a window that are not excluded. Non-negative integers. */
export interface WindowTally extends Readonly<Record<Cause, number>> {
  readonly attempts: number;
  /** An agent was alive in one of the minutes. */
  readonly isObserved: boolean;
}

export interface Judgement {
  readonly verdict: 'up' | 'down' | 'idle' | 'unmeasured';
  /** Counted ones. */
  readonly attempts: number;
  readonly failures: number;
}

/**
 * Judges one window against the contract (clause 1.5): what remains of it after exclusions, alone.
 * @param tally  failures together are at most the attempts (asserted)
 * @returns the verdict with the counts that produced it; zero counted attempts are never below any threshold
 */
export function judgeWindow(
  tally: WindowTally,
  terms: Terms,
  counting: Counting = countingOf(terms),
): Judgement {
  const { attempts, failures } = countedOf(tally, counting);
  if (tally.attempts > 0) {
    return { verdict: isDown(attempts, failures, terms) ? 'down' : 'up', attempts, failures };
  }
  const verdict = !tally.isObserved ? 'unmeasured' : terms.emptyWindow === 'down' ? 'down' : 'idle';
  return { verdict, attempts, failures };
}

/** Which failures count, prepared once for many windows. */
export interface Counting {
  readonly isCounted: Readonly<Record<Cause, boolean>>;
  /** The others are no attempts either. */
  readonly leavesOthers: boolean;
}

/** @param causes  those of the terms when left out */
export function countingOf(terms: Terms, causes: readonly Cause[] = terms.countedCauses): Counting {
  const isCounted = { provider: false, unknown: false, customer: false, network: false };
  for (const cause of causes) isCounted[cause] = true;
  return { isCounted, leavesOthers: terms.uncountedFailures === 'leave' };
}

/**
 * The counted attempts and failures (decision: failures not attributable to the provider).
 * @throws FACTS_INCONSISTENT when there are more failures than attempts
 */
export function countedOf(
  tally: Omit<WindowTally, 'isObserved'>,
  { isCounted, leavesOthers }: Counting,
): { readonly attempts: number; readonly failures: number } {
  // Written out rather than looped over CAUSES: this runs some 40,000 times a reading.
  const all = tally.provider + tally.unknown + tally.customer + tally.network;
  const failures =
    (isCounted.provider ? tally.provider : 0) +
    (isCounted.unknown ? tally.unknown : 0) +
    (isCounted.customer ? tally.customer : 0) +
    (isCounted.network ? tally.network : 0);
  if (all > tally.attempts) {
    const counts = `${all} failures of ${tally.attempts} attempts`;
    throw new Error(`FACTS_INCONSISTENT: a window holds ${counts}; the books are damaged, restore them`);
  }
  return { attempts: leavesOthers ? tally.attempts - (all - failures) : tally.attempts, failures };
}

/** Whether counted attempts and failures are below the threshold; integers only, and equality is up. */
export function isDown(
  attempts: number,
  failures: number,
  terms: Pick<Terms, 'threshold' | 'minAttempts'>,
): boolean {
  return attempts >= terms.minAttempts && isBelow(attempts - failures, attempts, terms.threshold);
}
