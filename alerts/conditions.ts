import type { Line, Reading } from '../sla/reading.ts';
import type { ResolveReason } from './alert.ts';
import type { Circumstances } from './input.ts';
import type { AlertSettings } from './settings.ts';
import { isBlind, unseenShare } from './sight.ts';
import { type PolicyState, sameWatch, type Watch } from './state.ts';
import { startOfDate } from './times.ts';

/** What one step sees now. Neither `holds` nor `clear` is the band between the two thresholds. */
export interface Condition extends Watch {
  readonly holds: boolean;
  readonly clear: boolean;
  /** Since when, as far as the facts say. */
  readonly sinceMs: number;
  readonly clearBecause: ResolveReason;
  /** For logs and dry runs: the comparison that decided. */
  readonly why: string;
}

interface Asked extends Circumstances {
  readonly nowMs: number;
  readonly settings: AlertSettings;
}

const DAY_MS = 86_400_000;

/** Every step of one service as it stands now, the steps of ended months included. */
export function conditionsOf(input: Asked, state: PolicyState): Condition[] {
  const { reading } = input;
  const target = targetLine(reading);
  const now = [
    blind(input, state),
    entryFailing(input),
    ...(target ? [budget(input, target), near(input, target), lastWindow(input, target)] : []),
    ...reading.lines.map((line) => breached(input, line)),
    ...input.closed.flatMap((closed) => [
      ...closed.lines.map((line) => breachedLate(closed, line, input.nowMs, state)),
      claim(closed, input),
    ]),
  ];
  const over = state.episodes
    .filter((episode) => episode.state !== 'resolved' && !now.some((one) => sameWatch(one, episode)))
    .map((episode) => outlived(episode, reading.month, input.nowMs));
  return [...now, ...over];
}

function blind({ sight, settings, nowMs }: Asked, state: PolicyState): Condition {
  const { silentMs, coverage, clearCoverage } = settings.blind;
  // A daemon that has just started hears nobody yet: its own deafness is not the agents' silence.
  const hasListened = nowMs - sight.listeningSinceMs >= silentMs;
  const silent = isBlind(sight, silentMs, nowMs, state.watchedSinceMs);
  const unseen = unseenShare(sight, state.watchedSinceMs);
  const seen = 1 - unseen.share;
  return {
    ...bare('blind'),
    holds: hasListened && state.watchedSinceMs !== null && (silent || seen < coverage),
    clear: !silent && seen >= clearCoverage,
    sinceMs: silent ? (sight.lastAliveAtMs ?? nowMs) : (unseen.firstStartMs ?? nowMs),
    clearBecause: 'cleared',
    why: `last alive ${sight.lastAliveAtMs ?? 'never'}, ${unseen.windows} of ${unseen.of} recent windows unseen`,
  };
}

function entryFailing({ reading, settings, nowMs }: Asked): Condition {
  const { belowPercent, clearPercent, minFailures, windowsInARow } = settings.entryFailing;
  const { openWindow, rolling } = reading;
  const isLost = openWindow?.alreadyLost ?? false;
  const isBelow = rolling.failures * 100 > rolling.attempts * (100 - belowPercent);
  const failures = Math.max(rolling.failures, openWindow?.failures ?? 0);
  const run = lostRun(reading, nowMs);
  const windows = run.before + (isLost ? 1 : 0);
  return {
    ...bare('entry-failing'),
    holds: (isLost || isBelow) && (failures >= minFailures || windows >= windowsInARow),
    clear: !isLost && rolling.failures * 100 <= rolling.attempts * (100 - clearPercent),
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
function budget({ reading, settings, nowMs }: Asked, line: Line): Condition {
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

function near({ reading, settings, nowMs }: Asked, line: Line): Condition {
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

function lastWindow({ reading, nowMs }: Asked, line: Line): Condition {
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

function breached({ reading, nowMs }: Asked, line: Line): Condition {
  return {
    ...ofLine('breached', reading, line),
    holds: line.crossed,
    clear: !line.crossed,
    sinceMs: lostStart(reading, line.allowed + 1) ?? nowMs,
    clearBecause: 'corrected',
    why: `${reading.budget.lost} windows lost, ${line.allowed} allowed`,
  };
}

/**
 * A month's last windows are judged after its end, so a breach may be found only then: it is said once, and
 * ends at once because its month has. A breach that was said before the end ends now.
 */
function breachedLate(closed: Reading, line: Line, nowMs: number, state: PolicyState): Condition {
  const watch = ofLine('breached', closed, line);
  const wasSeen = state.episodes.some((episode) => sameWatch(episode, watch) && episode.firedAtMs !== null);
  const isFresh = nowMs - Date.parse(closed.period.end) < DAY_MS;
  const holds = line.crossed && isFresh && !wasSeen;
  return {
    ...watch,
    holds,
    clear: !holds,
    sinceMs: lostStart(closed, line.allowed + 1) ?? nowMs,
    clearBecause: 'month-ended',
    why: `the service month ended with ${closed.budget.lost} windows lost, ${line.allowed} allowed`,
  };
}

function claim(closed: Reading, { timeZone, nowMs }: Asked): Condition {
  const opensAtMs = startOfDate(closed.claim.opens, timeZone);
  const endMs = deadlineEnd(closed, timeZone);
  const holds = closed.voucherPercent > 0 && nowMs >= opensAtMs && nowMs < endMs;
  return {
    step: 'claim',
    month: closed.month,
    line: '',
    holds,
    clear: !holds,
    sinceMs: opensAtMs,
    clearBecause: nowMs >= endMs ? 'deadline-passed' : 'corrected',
    why: `voucher ${closed.voucherPercent} %, claim from ${closed.claim.opens} to ${closed.claim.deadline}`,
  };
}

/** First instant after a closed month's claim deadline, whose day is included (clause 3.2). */
export function deadlineEnd(closed: Reading, timeZone: string): number {
  return startOfDate(closed.claim.deadline, timeZone, 1);
}

/** An episode that nothing watches any more: its month is over, or its line has left the terms. */
function outlived({ step, month, line }: Watch, current: string, nowMs: number): Condition {
  const over = step === 'claim' ? 'deadline-passed' : 'month-ended';
  const clearBecause = month === current ? 'corrected' : over;
  const why = month === current ? 'the terms no longer have this line' : 'its month is over';
  return { step, month, line, holds: false, clear: true, sinceMs: nowMs, clearBecause, why };
}

/** Windows lost one after another up to the one in progress, and when the run began. */
export function lostRun(reading: Reading, nowMs: number): { before: number; startMs: number } {
  const windowMs = windowLength(reading);
  const openMs = reading.openWindow ? Date.parse(reading.openWindow.start) : nowMs - (nowMs % windowMs);
  const starts = new Set(reading.lostWindows.map((window) => Date.parse(window.start)));
  let before = 0;
  while (starts.has(openMs - (before + 1) * windowMs)) before += 1;
  return { before, startMs: openMs - before * windowMs };
}

/** The line of the target (clause 2.2), of which the budget is; a voucher tier may lie above it. */
export function targetLine(reading: Reading): Line | undefined {
  return reading.lines.find((line) => line.allowed === reading.budget.allowed);
}

export function windowLength(reading: Reading): number {
  return (reading.period.minutes / reading.period.windows) * 60_000;
}

/** Start of the n-th lost window, the first being 1. */
function lostStart(reading: Reading, n: number): number | undefined {
  const window = reading.lostWindows[n - 1];
  return window && Date.parse(window.start);
}

function bare(step: 'blind' | 'entry-failing'): Watch {
  return { step, month: '', line: '' };
}

function ofLine(step: 'budget' | 'near' | 'last-window' | 'breached', reading: Reading, line: Line): Watch {
  return { step, month: reading.month, line: line.target };
}
