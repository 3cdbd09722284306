import { CAUSES, type Cause } from './cause.ts';
import { MEASURE_COUNT, MEASURE_INDEX } from './facts.ts';
import { instantText } from './instant.ts';
import type { MonthVerdicts } from './judge-month.ts';
import { VERDICTS, type Verdict } from './verdict.ts';

/** One window with what was recorded in it, what of it counted, and its verdict. Plain data. */
export interface WindowRow {
  /** First elapsed minute; '' for a window without one (an hour that the clock skipped, days out of service). */
  readonly start: string;
  readonly verdict: Verdict;
  /** Elapsed minutes; those that an exclusion touches; others in which an agent was alive. */
  readonly minutes: number;
  readonly excludedMinutes: number;
  readonly aliveMinutes: number;
  /** Recorded in minutes that are not excluded. */
  readonly attempts: number;
  readonly failures: Readonly<Record<Cause, number>>;
  /** What the verdict rests on. */
  readonly counted: { readonly attempts: number; readonly failures: number };
  /** Recorded in excluded minutes; absent when nothing was. */
  readonly excluded?: { readonly attempts: number; readonly failures: Readonly<Record<Cause, number>> };
  /** Attempts that came after the window had closed; they are in the counts. */
  readonly lateAttempts: number;
  /** Fewer counted attempts than the terms' `lowVolumeBelow`. */
  readonly lowVolume: boolean;
}

export function rowOf(verdicts: MonthVerdicts, window: number): WindowRow {
  const { bounds, terms } = verdicts;
  const excluded = sumsAt(verdicts.excludedTallies, window);
  const attempts = verdicts.attempts[window]!;
  return {
    start: verdicts.minutes[window] === 0 ? '' : instantText(bounds.fromMinute[window]! * 60_000),
    verdict: VERDICTS[verdicts.verdict[window]!]!,
    minutes: verdicts.minutes[window]!,
    excludedMinutes: verdicts.excludedMinutes[window]!,
    aliveMinutes: verdicts.aliveMinutes[window]!,
    ...sumsAt(verdicts.tallies, window),
    counted: { attempts, failures: verdicts.failures[window]! },
    ...(excluded.attempts > 0 && { excluded }),
    lateAttempts: verdicts.late[window]!,
    lowVolume: attempts < terms.lowVolumeBelow,
  };
}

function sumsAt(tallies: Float64Array, window: number) {
  const at = window * MEASURE_COUNT;
  const failures = Object.fromEntries(CAUSES.map((cause) => [cause, tallies[at + MEASURE_INDEX[cause]]!]));
  return {
    attempts: tallies[at + MEASURE_INDEX.attempts]!,
    failures: failures as Record<Cause, number>,
  };
}
