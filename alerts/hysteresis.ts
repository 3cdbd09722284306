import type { Condition } from './conditions.ts';
import type { StepTiming } from './settings.ts';
import type { Episode } from './state.ts';

/** What a condition did to its episode, and the reason. */
export type Verdict =
  | 'quiet'
  | 'pending'
  /** It stopped before it had held for `forMs`; nothing was said. */
  | 'dropped'
  | 'fired'
  | 'firing'
  /** Clear, but not yet for `clearForMs`. */
  | 'clearing'
  | 'resolved'
  /** Nobody sees the service: neither fires nor resolves. */
  | 'frozen'
  /** Clear, but the last minutes were not seen, so it cannot be believed yet. */
  | 'unconfirmed';

export interface Advance {
  readonly verdict: Verdict;
  /** undefined = nothing to remember */
  readonly episode: Episode | undefined;
}

/**
 * Moves one episode between pending, firing and resolved: `forMs` before the first, `clearForMs` of being clear
 * by the separate clear threshold before the last. In the band between the thresholds nothing changes, so an
 * oscillation there is one firing and one resolve.
 */
export function advance(
  previous: Episode | undefined,
  condition: Condition,
  by: {
    readonly nowMs: number;
    readonly timing: StepTiming;
    readonly isFrozen: boolean;
    readonly mayResolve: boolean;
    readonly firstEpisode: number;
  },
): Advance {
  const { nowMs, timing } = by;
  const isOpen = previous !== undefined && previous.state !== 'resolved';
  if (by.isFrozen) return { verdict: 'frozen', episode: previous };
  if (isOpen && !timing.enabled) return resolve(previous, nowMs, 'switched-off');
  const holds = condition.holds && timing.enabled;

  if (!isOpen) {
    if (!holds) return { verdict: 'quiet', episode: previous };
    const begun = begin(condition, previous ? previous.episode + 1 : by.firstEpisode, nowMs);
    return timing.forMs === 0
      ? { verdict: 'fired', episode: fire(begun, nowMs) }
      : { verdict: 'pending', episode: begun };
  }
  if (previous.state === 'pending') {
    // In the band it goes on waiting, but only what holds at the end of the wait is said.
    if (condition.clear)
      return { verdict: 'dropped', episode: ended(previous, nowMs, condition.clearBecause) };
    return holds && nowMs - previous.pendingSinceMs >= timing.forMs
      ? { verdict: 'fired', episode: fire(previous, nowMs) }
      : { verdict: 'pending', episode: previous };
  }
  if (!condition.clear) {
    return {
      verdict: 'firing',
      episode: previous.clearSinceMs === null ? previous : { ...previous, clearSinceMs: null },
    };
  }
  const clearSinceMs = previous.clearSinceMs ?? nowMs;
  const isMeasured = condition.clearBecause === 'cleared';
  if (isMeasured && !by.mayResolve) return { verdict: 'unconfirmed', episode: previous };
  // The end of a month or of a deadline is certain at once; only measurements have to prove themselves.
  if (isMeasured && nowMs - clearSinceMs < timing.clearForMs) {
    return { verdict: 'clearing', episode: { ...previous, clearSinceMs } };
  }
  return resolve(previous, nowMs, condition.clearBecause);
}

function begin(condition: Condition, episode: number, nowMs: number): Episode {
  const { step, month, line } = condition;
  return {
    step,
    month,
    line,
    episode,
    state: 'pending',
    sinceMs: Math.min(condition.sinceMs, nowMs),
    pendingSinceMs: nowMs,
    firedAtMs: null,
    clearSinceMs: null,
    resolvedAtMs: null,
    resolvedBecause: null,
    told: [],
    saidAtMs: null,
    reminders: 0,
    acknowledgedBy: null,
  };
}

function fire(episode: Episode, nowMs: number): Episode {
  return { ...episode, state: 'firing', firedAtMs: nowMs };
}

function resolve(episode: Episode, nowMs: number, because: Condition['clearBecause']): Advance {
  const wasFiring = episode.state === 'firing';
  return { verdict: wasFiring ? 'resolved' : 'dropped', episode: ended(episode, nowMs, because) };
}

function ended(episode: Episode, nowMs: number, because: Condition['clearBecause']): Episode {
  return { ...episode, state: 'resolved', resolvedAtMs: nowMs, resolvedBecause: because };
}
