import type { Line, Reading } from '../sla/reading.ts';
import type { Condition } from './conditions.ts';
import type { Sight } from './input.ts';
import { isRollingBelow, lostRun, lostStart, targetLine } from './reading-facts.ts';
import type { AlertSettings } from './settings.ts';
import { isBlind, unseenShare } from './sight.ts';
import type { Watch } from './state.ts';

/** The steps of the month in progress, as they stand now. */

export interface Current {
  readonly reading: Reading;
  readonly sight: Sight;
  readonly settings: AlertSettings;
  readonly nowMs: number;
  readonly watchedSinceMs: number | null;
}

export function currentConditions(current: Current): Condition[] {
  const { reading } = current;
  const target = targetLine(reading);
  return [
    blind(current),
    entryFailing(current),
    ...(target ? [budget(current, target), near(current, target), lastWindow(current, target)] : []),
    ...reading.lines.map((line) => breached(current, line)),
  ];
}

function blind({ sight, settings, nowMs, watchedSinceMs }: Current): Condition {
  const { silentMs, coverage, clearCoverage } = settings.blind;
  // A daemon that has just started hears nobody yet: its own deafness is not the agents' silence.
  const hasListened = nowMs - sight.listeningSinceMs >= silentMs;
  const silent = isBlind(sight, silentMs, nowMs, watchedSinceMs);
  const unseen = unseenShare(sight, watchedSinceMs);
  const seen = 1 - unseen.share;
  return {
    ...bare('blind'),
    holds: hasListened && watchedSinceMs !== null && (silent || seen < coverage),
    clear: !silent && seen >= clearCoverage,
    sinceMs: silent ? (sight.lastAliveAtMs ?? nowMs) : (unseen.firstStartMs ?? nowMs),
    clearBecause: 'cleared',
    why: `last alive ${sight.lastAliveAtMs ?? 'never'}, ${unseen.windows} of ${unseen.of} recent windows unseen`,
  };
}

function entryFailing({ reading, settings, nowMs }: Current): Condition {
  const { belowPercent, clearPercent, minFailures, windowsInARow } = settings.entryFailing;
  const { openWindow, rolling } = reading;
  const isLost = openWindow?.alreadyLost ?? false;
  const failures = Math.max(rolling.failures, openWindow?.failures ?? 0);
  const run = lostRun(reading, nowMs);
  const windows = run.before + (isLost ? 1 : 0);
  const isFailing = isLost || isRollingBelow(reading, belowPercent);
  return {
    ...bare('entry-failing'),
    holds: isFailing && (failures >= minFailures || windows >= windowsInARow),
    clear: !isLost && !isRollingBelow(reading, clearPercent),
    sinceMs: run.startMs,
    clearBecause: 'cleared',
    why: `window in progress ${isLost ? 'lost' : 'not lost'}, ${rolling.failures} of ${rolling.attempts} failed in five minutes, ${windows} windows in a row`,
  };
}

/**
 * The steps before a breach speak of windows already lost, so none holds before the first: in a service month
 * that allows no loss or one, "nothing is left" would otherwise be true from its first minute and say nothing.
 * Once the line is crossed they no longer begin: their sentences would be about what has already happened.
 */
function budget({ reading, settings, nowMs }: Current, line: Line): Condition {
  const { lost } = reading.budget;
  const used = line.allowed * settings.budget.lostShare;
  const isUsed = lost >= 1 && line.allowed >= 1 && lost >= used;
  return {
    ...ofLine('budget', reading, line),
    holds: isUsed && !line.crossed,
    clear: !isUsed,
    sinceMs: lostStart(reading, Math.ceil(used)) ?? nowMs,
    clearBecause: 'corrected',
    why: `${lost} of ${line.allowed} allowed windows lost`,
  };
}

function near({ reading, settings, nowMs }: Current, line: Line): Condition {
  const { marginPoints, clearMarginPoints, probability, clearProbability, windowsLeft } = settings.near;
  const { lost } = reading.budget;
  const target = Number(line.target);
  const expected = reading.projection.availability.expected * 100;
  const breach = reading.projection.breachProbability[line.target] ?? 0;
  const byCount = line.left <= windowsLeft;
  const isNear = byCount || expected < target + marginPoints || breach >= probability;
  const sinceCount = byCount ? lostStart(reading, line.allowed - windowsLeft) : undefined;
  return {
    ...ofLine('near', reading, line),
    holds: lost >= 1 && isNear && !line.crossed,
    clear: lost === 0 || (!byCount && expected >= target + clearMarginPoints && breach < clearProbability),
    sinceMs: sinceCount ?? nowMs,
    clearBecause: 'cleared',
    why: `${line.left} windows left, expected ${expected} %, breach probability ${breach}`,
  };
}

function lastWindow({ reading, nowMs }: Current, line: Line): Condition {
  const isLast = reading.budget.lost >= 1 && line.left === 0;
  return {
    ...ofLine('last-window', reading, line),
    holds: isLast && !line.crossed,
    clear: !isLast,
    sinceMs: lostStart(reading, line.allowed) ?? nowMs,
    clearBecause: 'corrected',
    why: `${line.left} windows left`,
  };
}

function breached({ reading, nowMs }: Current, line: Line): Condition {
  return {
    ...ofLine('breached', reading, line),
    holds: line.crossed,
    clear: !line.crossed,
    sinceMs: lostStart(reading, line.allowed + 1) ?? nowMs,
    clearBecause: 'corrected',
    why: `${reading.budget.lost} windows lost, ${line.allowed} allowed`,
  };
}

function bare(step: 'blind' | 'entry-failing'): Watch {
  return { step, month: '', line: '' };
}

function ofLine(step: 'budget' | 'near' | 'last-window' | 'breached', reading: Reading, line: Line): Watch {
  return { step, month: reading.month, line: line.target };
}
