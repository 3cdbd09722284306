import { type Exclusion, excludedMinutes } from './exclusion.ts';
import {
  addTransitions,
  chainOf,
  DEFAULT_PRIOR,
  expectedLosses,
  lossDistribution,
  type Prior,
  type Transitions,
  transitionsOf,
} from './forecast.ts';
import type { MonthVerdicts } from './judge-month.ts';
import type { Line, OpenWindow, Projection } from './reading.ts';
import { VERDICT_INDEX } from './verdict.ts';
import { windowOf } from './window.ts';

export interface ProjectionInput {
  readonly verdicts: MonthVerdicts;
  readonly lost: number;
  readonly lines: readonly Line[];
  readonly openWindow: OpenWindow | null;
  readonly exclusions: readonly Exclusion[];
  readonly history: Transitions | undefined;
  readonly prior: Prior | undefined;
}

/** Further losses that are worked out at least, for the interval; far more than every full month's lines. */
const MOST_LEAST = 100;
/** The interval holds nine tenths. */
const TAIL = 0.05;

/**
 * What the month will come to, from its losses so far and the chain for the windows that can still be lost: those
 * that have not ended and are not wholly excluded. A window in progress that is already lost counts as such.
 */
export function project(input: ProjectionInput): Projection {
  const { verdicts, lines, openWindow } = input;
  const { windows } = verdicts.month;
  const isOpenLost = openWindow?.alreadyLost ?? false;
  const lost = input.lost + (isOpenLost ? 1 : 0);
  const toCome = Math.max(0, windowsToCome(verdicts, input.exclusions) - (isOpenLost ? 1 : 0));
  const outlook = { windows: toCome, isDown: isOpenLost || isLastDown(verdicts) };
  const seen = transitionsOf(verdicts);
  const chain = chainOf(
    input.history ? addTransitions(seen, input.history) : seen,
    input.prior ?? DEFAULT_PRIOR,
  );

  const most = Math.min(toCome, Math.max(MOST_LEAST, ...lines.map((line) => line.allowed - lost)));
  const distribution = lossDistribution(outlook, chain, most);
  const expected = lost + expectedLosses(outlook, chain);
  const ratio = (count: number) => (windows - count) / windows;
  return {
    availability: {
      expected: ratio(expected),
      low: ratio(lost + quantile(distribution, 1 - TAIL, toCome)),
      high: ratio(lost + quantile(distribution, TAIL, toCome)),
    },
    expectedLost: expected,
    breachProbability: Object.fromEntries(
      lines.map((line) => [line.target, probabilityOfMore(distribution, line.allowed - lost, toCome)]),
    ),
    ...chain,
  };
}

/** P(more than `allowed` of the windows to come are lost). */
export function probabilityOfMore(distribution: Float64Array, allowed: number, toCome: number): number {
  if (allowed < 0) return 1;
  if (allowed >= toCome) return 0;
  let kept = 0;
  for (let k = 0; k <= allowed; k += 1) kept += distribution[k]!;
  return Math.min(1, Math.max(0, 1 - kept));
}

function quantile(distribution: Float64Array, share: number, toCome: number): number {
  let sum = 0;
  for (let k = 0; k < distribution.length; k += 1) {
    sum += distribution[k]!;
    if (sum >= share) return k;
  }
  return toCome;
}

function windowsToCome({ verdict, month, minutes }: MonthVerdicts, exclusions: readonly Exclusion[]): number {
  let toCome = 0;
  for (const one of verdict) if (one === VERDICT_INDEX.remaining) toCome += 1;
  const marks = excludedMinutes(exclusions, month);
  if (marks === null) return toCome;
  const left = Uint16Array.from(minutes);
  for (let i = 0; i < marks.length; i += 1) {
    if (marks[i] === 0) continue;
    const window = windowOf(month, month.firstMinute + i);
    if (window < 0) continue;
    left[window]! -= 1;
    if (left[window] === 0 && verdict[window] === VERDICT_INDEX.remaining) toCome -= 1;
  }
  return toCome;
}

/** The state of the last window that ended; one that tells nothing is passed over, as up. */
function isLastDown({ verdict, bounds, nowMs }: MonthVerdicts): boolean {
  let last = -1;
  for (let window = 0; window < verdict.length; window += 1) {
    const end = bounds.toMinute[window]!;
    if (end > 0 && end * 60_000 <= nowMs && (last < 0 || end > bounds.toMinute[last]!)) last = window;
  }
  return last >= 0 && verdict[last] === VERDICT_INDEX.down;
}
