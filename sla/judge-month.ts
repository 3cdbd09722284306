import { CAUSES, type Cause } from './cause.ts';
import { type Exclusion, excludedMinutes } from './exclusion.ts';
import { attemptsIn, LATE_SLOT_MINUTES, MEASURE_COUNT, MEASURE_INDEX, type MinuteFacts } from './facts.ts';
import type { ServiceMonth } from './month.ts';
import type { Terms } from './terms.ts';
import { countedOf, countingOf, isDown, judgeWindow, VERDICT_INDEX, type WindowTally } from './verdict.ts';
import { boundsOf, type WindowBounds, windowOf } from './window.ts';

/**
 * Every window of a service month with what was recorded in it and its verdict, as arrays indexed by window.
 * The reading, the statement and the explanation of a window are all derived from this.
 */
export interface MonthVerdicts {
  readonly month: ServiceMonth;
  readonly terms: Terms;
  readonly nowMs: number;
  readonly bounds: WindowBounds;
  /** Position in VERDICTS. */
  readonly verdict: Uint8Array;
  /** 1 = below the threshold by itself, also while not yet `minConsecutive` in a row. */
  readonly isBelow: Uint8Array;
  /** Counted. */
  readonly attempts: Float64Array;
  readonly failures: Float64Array;
  /** Recorded in minutes that are not excluded: MEASURE_COUNT sums a window, in the order of MEASURES. */
  readonly tallies: Float64Array;
  /** The same of the excluded minutes. */
  readonly excludedTallies: Float64Array;
  /** Minutes of the window that an exclusion touches, and all that it has. */
  readonly excludedMinutes: Uint16Array;
  readonly minutes: Uint16Array;
  /** Minutes, not excluded, in which an agent was alive. */
  readonly aliveMinutes: Uint16Array;
  /** Attempts that arrived after the window had closed. */
  readonly late: Float64Array;
}

export interface MonthInput {
  readonly month: ServiceMonth;
  /** May cover more or less than the month; what is missing is zero. */
  readonly facts: MinuteFacts;
  readonly terms: Terms;
  /** Of this service. */
  readonly exclusions: readonly Exclusion[];
  /** Minutes that begin later are not looked at, so that a past instant can be read from later facts. */
  readonly nowMs: number;
}

/** Judges every window of a month; pure and linear in its minutes. */
export function judgeMonth(input: MonthInput): MonthVerdicts {
  return judgeFold(input, foldMinutes(input));
}

/** Judges windows whose minutes are summed already. */
export function judgeFold(
  { month, terms, nowMs }: Pick<MonthInput, 'month' | 'terms' | 'nowMs'>,
  fold: Fold,
): MonthVerdicts {
  const { windows } = month;
  const bounds = boundsOf(month);
  const verdict = new Uint8Array(windows);
  const isBelow = new Uint8Array(windows);
  const attempts = new Float64Array(windows);
  const failures = new Float64Array(windows);
  const counting = countingOf(terms);
  for (let window = 0; window < windows; window += 1) {
    const judgement = judgeWindow(tallyAt(fold, window), terms, counting);
    attempts[window] = judgement.attempts;
    failures[window] = judgement.failures;
    verdict[window] = stateOf(fold, bounds, { window, nowMs }) ?? VERDICT_INDEX[judgement.verdict];
    isBelow[window] = verdict[window] === VERDICT_INDEX.down ? 1 : 0;
  }
  if (terms.minConsecutive > 1) keepRuns(verdict, terms.minConsecutive);
  return { month, terms, nowMs, bounds, verdict, isBelow, attempts, failures, ...fold };
}

/** The sums of each window's minutes: all that a verdict needs of the facts and the exclusions. */
export type Fold = Pick<
  MonthVerdicts,
  'tallies' | 'excludedTallies' | 'excludedMinutes' | 'minutes' | 'aliveMinutes' | 'late'
>;

export function foldMinutes({ month, facts, exclusions, nowMs }: Omit<MonthInput, 'terms'>): Fold {
  const { windows, windowMinutes } = month;
  const { tallies, alive } = facts;
  const fold: Fold = {
    tallies: new Float64Array(windows * MEASURE_COUNT),
    excludedTallies: new Float64Array(windows * MEASURE_COUNT),
    excludedMinutes: new Uint16Array(windows),
    minutes: new Uint16Array(windows),
    aliveMinutes: new Uint16Array(windows),
    late: lateByWindow(month, facts),
  };
  const marks = excludedMinutes(exclusions, month);
  const begun = Math.ceil(nowMs / 60_000);
  for (const { fromMinute, toMinute, shiftMinutes } of month.stretches) {
    let window = Math.floor((fromMinute + shiftMinutes) / windowMinutes);
    let left = (window + 1) * windowMinutes - (fromMinute + shiftMinutes);
    for (let minute = fromMinute; minute < toMinute; minute += 1) {
      if (left === 0) {
        window += 1;
        left = windowMinutes;
      }
      left -= 1;
      fold.minutes[window]! += 1;
      const isExcluded = marks !== null && marks[minute - month.firstMinute] === 1;
      if (isExcluded) fold.excludedMinutes[window]! += 1;
      const at = minute - facts.firstMinute;
      if (at < 0 || at >= facts.minuteCount || minute >= begun) continue;
      if (!isExcluded && alive[at] === 1) fold.aliveMinutes[window]! += 1;
      const from = at * MEASURE_COUNT;
      if (tallies[from] === 0) continue;
      const sums = isExcluded ? fold.excludedTallies : fold.tallies;
      const to = window * MEASURE_COUNT;
      sums[to + MEASURE_INDEX.attempts]! += attemptsIn(tallies, from);
      for (let i = MEASURE_INDEX.attempts + 1; i < MEASURE_COUNT; i += 1) sums[to + i]! += tallies[from + i]!;
    }
  }
  return fold;
}

/**
 * A late slot is listed at the window of its first minute: with windows that are no multiple of five minutes it
 * can reach into the next one, and is still listed once.
 */
function lateByWindow(month: ServiceMonth, facts: MinuteFacts): Float64Array {
  const late = new Float64Array(month.windows);
  for (let slot = 0; slot < facts.late.length; slot += 1) {
    const attempts = facts.late[slot]!;
    if (attempts === 0) continue;
    const window = windowOf(month, facts.firstMinute + slot * LATE_SLOT_MINUTES);
    if (window >= 0) late[window]! += attempts;
  }
  return late;
}

/** The verdicts that need no counting; undefined for a window that is to be judged. */
function stateOf(
  fold: Fold,
  bounds: WindowBounds,
  { window, nowMs }: { readonly window: number; readonly nowMs: number },
): number | undefined {
  // A window without a minute (a skipped hour, days outside the service) cannot be lost, whatever the terms.
  if (fold.minutes[window] === 0) return VERDICT_INDEX.idle;
  if (bounds.toMinute[window]! * 60_000 > nowMs) return VERDICT_INDEX.remaining;
  return fold.excludedMinutes[window] === fold.minutes[window] ? VERDICT_INDEX.excluded : undefined;
}

/** What was recorded in a window's minutes that are not excluded. */
export function tallyAt(
  { tallies, aliveMinutes }: Pick<MonthVerdicts, 'tallies' | 'aliveMinutes'>,
  window: number,
): WindowTally {
  const at = window * MEASURE_COUNT;
  return {
    attempts: tallies[at + MEASURE_INDEX.attempts]!,
    provider: tallies[at + MEASURE_INDEX.provider]!,
    unknown: tallies[at + MEASURE_INDEX.unknown]!,
    customer: tallies[at + MEASURE_INDEX.customer]!,
    network: tallies[at + MEASURE_INDEX.network]!,
    isObserved: aliveMinutes[window]! > 0,
  };
}

/** Turns runs of down windows shorter than `least` up: the state must last (1.5). */
function keepRuns(verdict: Uint8Array, least: number): void {
  let run = 0;
  for (let window = 0; window <= verdict.length; window += 1) {
    if (verdict[window] === VERDICT_INDEX.down) {
      run += 1;
      continue;
    }
    if (run < least) verdict.fill(VERDICT_INDEX.up, window - run, window);
    run = 0;
  }
}

/** Windows lost if exactly these causes counted; exclusions and every other term hold. */
export function lostWith(verdicts: MonthVerdicts, causes: readonly Cause[]): number {
  const { terms, verdict } = verdicts;
  const counting = countingOf(terms, causes);
  const down = new Uint8Array(verdict.length);
  for (let window = 0; window < verdict.length; window += 1) {
    const state = verdict[window];
    if (state === VERDICT_INDEX.remaining || state === VERDICT_INDEX.excluded) continue;
    const tally = tallyAt(verdicts, window);
    if (tally.attempts === 0) {
      // An empty window that the terms call down is down under every figure.
      if (verdicts.isBelow[window] === 1) down[window] = VERDICT_INDEX.down;
      continue;
    }
    const counted = countedOf(tally, counting);
    if (isDown(counted.attempts, counted.failures, terms)) down[window] = VERDICT_INDEX.down;
  }
  if (terms.minConsecutive > 1) keepRuns(down, terms.minConsecutive);
  let lost = 0;
  for (const one of down) if (one === VERDICT_INDEX.down) lost += 1;
  return lost;
}

/** Everything recorded in the month up to now, before causes and exclusions are taken out. */
export function recordedOf(verdicts: MonthVerdicts): {
  readonly attempts: number;
  readonly failures: Readonly<Record<Cause, number>>;
} {
  const sums = new Float64Array(MEASURE_COUNT);
  for (const tallies of [verdicts.tallies, verdicts.excludedTallies]) {
    for (let at = 0; at < tallies.length; at += MEASURE_COUNT) {
      for (let i = 0; i < MEASURE_COUNT; i += 1) sums[i]! += tallies[at + i]!;
    }
  }
  const failures = Object.fromEntries(CAUSES.map((cause) => [cause, sums[MEASURE_INDEX[cause]]!]));
  return { attempts: sums[MEASURE_INDEX.attempts]!, failures: failures as Record<Cause, number> };
}
