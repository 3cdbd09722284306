/** A gap below this is the report's way here, and the noise of ordinary clocks: correcting it would move outcomes for nothing. */
const MIN_CORRECTION_MS = 5_000;

/**
 * How far our clock is ahead of the sender's, which says with `?sentAt=` what it reads at sending. Browsers' clocks
 * are hours off on some machines, and an outcome belongs to the window in which it really started. A report that was
 * held for longer than that on its way, by a proxy say, looks like one of a clock that is behind.
 * @param url         of the request
 * @param receivedAtMs our clock when the request began
 * @returns whole milliseconds to add to each `at`; 0 when the sender does not say, or is less than five seconds off;
 *          undefined when what it says is no time
 */
export function readClockGapMs(url: string, receivedAtMs: number): number | undefined {
  const query = url.indexOf('?');
  const sentAt = query === -1 ? null : new URLSearchParams(url.slice(query)).get('sentAt');
  if (sentAt === null) return 0;
  // A clock whose battery is flat says 1970, so any year will do.
  if (!/^-?\d{1,15}$/.test(sentAt)) return undefined;
  const gapMs = Math.round(receivedAtMs) - Number(sentAt);
  return Math.abs(gapMs) < MIN_CORRECTION_MS ? 0 : gapMs;
}
