/** A percentage of the contract, exact: `numerator / denominator` is the share, in lowest terms. */
export interface Percent {
  /** As written in the terms, e.g. '99.9'. */
  readonly text: string;
  readonly numerator: number;
  /** at most 10^8: six decimals of a percent */
  readonly denominator: number;
}

/** '99.9' -> 999/1000. Undefined for anything but 0 to 100 with up to six decimals. */
export function parsePercent(text: string): Percent | undefined {
  if (text.length > 10) return undefined;
  const parts = /^(\d{1,3})(?:\.(\d{1,6}))?$/.exec(text);
  if (parts === null) return undefined;
  const decimals = parts[2] ?? '';
  const numerator = Number(`${parts[1]}${decimals}`);
  const denominator = 10 ** (2 + decimals.length);
  if (numerator > denominator) return undefined;
  const divisor = greatestDivisor(numerator, denominator);
  return Object.freeze({ text, numerator: numerator / divisor, denominator: denominator / divisor });
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/**
 * Whether `part / whole` is lower than the share. Integers only (sla/README.md, comparison); equality is not
 * lower, and neither is 0/0.
 * @param part   non-negative integer, at most `whole`
 */
export function isBelow(part: number, whole: number, share: Percent): boolean {
  if (whole <= Number.MAX_SAFE_INTEGER / share.denominator) {
    return part * share.denominator < whole * share.numerator;
  }
  return BigInt(part) * BigInt(share.denominator) < BigInt(whole) * BigInt(share.numerator);
}

/** How many of `windows` may be lost while the share of the others stays at or above the line. */
export function allowedLosses(windows: number, line: Percent): number {
  // windows <= 44,640 and denominator <= 10^8: the product is far below 2^53, and so the floor is exact.
  return Math.floor((windows * (line.denominator - line.numerator)) / line.denominator);
}

/** The share as a number, for sorting and display of ratios; never for a verdict. */
export function shareValue(share: Percent): number {
  return share.numerator / share.denominator;
}
