import { linesOf, standing, voucherOf, voucherPercentOf } from './budget.ts';
import { claimOf } from './claim.ts';
import { percentDisplay } from './display.ts';
import type { Exclusion } from './exclusion.ts';
import type { MinuteFacts } from './facts.ts';
import type { Prior, Transitions } from './forecast.ts';
import { instantText } from './instant.ts';
import { judgeMonth, lostWith, type MonthInput, type MonthVerdicts, recordedOf } from './judge-month.ts';
import type { ServiceMonth } from './month.ts';
import { countSpan, readOpenWindow } from './open-window.ts';
import { project } from './projection.ts';
import type { Figure, LostWindow, Reading } from './reading.ts';
import type { Terms } from './terms.ts';
import { VERDICT_INDEX, VERDICTS, type Verdict } from './verdict.ts';

export interface ReadInput {
  readonly service: string;
  readonly month: ServiceMonth;
  /** May cover more or less than the month; what is missing is zero. */
  readonly facts: MinuteFacts;
  readonly terms: Terms;
  /** Those of other services are passed over. */
  readonly exclusions: readonly Exclusion[];
  /** The instant of the reading. */
  readonly nowMs: number;
  /** Of the service's earlier months, for the forecast. */
  readonly history?: Transitions;
  readonly prior?: Prior;
}

/** Minutes of the trailing figure. */
const ROLLING_MINUTES = 5;

/**
 * The reading of a service month at an instant: the one function behind the daemon, the replay of a file, the
 * explanation of a window, the statement and the tests.
 *
 * A window counts once it has ended; the one in progress is `remaining`, however many failures it already has,
 * as later successes may still save it (`openWindow.alreadyLost` tells, and the projection expects it lost).
 */
export function read(input: ReadInput): Reading {
  const exclusions = input.exclusions.filter(({ service }) => service === input.service);
  const monthInput: MonthInput = { ...input, exclusions };
  return readVerdicts(judgeMonth(monthInput), monthInput, input);
}

/** The reading of windows that are judged already, so that a caller who needs both judges them once. */
export function readVerdicts(
  verdicts: MonthVerdicts,
  monthInput: MonthInput,
  { service, history, prior }: Pick<ReadInput, 'service' | 'history' | 'prior'>,
): Reading {
  const { month, terms, nowMs } = verdicts;
  const { windows } = month;
  const counts = countVerdicts(verdicts);
  const lost = counts.down;
  const lines = linesOf(terms).map((line) => standing(line, windows, lost));
  const budget = lines.find((line) => line.target === terms.target.text)!;
  const voucherPercent = voucherPercentOf(lines);
  const voucher = voucherOf(terms, voucherPercent);
  const claim = claimOf(month, terms);
  const openWindow = readOpenWindow(monthInput);
  const lostWindows = lostWindowsOf(verdicts);
  const minuteNow = Math.floor(nowMs / 60_000);
  const rolling = countSpan(monthInput, minuteNow - ROLLING_MINUTES + 1, minuteNow + 1);
  const elapsed = windows - counts.remaining;
  const figure = (count: number): Figure => ({ lost: count, ratio: (windows - count) / windows });
  return {
    service,
    month: month.month,
    asOf: instantText(nowMs),
    period: {
      start: instantText(month.startMs),
      end: instantText(month.endMs),
      days: month.days,
      windows,
      minutes: month.minutes,
    },
    windows: { ...counts, lowVolumeDown: lostWindows.filter((one) => one.lowVolume).length },
    ...recordedOf(verdicts),
    downtimeMinutes: lost * month.windowMinutes,
    availability: {
      ratio: (windows - lost) / windows,
      display: percentDisplay(windows - lost, windows, terms.displayDecimals),
      meetsTarget: !budget.crossed,
    },
    figures: {
      providerOnly: figure(lostWith(verdicts, ['provider'])),
      providerAndUnknown: figure(lostWith(verdicts, ['provider', 'unknown'])),
      raw: figure(lostWith(verdicts, ['provider', 'unknown', 'customer', 'network'])),
    },
    budget: { allowed: budget.allowed, lost, left: budget.left },
    lines,
    voucherPercent,
    ...(voucher && { voucher }),
    projection: project({
      verdicts,
      lost,
      lines,
      openWindow,
      exclusions: monthInput.exclusions,
      history,
      prior,
    }),
    claim: { opens: claim.opens, deadline: claim.deadline },
    coverage: elapsed === 0 ? 1 : (elapsed - counts.unmeasured) / elapsed,
    openWindow,
    rolling: { attempts: rolling.attempts, failures: rolling.failures },
    lostWindows,
    revisions: revisionsOf(verdicts),
    warnings: claim.warning === undefined ? [] : [claim.warning],
  };
}

function countVerdicts({ verdict }: MonthVerdicts): Record<Verdict, number> {
  const counts = new Float64Array(VERDICTS.length);
  for (const one of verdict) counts[one]! += 1;
  return Object.fromEntries(VERDICTS.map((name, i) => [name, counts[i]!])) as Record<Verdict, number>;
}

function lostWindowsOf({ verdict, bounds, attempts, failures, terms }: MonthVerdicts): LostWindow[] {
  const lost: LostWindow[] = [];
  for (let window = 0; window < verdict.length; window += 1) {
    if (verdict[window] !== VERDICT_INDEX.down) continue;
    lost.push({
      start: instantText(bounds.fromMinute[window]! * 60_000),
      attempts: attempts[window]!,
      failures: failures[window]!,
      lowVolume: attempts[window]! < terms.lowVolumeBelow,
    });
  }
  return lost;
}

function revisionsOf({ late, bounds }: MonthVerdicts): Reading['revisions'] {
  const revisions: { start: string; lateAttempts: number }[] = [];
  for (let window = 0; window < late.length; window += 1) {
    if (late[window] === 0) continue;
    revisions.push({ start: instantText(bounds.fromMinute[window]! * 60_000), lateAttempts: late[window]! });
  }
  return revisions;
}
