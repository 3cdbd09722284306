import { MEASURE_COUNT, MINUTE_MS, type MinuteFacts } from '../sla/facts.ts';
import type { Sight } from './input.ts';

const WINDOW_MINUTES = 5;
const HOUR_WINDOWS = 12;

/**
 * How well a service is being watched, from its facts.
 * @param facts a run that should cover the last hour; minutes outside of it are not reported on
 */
export function sightOf(facts: MinuteFacts, listeningSinceMs: number, nowMs: number): Sight {
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  const isSeen = (minute: number): boolean => {
    const i = minute - facts.firstMinute;
    return i >= 0 && i < facts.minuteCount && (facts.alive[i] === 1 || facts.tallies[i * MEASURE_COUNT]! > 0);
  };
  let last = Math.min(nowMinute, facts.firstMinute + facts.minuteCount - 1);
  while (last >= facts.firstMinute && facts.alive[last - facts.firstMinute] !== 1) last -= 1;

  const openStart = nowMinute - (nowMinute % WINDOW_MINUTES);
  const recent = Array.from({ length: HOUR_WINDOWS }, (_, i) => {
    const start = openStart - (HOUR_WINDOWS - i) * WINDOW_MINUTES;
    const minutes = Array.from({ length: WINDOW_MINUTES }, (_, m) => start + m);
    return { startMs: start * MINUTE_MS, seen: minutes.some(isSeen) };
  }).filter((window) => window.startMs >= facts.firstMinute * MINUTE_MS);

  const lastAliveAtMs = last < facts.firstMinute ? null : Math.min(nowMs, (last + 1) * MINUTE_MS);
  return { lastAliveAtMs, listeningSinceMs, recent };
}

/** Whether nobody has been watching for `silentMs`. A service that was never watched is not blind. */
export function isBlind(
  sight: Sight,
  silentMs: number,
  nowMs: number,
  watchedSinceMs: number | null,
): boolean {
  const lastMs = sight.lastAliveAtMs ?? watchedSinceMs;
  return lastMs !== null && nowMs - lastMs >= silentMs;
}

/** Recent windows that nobody saw, counting only those since the service was first watched. */
export function unseenShare(
  sight: Sight,
  watchedSinceMs: number | null,
): { share: number; windows: number; of: number; firstStartMs: number | null } {
  const watched = sight.recent.filter(
    (window) => watchedSinceMs !== null && window.startMs >= watchedSinceMs,
  );
  const unseen = watched.filter((window) => !window.seen);
  return {
    // Over the whole hour: a service watched for ten minutes has not lost half of its coverage with one window.
    share: unseen.length / HOUR_WINDOWS,
    windows: unseen.length,
    of: watched.length,
    firstStartMs: unseen[0]?.startMs ?? null,
  };
}
