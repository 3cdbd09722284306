import { logGammaTable } from './log-gamma.ts';

/**
 * The rest of a month as a chain of two states, up and down, and how many of its windows are lost.
 *
 * With `a` = P(down after up) and `b` = P(down after down), the textbook counts with a dynamic programme over
 * (state, lost so far). `lossDistribution` sums over the runs of lost windows instead: the probability of k
 * losses in r runs is a product of powers of a, 1-a, b and 1-b times two binomials. It is as exact, some twenty
 * times faster, and the powers can be those expected under a posterior, so that a service of which little is
 * known gets the wide forecast it deserves. `stepDistribution` is the programme itself, for contracts in which
 * only a run of several down windows counts.
 */

/** A probability: known, or a Beta posterior after `lost` and `kept` (imagined ones included). */
export type Chance =
  | { readonly kind: 'known'; readonly p: number }
  | { readonly kind: 'beta'; readonly lost: number; readonly kept: number };

export interface Chain {
  /** P(down after up) */
  readonly a: Chance;
  /** P(down after down) */
  readonly b: Chance;
}

export interface Outlook {
  /** Windows to come that can be lost, at most 44,640. */
  readonly windows: number;
  /** Down windows in a row just before them; 0 = the last one was up. */
  readonly run: number;
}

export function meanOf(chance: Chance): number {
  return chance.kind === 'known' ? chance.p : chance.lost / (chance.lost + chance.kept);
}

/**
 * The exact distribution of the windows lost among those to come.
 * @param most  largest number of losses asked for, at most `windows`
 * @returns P(exactly k lost) for k = 0..most; what is missing from 1 is the probability of more
 */
export function lossDistribution({ windows, run }: Outlook, { a, b }: Chain, most: number): Float64Array {
  const logFactorial = logGammaTable(1, windows + 2);
  const choose = (n: number, k: number) => logFactorial(n) - logFactorial(k) - logFactorial(n - k);
  const ofUp = logMoments(a, windows + 2);
  const ofDown = logMoments(b, windows + 2);
  const distribution = new Float64Array(most + 1);
  for (let lost = 0; lost <= most; lost += 1) {
    const kept = windows - lost;
    distribution[lost] = run > 0 ? afterDown(lost, kept) : afterUp(lost, kept);
  }
  return distribution;

  /** Starting after an up window: `runs` of lost ones, the last of them followed by an up window or the end. */
  function afterUp(lost: number, kept: number): number {
    if (lost === 0) return Math.exp(ofUp(0, kept));
    let sum = 0;
    for (let runs = 1; runs <= Math.min(lost, kept + 1); runs += 1) {
      const split = choose(lost - 1, runs - 1);
      if (runs <= kept) {
        sum += Math.exp(split + choose(kept, runs) + ofUp(runs, kept - runs) + ofDown(lost - runs, runs));
      }
      const toEnd = ofUp(runs, kept - runs + 1) + ofDown(lost - runs, runs - 1);
      sum += Math.exp(split + choose(kept, runs - 1) + toEnd);
    }
    return sum;
  }

  /** Starting after a down window, by the runs of up ones. */
  function afterDown(lost: number, kept: number): number {
    if (kept === 0) return Math.exp(ofDown(lost, 0));
    let sum = 0;
    for (let runs = 1; runs <= Math.min(kept, lost + 1); runs += 1) {
      const split = choose(kept - 1, runs - 1);
      const toEnd = ofUp(runs - 1, kept - runs) + ofDown(lost - runs + 1, runs);
      sum += Math.exp(split + choose(lost, runs - 1) + toEnd);
      if (runs <= lost) {
        sum += Math.exp(split + choose(lost, runs) + ofUp(runs, kept - runs) + ofDown(lost - runs, runs));
      }
    }
    return sum;
  }
}

/** ln E[p^times (1-p)^not] for counts below `size`. */
function logMoments(chance: Chance, size: number): (times: number, not: number) => number {
  if (chance.kind === 'known') {
    const logP = Math.log(chance.p);
    const logQ = Math.log1p(-chance.p);
    // 0 x -Infinity is NaN; an impossible step taken no time costs nothing.
    return (times, not) => (times === 0 ? 0 : times * logP) + (not === 0 ? 0 : not * logQ);
  }
  const lost = logGammaTable(chance.lost, size);
  const kept = logGammaTable(chance.kept, size);
  const both = logGammaTable(chance.lost + chance.kept, size);
  const scale = both(0) - lost(0) - kept(0);
  return (times, not) => lost(times) + kept(not) - both(times + not) + scale;
}

/**
 * The same with known probabilities when only runs of at least `least` down windows count: the window that
 * completes a run loses all of it. The dynamic programme over (length of the run, lost so far).
 */
export function stepDistribution(
  { windows, run }: Outlook,
  { a, b, least }: { readonly a: number; readonly b: number; readonly least: number },
  most: number,
): Float64Array {
  // shares[r][k]: in a run of r (least = that many or more) with k lost
  let shares = Array.from({ length: least + 1 }, () => new Float64Array(most + 1));
  let next = shares.map(() => new Float64Array(most + 1));
  shares[Math.min(run, least)]![0] = 1;
  for (let window = 0; window < windows; window += 1) {
    for (const share of next) share.fill(0);
    for (let r = 0; r <= least; r += 1) {
      const down = r === 0 ? a : b;
      const loses = lossesOfStep(r, least);
      const from = shares[r]!;
      const up = next[0]!;
      const on = next[Math.min(r + 1, least)]!;
      for (let k = 0; k <= most; k += 1) {
        up[k]! += from[k]! * (1 - down);
        if (k + loses <= most) on[k + loses]! += from[k]! * down;
      }
    }
    [shares, next] = [next, shares];
  }
  const sums = new Float64Array(most + 1);
  for (const share of shares) for (let k = 0; k <= most; k += 1) sums[k]! += share[k]!;
  return sums;
}

/** Windows that become lost when a run of `run` down windows grows by one. */
export function lossesOfStep(run: number, least: number): number {
  if (run >= least) return 1;
  return run + 1 === least ? least : 0;
}

/** The expected number of windows lost among those to come, with known probabilities. */
export function expectedLosses(
  { windows, run }: Outlook,
  { a, b, least }: { readonly a: number; readonly b: number; readonly least: number },
): number {
  let shares = new Float64Array(least + 1);
  shares[Math.min(run, least)] = 1;
  let expected = 0;
  for (let window = 0; window < windows; window += 1) {
    const next = new Float64Array(least + 1);
    for (let r = 0; r <= least; r += 1) {
      const down = shares[r]! * (r === 0 ? a : b);
      expected += down * lossesOfStep(r, least);
      next[Math.min(r + 1, least)]! += down;
      next[0]! += shares[r]! - down;
    }
    shares = next;
  }
  return expected;
}

/** P(more than `allowed` are lost) from a distribution that reaches at least that far. */
export function probabilityOfMore(distribution: Float64Array, allowed: number): number {
  if (allowed < 0) return 1;
  let kept = 0;
  for (let lost = 0; lost <= allowed; lost += 1) kept += distribution[lost] ?? 0;
  return Math.min(1, Math.max(0, 1 - kept));
}

/** The least number of losses that is not exceeded with probability `share`; undefined beyond the distribution. */
export function quantileOf(distribution: Float64Array, share: number): number | undefined {
  let sum = 0;
  for (let lost = 0; lost < distribution.length; lost += 1) {
    sum += distribution[lost]!;
    if (sum >= share) return lost;
  }
  return undefined;
}
