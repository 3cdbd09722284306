import type { Cause } from './cause.ts';
import { type ErrorRate, type ErrorSum, sumErrors } from './error-sum.ts';
import { type MonthVerdicts, tallyAt } from './judge-month.ts';
import type { Line } from './reading.ts';
import type { Terms } from './terms.ts';
import { type Counting, countedOf, countingOf, VERDICT_INDEX } from './verdict.ts';

/** `measure: mean-window-error`: availability = 1 - the mean of the windows' error rates. */

/**
 * What one judged window adds to the month's errors.
 * @param counted  attempts and failures; undefined for a window without any request
 * @returns undefined for nothing: no failure, fewer attempts than the terms' least, or no request at all, unless
 *          the terms call that down
 */
export function errorRateOf(
  counted: ErrorRate | undefined,
  terms: Pick<Terms, 'minAttempts' | 'emptyWindow'>,
): ErrorRate | undefined {
  if (counted === undefined) return terms.emptyWindow === 'down' ? { failures: 1, attempts: 1 } : undefined;
  return counted.failures > 0 && counted.attempts >= terms.minAttempts ? counted : undefined;
}

/** The sum of the windows' error rates if exactly these causes counted; those of the terms when left out. */
export function errorsOf(verdicts: MonthVerdicts, causes?: readonly Cause[]): ErrorSum {
  const counting = countingOf(verdicts.terms, causes);
  const rates: ErrorRate[] = [];
  for (let window = 0; window < verdicts.verdict.length; window += 1) {
    const rate = rateAt(verdicts, window, counting);
    if (rate !== undefined) rates.push(rate);
  }
  return sumErrors(rates);
}

function rateAt(verdicts: MonthVerdicts, window: number, counting: Counting): ErrorRate | undefined {
  const { up, down } = VERDICT_INDEX;
  const verdict = verdicts.verdict[window];
  if (verdict !== up && verdict !== down) return undefined;
  const tally = tallyAt(verdicts, window);
  return errorRateOf(tally.attempts === 0 ? undefined : countedOf(tally, counting), verdicts.terms);
}

/** What the forecast takes a month's windows to cost, in windows. An estimate, in floats. */
export interface WindowCosts {
  readonly spent: number;
  /** The mean error rate of lost windows, and of the others that were observed. */
  readonly lost: number;
  readonly kept: number;
}

/**
 * Windows imagined before the first real ones: a lost one that failed wholly, and a day of others without a
 * failure. The first window of a month with one failure in it must not announce a month of the same.
 */
const IMAGINED = { lost: 1, kept: 288 } as const;

/** `lost` is greater than `kept`: a lost window is below the threshold, and the others are not. */
export function costsOf(verdicts: MonthVerdicts): WindowCosts {
  const counting = countingOf(verdicts.terms);
  const sums = { lost: 0, kept: 0 };
  const counts = { lost: 0, kept: 0 };
  for (let window = 0; window < verdicts.verdict.length; window += 1) {
    const verdict = verdicts.verdict[window];
    const isLost = verdict === VERDICT_INDEX.down;
    const isKept = verdict === VERDICT_INDEX.up || verdict === VERDICT_INDEX.idle;
    if (verdicts.minutes[window] === 0 || !(isLost || isKept)) continue;
    const rate = rateAt(verdicts, window, counting);
    const kind = isLost ? 'lost' : 'kept';
    counts[kind] += 1;
    if (rate !== undefined) sums[kind] += rate.failures / rate.attempts;
  }
  return {
    spent: sums.lost + sums.kept,
    lost: (sums.lost + IMAGINED.lost) / (counts.lost + IMAGINED.lost),
    kept: sums.kept / (counts.kept + IMAGINED.kept),
  };
}

/** Further lost windows up to which a breach is worked out, as the time for it grows with their square. */
const LOSSES_WORKED_OUT = 1_000;
/** Of a window: a sum of floats that is on the line is not beyond it. */
const ROUNDING = 1e-9;

/** How many of `toCome` windows may be lost while a line is not crossed; Infinity when all may. */
export function toleratedLosses(
  line: Line,
  costs: WindowCosts,
  { windows, toCome }: { readonly windows: number; readonly toCome: number },
): number {
  if (line.crossed) return -1;
  const budget = windows * (1 - Number(line.target) / 100);
  const left = budget - costs.spent - costs.kept * toCome + ROUNDING;
  const losses = Math.floor(left / (costs.lost - costs.kept));
  if (losses >= toCome) return Number.POSITIVE_INFINITY;
  return Math.min(LOSSES_WORKED_OUT, Math.max(-1, losses));
}
