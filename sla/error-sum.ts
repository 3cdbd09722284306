/**
 * The exact sum of windows' error rates, for `measure: mean-window-error`. Common fractions with thousands of
 * different denominators: written out, the sum is a number of some hundred thousand bits. So each rate is first
 * truncated to units of 2^-96, which puts the sum between two bounds some 2^-80 apart; only a comparison that
 * falls between them is decided by the fraction itself.
 */

/** A window's error rate; 0 <= failures <= attempts, attempts >= 1. */
export interface ErrorRate {
  readonly failures: number;
  readonly attempts: number;
}

export interface ErrorSum {
  /** In units of 2^-96, each rate truncated. */
  readonly units: bigint;
  /** Rates that were not whole units: the sum is less than this many units above `units`, or equal if 0. */
  readonly truncated: bigint;
  /** The sum itself; worked out once, when a comparison needs it. */
  readonly exact: () => Fraction;
}

interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const UNIT_BITS = 96n;
/** More than a double holds, so that the ratio is the double next to the true one. */
const RATIO_BITS = 80n;

export function sumErrors(rates: readonly ErrorRate[]): ErrorSum {
  let units = 0n;
  let truncated = 0n;
  for (const { failures, attempts } of rates) {
    const scaled = BigInt(failures) << UNIT_BITS;
    const of = BigInt(attempts);
    units += scaled / of;
    if (scaled % of > 0n) truncated += 1n;
  }
  let known: Fraction | undefined;
  const exact = () => {
    known ??= addUp(rates);
    return known;
  };
  return { units, truncated, exact };
}

/** Whether the sum is greater than `numerator / denominator` (denominator > 0); exact. */
export function exceeds(sum: ErrorSum, numerator: bigint, denominator: bigint): boolean {
  const limit = numerator << UNIT_BITS;
  if (sum.units * denominator > limit) return true;
  if ((sum.units + sum.truncated) * denominator <= limit) return false;
  const exact = sum.exact();
  return exact.numerator * denominator > numerator * exact.denominator;
}

/** The sum in whole windows, rounded up. */
export function roundedUp(sum: ErrorSum): number {
  // The true sum is at most a unit a window above its lower bound, so that only one integer is in question.
  const least = (sum.units + (1n << UNIT_BITS) - 1n) >> UNIT_BITS;
  return Number(exceeds(sum, least, 1n) ? least + 1n : least);
}

/** What the sum leaves of `windows` in steps of 1/steps of them, truncated: 99.899 % in 100,000 steps is 99,899. */
export function stepsLeft(sum: ErrorSum, windows: number, steps: number): number {
  const whole = BigInt(windows) << UNIT_BITS;
  const most = ((whole - sum.units) * BigInt(steps)) / whole;
  const isMore = exceeds(sum, BigInt(windows) * (BigInt(steps) - most), BigInt(steps));
  return Number(isMore ? most - 1n : most);
}

/** What the sum leaves of `windows`, as a number; never for a verdict. */
export function ratioLeft(sum: ErrorSum, windows: number): number {
  const whole = BigInt(windows) << UNIT_BITS;
  return Number(((whole - sum.units) << RATIO_BITS) / whole) / 2 ** Number(RATIO_BITS);
}

/** Equal denominators first, then in pairs, so that long numbers meet long ones and there are few of them. */
function addUp(rates: readonly ErrorRate[]): Fraction {
  const failuresOf = new Map<number, number>();
  for (const { failures, attempts } of rates) {
    failuresOf.set(attempts, (failuresOf.get(attempts) ?? 0) + failures);
  }
  let fractions = Array.from(
    failuresOf,
    ([attempts, failures]): Fraction => ({ numerator: BigInt(failures), denominator: BigInt(attempts) }),
  );
  while (fractions.length > 1) {
    const sums: Fraction[] = [];
    for (let i = 0; i < fractions.length; i += 2) {
      const [a, b] = [fractions[i]!, fractions[i + 1]];
      sums.push(b === undefined ? a : addTwo(a, b));
    }
    fractions = sums;
  }
  return fractions[0] ?? { numerator: 0n, denominator: 1n };
}

function addTwo(a: Fraction, b: Fraction): Fraction {
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}
