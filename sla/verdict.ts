import { CAUSES, type Cause } from './cause.ts';
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
  readonly isLowVolume: boolean;
}

/**
 * Judges one window against the contract (clause 1.5): what remains of it after exclusions, alone.
 * @param tally  failures together are at most the attempts (asserted)
 * @returns the verdict with the counts that produced it; zero counted attempts are never below any threshold
 */
export function judgeWindow(tally: WindowTally, terms: Terms): Judgement {
  const { attempts, failures } = countedOf(tally, terms.countedCauses, terms.uncountedFailures);
  const isLowVolume = attempts < terms.lowVolumeBelow;
  if (tally.attempts > 0) {
    return { verdict: isDown(attempts, failures, terms) ? 'down' : 'up', attempts, failures, isLowVolume };
  }
  const verdict = !tally.isObserved ? 'unmeasured' : terms.emptyWindow === 'down' ? 'down' : 'idle';
  return { verdict, attempts, failures, isLowVolume };
}

/**
 * The counted attempts and failures (decision: failures not attributable to the provider).
 * @throws FACTS_INCONSISTENT when there are more failures than attempts
 */
export function countedOf(
  tally: Omit<WindowTally, 'isObserved'>,
  causes: readonly Cause[],
  uncounted: Terms['uncountedFailures'],
): { readonly attempts: number; readonly failures: number } {
  let failures = 0;
  let others = 0;
  for (const cause of CAUSES) {
    if (causes.includes(cause)) failures += tally[cause];
    else others += tally[cause];
  }
  if (failures + others > tally.attempts) {
    const counts = `${failures + others} failures of ${tally.attempts} attempts`;
    throw new Error(`FACTS_INCONSISTENT: a window holds ${counts}; the books are damaged, restore them`);
  }
  return { attempts: uncounted === 'leave' ? tally.attempts - others : tally.attempts, failures };
}

/** Whether counted attempts and failures are below the threshold; integers only, and equality is up. */
export function isDown(
  attempts: number,
  failures: number,
  terms: Pick<Terms, 'threshold' | 'minAttempts'>,
): boolean {
  return attempts >= terms.minAttempts && isBelow(attempts - failures, attempts, terms.threshold);
}
