import { logGamma } from './log-gamma.ts';

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
 * The exact distribution of the windows lost among those to come. Time grows with the square of `most`.
 * @param most  largest number of losses asked for, at most `windows`
 * @returns P(exactly k lost) for k = 0..most; what is missing from 1 is the probability of more
 */
export function lossDistribution({ windows, run }: Outlook, { a, b }: Chain, most: number): Float64Array {
  const ofUp = powersOf(a);
  const ofDown = powersOf(b);
  const probability = run > 0 ? afterDown : afterUp;
  return Float64Array.from({ length: most + 1 }, (_, lost) =>
    probability(lost, windows - lost, ofUp, ofDown),
  );
}

/**
 * Starting after an up window: over the number of runs of lost windows. The last run is followed by up windows,
 * or it is the end.
 */
function afterUp(lost: number, kept: number, ofUp: Powers, ofDown: Powers): number {
  if (lost === 0) return Math.exp(ofUp.log(0, kept));
  let sum = 0;
  if (kept > 0) {
    // C(lost-1, r-1) C(kept, r) E[a^r (1-a)^(kept-r)] E[b^(lost-r) (1-b)^r] for r = 1, 2, ...
    sum += sumOfTerms(
      Math.log(kept) + ofUp.log(1, kept - 1) + ofDown.log(lost - 1, 1),
      Math.min(lost, kept),
      (r) =>
        (((lost - r) / r) * ((kept - r) / (r + 1)) * ofUp.odds(r, kept - r)) /
        ofDown.odds(lost - r - 1, r + 1),
    );
  }
  // C(lost-1, r-1) C(kept, r-1) E[a^r (1-a)^(kept-r+1)] E[b^(lost-r) (1-b)^(r-1)]
  sum += sumOfTerms(
    ofUp.log(1, kept) + ofDown.log(lost - 1, 0),
    Math.min(lost, kept + 1),
    (r) =>
      (((lost - r) / r) * ((kept - r + 1) / r) * ofUp.odds(r, kept - r + 1)) / ofDown.odds(lost - r - 1, r),
  );
  return sum;
}

/** Starting after a down window: over the number of runs of up windows. */
function afterDown(lost: number, kept: number, ofUp: Powers, ofDown: Powers): number {
  if (kept === 0) return Math.exp(ofDown.log(lost, 0));
  // C(kept-1, r-1) C(lost, r-1) E[a^(r-1) (1-a)^(kept-r)] E[b^(lost-r+1) (1-b)^r]
  let sum = sumOfTerms(
    ofUp.log(0, kept - 1) + ofDown.log(lost, 1),
    Math.min(kept, lost + 1),
    (r) =>
      (((kept - r) / r) * ((lost - r + 1) / r) * ofUp.odds(r - 1, kept - r)) / ofDown.odds(lost - r, r + 1),
  );
  if (lost > 0) {
    // C(kept-1, r-1) C(lost, r) E[a^r (1-a)^(kept-r)] E[b^(lost-r) (1-b)^r]
    sum += sumOfTerms(
      Math.log(lost) + ofUp.log(1, kept - 1) + ofDown.log(lost - 1, 1),
      Math.min(kept, lost),
      (r) =>
        (((kept - r) / r) * ((lost - r) / (r + 1)) * ofUp.odds(r, kept - r)) /
        ofDown.odds(lost - r - 1, r + 1),
    );
  }
  return sum;
}

/**
 * t(1) + ... + t(count), given ln t(1) and t(r+1) / t(r). Scaled on the way, as the first term may be far below
 * the smallest number when a later one is not.
 */
function sumOfTerms(logFirst: number, count: number, ratioAfter: (r: number) => number): number {
  let logScale = logFirst;
  let term = 1;
  let sum = 1;
  for (let r = 1; r < count; r += 1) {
    term *= ratioAfter(r);
    sum += term;
    if (sum > SCALE_LIMIT) {
      logScale += Math.log(sum);
      term /= sum;
      sum = 1;
    }
  }
  return Math.exp(logScale + Math.log(sum));
}

const SCALE_LIMIT = 1e200;

/** The expected powers E[p^times (1-p)^not] of a chance p. */
interface Powers {
  log(times: number, not: number): number;
  /** The power with one more `times` and one less `not`, over the one given. */
  odds(times: number, not: number): number;
}

function powersOf(chance: Chance): Powers {
  if (chance.kind === 'known') {
    const { p } = chance;
    if (!(p > 0 && p < 1))
      throw new RangeError(`CHANCE_CERTAIN: ${p} is not between 0 and 1; nothing is to be forecast`);
    const odds = p / (1 - p);
    return { log: (times, not) => times * Math.log(p) + not * Math.log1p(-p), odds: () => odds };
  }
  const { lost, kept } = chance;
  const scale = logGamma(lost + kept) - logGamma(lost) - logGamma(kept);
  return {
    log: (times, not) =>
      logGamma(lost + times) + logGamma(kept + not) - logGamma(lost + kept + times + not) + scale,
    odds: (times, not) => (lost + times) / (kept + not - 1),
  };
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
