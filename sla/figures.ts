import { linesOf, standing, voucherOf, voucherPercentOf } from './budget.ts';
import { CAUSES, type Cause } from './cause.ts';
import { claimOf } from './claim.ts';
import { instantText } from './instant.ts';
import { lostWith, type MonthVerdicts, recordedOf } from './judge-month.ts';
import { errorsOf } from './mean-error.ts';
import type { Figure, LostWindow, Reading } from './reading.ts';
import { type Spent, spentErrors, spentWindows } from './spent.ts';
import { VERDICT_INDEX, VERDICTS, type Verdict } from './verdict.ts';

/** The part of a reading that follows from the month's windows alone; a statement carries the same. */
export type MonthFigures = Omit<Reading, 'service' | 'projection' | 'openWindow' | 'rolling' | 'callbacks'>;

export function figuresOf(verdicts: MonthVerdicts): MonthFigures {
  const { month, terms, nowMs } = verdicts;
  const { windows } = month;
  const counts = countVerdicts(verdicts);
  const spent = spentOf(verdicts, counts.down);
  const elapsed = windows - counts.remaining;
  const lines = linesOf(terms).map((line) =>
    standing(line, windows, spent.windows, spent.isBeyond(line.percent)),
  );
  const target = lines.find((line) => line.target === terms.target.text)!;
  const voucherPercent = voucherPercentOf(lines);
  const voucher = voucherOf(terms, voucherPercent);
  const claim = claimOf(month, terms);
  const lostWindows = lostWindowsOf(verdicts);
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
    downtimeMinutes: counts.down * month.windowMinutes,
    availability: {
      ratio: spent.ratio,
      display: spent.display,
      meetsTarget: !target.crossed,
    },
    figures: {
      providerOnly: figureOf(verdicts, ['provider']),
      providerAndUnknown: figureOf(verdicts, ['provider', 'unknown']),
      raw: figureOf(verdicts, CAUSES),
    },
    budget: {
      allowed: target.allowed,
      // Rounded up, a sum of error rates may pass the whole windows allowed and still not the line itself.
      lost: target.crossed ? spent.windows : Math.min(spent.windows, target.allowed),
      left: target.left,
    },
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

/** What the terms' measure makes of the month, given how many windows are down. */
function spentOf(verdicts: MonthVerdicts, down: number, causes?: readonly Cause[]): Spent {
  const { month, terms } = verdicts;
  return terms.measure === 'window-threshold'
    ? spentWindows(down, month.windows, terms.displayDecimals)
    : spentErrors(errorsOf(verdicts, causes), month.windows, terms.displayDecimals);
}

function figureOf(verdicts: MonthVerdicts, causes: readonly Cause[]): Figure {
  const lost = lostWith(verdicts, causes);
  const { ratio, display } = spentOf(verdicts, lost, causes);
  return verdicts.terms.measure === 'window-threshold' ? { lost, ratio } : { lost, ratio, display };
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
