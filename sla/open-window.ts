import { excludedMinutes } from './exclusion.ts';
import { attemptsIn, MEASURE_COUNT, MEASURE_INDEX, type MinuteFacts } from './facts.ts';
import { instantText } from './instant.ts';
import type { MonthInput } from './judge-month.ts';
import type { OpenWindow } from './reading.ts';
import type { Terms } from './terms.ts';
import { type Counting, countedOf, countingOf, isDown } from './verdict.ts';
import { spansOf, windowOf } from './window.ts';

/** Minutes before the open window from which its traffic is expected. */
const HISTORY_MINUTES = 60;
/** Minutes of the open window after which its own pace is believed. */
const PACE_MINUTES = 1;
/** Earlier days from which the shape of a day is taken, as far as the facts reach back. */
const SHAPE_DAYS = 7;
const DAY_MINUTES = 1_440;
/** Counted attempts below which earlier days tell no shape. */
const SHAPE_ATTEMPTS = 100;
/** How much more or less than the hour before a window is expected to have at most. */
const SHAPE_MOST = 4;

/** Counted attempts and failures of the minutes [from, to) that are not excluded. */
export interface SpanCounts {
  readonly attempts: number;
  readonly failures: number;
  /** Minutes, not excluded, in which somebody watched or something was counted. */
  readonly observedMinutes: number;
  /** Minutes not excluded, and how much of them has passed. */
  readonly minutes: number;
  readonly elapsedMinutes: number;
}

type SpanInput = Pick<MonthInput, 'facts' | 'terms' | 'exclusions' | 'nowMs'>;

/** Counts any minutes of the facts as the contract does; minutes that have not begun are zero. */
export function countSpan(input: SpanInput, fromMinute: number, toMinute: number): SpanCounts {
  const { facts, terms } = input;
  const marks = excludedMinutes(input.exclusions, {
    firstMinute: fromMinute,
    minuteCount: toMinute - fromMinute,
  });
  const begun = Math.ceil(input.nowMs / 60_000);
  const counting = countingOf(terms);
  const sums = { attempts: 0, failures: 0, observedMinutes: 0, minutes: 0, elapsedMinutes: 0 };
  for (let minute = fromMinute; minute < toMinute; minute += 1) {
    if (marks !== null && marks[minute - fromMinute] === 1) continue;
    sums.minutes += 1;
    sums.elapsedMinutes += Math.min(1, Math.max(0, input.nowMs / 60_000 - minute));
    const at = minute - facts.firstMinute;
    if (at < 0 || at >= facts.minuteCount || minute >= begun) continue;
    const counted = countedAt(facts, at, counting);
    sums.attempts += counted.attempts;
    sums.failures += counted.failures;
    if (facts.alive[at] === 1 || facts.tallies[at * MEASURE_COUNT]! > 0) sums.observedMinutes += 1;
  }
  return sums;
}

function countedAt(facts: MinuteFacts, at: number, counting: Counting) {
  const from = at * MEASURE_COUNT;
  const tally = {
    attempts: attemptsIn(facts.tallies, from),
    provider: facts.tallies[from + MEASURE_INDEX.provider]!,
    unknown: facts.tallies[from + MEASURE_INDEX.unknown]!,
    customer: facts.tallies[from + MEASURE_INDEX.customer]!,
    network: facts.tallies[from + MEASURE_INDEX.network]!,
  };
  return countedOf(tally, counting);
}

/**
 * The window in progress. Its traffic is expected from the hour before it, which sets the level, and the same
 * time on earlier days, which sets the shape (a morning's ramp, an evening's fall); or from its own pace so far
 * if that is more: expecting too little would call a window lost that a surge of successes still saves.
 *
 * The books count the window only when it has ended; until then `alreadyLost` is a forecast.
 * @returns null when now is outside the month or the whole window is excluded
 */
export function readOpenWindow(input: MonthInput): OpenWindow | null {
  const { month, terms, nowMs } = input;
  const window = windowOf(month, Math.floor(nowMs / 60_000));
  if (window < 0) return null;
  const spans = spansOf(month, window);
  const counts = spans.map((span) => countSpan(input, span.fromMinute, span.toMinute));
  const total = (value: (one: SpanCounts) => number) => counts.reduce((sum, one) => sum + value(one), 0);
  const minutes = total((one) => one.minutes);
  if (minutes === 0) return null;
  const attempts = total((one) => one.attempts);
  const failures = total((one) => one.failures);
  const elapsed = total((one) => one.elapsedMinutes);

  const startMinute = spans[0]!.fromMinute;
  const hour = countSpan(input, startMinute - HISTORY_MINUTES, startMinute);
  const perMinute = Math.max(
    hour.observedMinutes > 0
      ? (hour.attempts / hour.observedMinutes) * shapeAt(input, startMinute, month.windowMinutes)
      : -1,
    elapsed >= PACE_MINUTES ? attempts / elapsed : -1,
  );
  const expectedAttempts = perMinute < 0 ? null : Math.ceil(attempts + perMinute * (minutes - elapsed));
  const alreadyLost = expectedAttempts !== null && isDown(expectedAttempts, failures, terms);
  return {
    start: instantText(startMinute * 60_000),
    attempts,
    failures,
    alreadyLost,
    expectedAttempts,
    failuresUntilLost: alreadyLost ? 0 : failuresToLose({ attempts, failures, expectedAttempts }, terms),
  };
}

/**
 * Traffic of a window over that of the hour before it, on the last days on which both were watched. 1 when they
 * tell too little, as in a month's first days: the facts of a reading begin with its month.
 */
function shapeAt(input: SpanInput, startMinute: number, windowMinutes: number): number {
  const window = { attempts: 0, observedMinutes: 0 };
  const hour = { attempts: 0, observedMinutes: 0 };
  for (let day = 1; day <= SHAPE_DAYS; day += 1) {
    const from = startMinute - day * DAY_MINUTES;
    const then = countSpan(input, from, from + windowMinutes);
    const before = countSpan(input, from - HISTORY_MINUTES, from);
    if (then.observedMinutes === 0 || before.observedMinutes === 0) continue;
    for (const [sum, span] of [
      [window, then],
      [hour, before],
    ] as const) {
      sum.attempts += span.attempts;
      sum.observedMinutes += span.observedMinutes;
    }
  }
  if (window.attempts < SHAPE_ATTEMPTS || hour.attempts < SHAPE_ATTEMPTS) return 1;
  const shape = window.attempts / window.observedMinutes / (hour.attempts / hour.observedMinutes);
  return Math.min(SHAPE_MOST, Math.max(1 / SHAPE_MOST, shape));
}

/**
 * The fewest further failures that lose a window: at first they replace expected successes, and beyond the
 * expectation each one is an attempt more.
 */
function failuresToLose(
  open: Pick<OpenWindow, 'attempts' | 'failures' | 'expectedAttempts'>,
  terms: Pick<Terms, 'threshold' | 'minAttempts'>,
): number {
  const isLostAfter = (more: number) =>
    isDown(Math.max(open.expectedAttempts ?? 0, open.attempts + more), open.failures + more, terms);
  // Every further attempt failing, the share of failures only grows: once lost, it stays lost.
  let enough = 1;
  while (!isLostAfter(enough)) enough *= 2;
  let tooFew = Math.floor(enough / 2);
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (isLostAfter(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}
