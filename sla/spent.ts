import { percentDisplay, stepsDisplay, stepsOf } from './display.ts';
import { type ErrorSum, exceeds, ratioLeft, roundedUp, stepsLeft } from './error-sum.ts';
import { allowedLosses, type Percent } from './percent.ts';

/** What a month has spent of its windows, by the measure of its terms, and what that leaves. */
export interface Spent {
  /** In whole windows, rounded up. */
  readonly windows: number;
  /** Of the month, 0 to 1; never for a verdict. */
  readonly ratio: number;
  /** The same as a percentage, truncated. */
  readonly display: string;
  /** Whether less than the line's share is left; exact. */
  isBeyond(line: Percent): boolean;
}

/** `window-threshold`: a lost window is spent, any other is not. */
export function spentWindows(lost: number, windows: number, decimals: number): Spent {
  return {
    windows: lost,
    ratio: (windows - lost) / windows,
    display: percentDisplay(windows - lost, windows, decimals),
    isBeyond: (line) => lost > allowedLosses(windows, line),
  };
}

/** `mean-window-error`: each window spends its error rate. */
export function spentErrors(sum: ErrorSum, windows: number, decimals: number): Spent {
  return {
    windows: roundedUp(sum),
    ratio: ratioLeft(sum, windows),
    display: stepsDisplay(stepsLeft(sum, windows, stepsOf(decimals)), decimals),
    isBeyond: ({ numerator, denominator }) =>
      exceeds(sum, BigInt(windows) * BigInt(denominator - numerator), BigInt(denominator)),
  };
}
