import type { MonthVerdicts } from './judge-month.ts';
import { VERDICT_INDEX } from './verdict.ts';

/**
 * The rest of the month as a chain of two states, up and down: a = P(down after up), b = P(down after down).
 * A straight line through the month so far is not a forecast: one lost window on day 1 would project 30.
 */
export interface Chain {
  readonly a: number;
  readonly b: number;
}

/** How often windows followed each other, counted in closed windows. */
export interface Transitions {
  readonly upUp: number;
  readonly upDown: number;
  readonly downUp: number;
  readonly downDown: number;
}

/** Imagined observations before the first real one: Beta(lost, kept) for each state. */
export interface Prior {
  readonly up: { readonly lost: number; readonly kept: number };
  readonly down: { readonly lost: number; readonly kept: number };
}

/**
 * Weak: half a loss in nine days of windows, and an even chance that a lost window is followed by another. A
 * month of the service's own windows outweighs it.
 */
export const DEFAULT_PRIOR: Prior = { up: { lost: 0.5, kept: 2_499.5 }, down: { lost: 1, kept: 1 } };

/** Transitions between a month's closed windows; one that nobody watched or that is excluded joins nothing. */
export function transitionsOf({ verdict, bounds }: MonthVerdicts): Transitions {
  const counts = { upUp: 0, upDown: 0, downUp: 0, downDown: 0 };
  let before: boolean | null = null;
  for (let window = 0; window < verdict.length; window += 1) {
    if (bounds.toMinute[window] === 0) continue;
    const now = stateIs(verdict[window]!);
    if (before !== null && now !== null) {
      if (before) counts[now ? 'downDown' : 'downUp'] += 1;
      else counts[now ? 'upDown' : 'upUp'] += 1;
    }
    before = now;
  }
  return counts;
}

function stateIs(verdict: number): boolean | null {
  if (verdict === VERDICT_INDEX.down) return true;
  return verdict === VERDICT_INDEX.up || verdict === VERDICT_INDEX.idle ? false : null;
}

export function addTransitions(x: Transitions, y: Transitions): Transitions {
  return {
    upUp: x.upUp + y.upUp,
    upDown: x.upDown + y.upDown,
    downUp: x.downUp + y.downUp,
    downDown: x.downDown + y.downDown,
  };
}

/** Posterior means of the chain's two probabilities. */
export function chainOf(seen: Transitions, prior: Prior): Chain {
  const mean = (lost: number, kept: number) => lost / (lost + kept);
  return {
    a: mean(prior.up.lost + seen.upDown, prior.up.kept + seen.upUp),
    b: mean(prior.down.lost + seen.downDown, prior.down.kept + seen.downUp),
  };
}

export interface Outlook {
  /** Windows still to come that can be lost. */
  readonly windows: number;
  /** Whether the window before them was lost. */
  readonly isDown: boolean;
}

/**
 * The exact distribution of the windows lost among those to come.
 * @returns P(exactly k lost) for k = 0..most; what is missing from 1 is the probability of more
 */
export function lossDistribution({ windows, isDown }: Outlook, { a, b }: Chain, most: number): Float64Array {
  const up = new Float64Array(most + 1);
  const down = new Float64Array(most + 1);
  (isDown ? down : up)[0] = 1;
  for (let window = 0; window < windows; window += 1) {
    // From the highest count downwards, so that one pair of arrays serves for before and after.
    for (let lost = Math.min(most, window + 1); lost >= 0; lost -= 1) {
      const wasUp = up[lost]!;
      const wasDown = down[lost]!;
      up[lost] = wasUp * (1 - a) + wasDown * (1 - b);
      down[lost] = lost === 0 ? 0 : up[lost - 1]! * a + down[lost - 1]! * b;
    }
  }
  return up.map((share, lost) => share + down[lost]!);
}

/** The expected number of windows lost among those to come, in closed form. */
export function expectedLosses({ windows, isDown }: Outlook, { a, b }: Chain): number {
  const ratio = b - a;
  if (ratio === 1) return isDown ? windows : 0;
  const settled = a / (1 - ratio);
  return windows * settled + ((isDown ? 1 : 0) - settled) * ratio * ((1 - ratio ** windows) / (1 - ratio));
}
