import type { Reading } from './reading.ts';

/**
 * "If this goes on, 99.9 % is lost at T": the end of the window that would cross a line if the one in progress
 * and every one after it were lost. Announced exclusions are not looked at, so that it errs early.
 * @param target  a line's `target`
 * @returns null when the line is crossed already, cannot be crossed in this month any more, or the reading is
 *          not of its month's time
 */
export function exhaustionOf(
  reading: Pick<Reading, 'asOf' | 'period' | 'lines' | 'openWindow'>,
  target: string,
): { readonly atMs: number; readonly inMs: number } | null {
  const { period } = reading;
  const line = reading.lines.find((one) => one.target === target);
  const nowMs = Date.parse(reading.asOf);
  const startMs = Date.parse(period.start);
  const endMs = Date.parse(period.end);
  if (line === undefined || line.crossed || nowMs < startMs || nowMs >= endMs) return null;
  const windowMs = (period.minutes / period.windows) * 60_000;
  const openMs =
    reading.openWindow === null
      ? startMs + Math.floor((nowMs - startMs) / windowMs) * windowMs
      : Date.parse(reading.openWindow.start);
  const atMs = openMs + (line.left + 1) * windowMs;
  return atMs > endMs ? null : { atMs, inMs: atMs - nowMs };
}
