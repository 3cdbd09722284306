import { linesOf, standing, voucherOf, voucherPercentOf } from './budget.ts';
import { CAUSES } from './cause.ts';
import { claimOf } from './claim.ts';
import { percentDisplay } from './display.ts';
import { instantText } from './instant.ts';
import { lostWith, type MonthVerdicts, recordedOf } from './judge-month.ts';
import type { Figure, LostWindow, Reading } from './reading.ts';
import { VERDICT_INDEX, VERDICTS, type Verdict } from './verdict.ts';

/** The part of a reading that follows from the month's windows alone; a statement carries the same. */
export type MonthFigures = Omit<Reading, 'service' | 'projection' | 'openWindow' | 'rolling'>;

export function figuresOf(verdicts: MonthVerdicts): MonthFigures {
  const { month, terms, nowMs } = verdicts;
  const { windows } = month;
  const counts = countVerdicts(verdicts);
  const lost = counts.down;
  const elapsed = windows - counts.remaining;
  const lines = linesOf(terms).map((line) => standing(line, windows, lost));
  const target = lines.find((line) => line.target === terms.target.text)!;
  const voucherPercent = voucherPercentOf(lines);
  const voucher = voucherOf(terms, voucherPercent);
  const claim = claimOf(month, terms);
  const lostWindows = lostWindowsOf(verdicts);
  const figure = (count: number): Figure => ({ lost: count, ratio: (windows - count) / windows });
  return {
    month: month.month,
    asOf: instantText(nowMs),
    period: {
      start: instantText(month.startMs),
      end: instantText(month.endMs),
      days: month.days,
      windows,
      minutes: month.minutes,
    },
    windows: {
      up: counts.up,
      down: counts.down,
      excluded: counts.excluded,
      idle: counts.idle,
      unmeasured: counts.unmeasured,
      remaining: counts.remaining,
      lowVolumeDown: lostWindows.filter((one) => one.lowVolume).length,
    },
    ...recordedOf(verdicts),
    downtimeMinutes: lost * month.windowMinutes,
    availability: {
      ratio: (windows - lost) / windows,
      display: percentDisplay(windows - lost, windows, terms.displayDecimals),
      meetsTarget: !target.crossed,
    },
    figures: {
      providerOnly: figure(lostWith(verdicts, ['provider'])),
      providerAndUnknown: figure(lostWith(verdicts, ['provider', 'unknown'])),
      raw: figure(lostWith(verdicts, CAUSES)),
    },
    budget: { allowed: target.allowed, lost, left: target.left },
    lines,
    voucherPercent,
    ...(voucher && { voucher }),
    claim: { opens: claim.opens, deadline: claim.deadline },
    // Nothing has been missed yet while nothing has elapsed.
    coverage: elapsed === 0 ? 1 : (elapsed - counts.unmeasured) / elapsed,
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
