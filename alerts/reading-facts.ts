import type { Line, Reading } from '../sla/reading.ts';
import { startOfDate } from './times.ts';

/** What alerts ask of a reading beyond what it says outright. */

/** Milliseconds of a window of the contract. */
function windowLength(reading: Reading): number {
  return (reading.period.minutes / reading.period.windows) * 60_000;
}

/** The line of the target (clause 2.2), of which the budget is; a voucher tier may lie above it. */
export function targetLine(reading: Reading): Line | undefined {
  return reading.lines.find((line) => line.allowed === reading.budget.allowed);
}

/** Whether error rates are summed rather than windows lost: only then a figure does not follow from its windows. */
export function isByMean(reading: Reading): boolean {
  return reading.figures.providerAndUnknown.display !== undefined;
}

/** Start of the window in progress; by the clock alone when the whole window is excluded. */
function openStart(reading: Reading, nowMs: number): number {
  return reading.openWindow ? Date.parse(reading.openWindow.start) : nowMs - (nowMs % windowLength(reading));
}

/** Windows lost one after another up to the one in progress, and when the run began. */
export function lostRun(reading: Reading, nowMs: number): { before: number; startMs: number } {
  const windowMs = windowLength(reading);
  const openMs = openStart(reading, nowMs);
  const starts = new Set(reading.lostWindows.map((window) => Date.parse(window.start)));
  let before = 0;
  while (starts.has(openMs - (before + 1) * windowMs)) before += 1;
  return { before, startMs: openMs - before * windowMs };
}

/** Start of the n-th lost window, the first being 1. */
export function lostStart(reading: Reading, n: number): number | undefined {
  const window = reading.lostWindows[n - 1];
  return window && Date.parse(window.start);
}

/** Whether more than the threshold's share of the trailing five minutes failed. */
export function isRollingBelow({ rolling }: Pick<Reading, 'rolling'>, percent: number): boolean {
  const { attempts, failures } = rolling;
  return failures * 100 > attempts * (100 - percent);
}

/** First instant after an ended month's claim deadline, whose day is included (clause 3.2). */
export function deadlineEnd(closed: Reading, timeZone: string): number {
  return startOfDate(closed.claim.deadline, timeZone, 1);
}
