import type { Alert, AlertState } from './alert.ts';
import type { PolicyInput } from './input.ts';
import { snapshotOf } from './snapshot.ts';
import { keyOf, type PolicyState } from './state.ts';

/** An episode as it stands now, for lists and for receivers that are shown rather than told. */
export interface Standing {
  readonly state: AlertState;
  readonly alert: Alert;
  /** Receivers that were told of it; none while it is pending, silenced or inhibited. */
  readonly told: readonly string[];
}

/** How long a resolved episode is still listed and shown: three times Alertmanager's own least, as Prometheus does. */
export const RESOLVED_SHOWN_MS = 15 * 60_000;

export function standingsOf(state: PolicyState, input: PolicyInput): Standing[] {
  return state.episodes
    .filter((episode) => {
      if (episode.state !== 'resolved') return true;
      const wasFiring = episode.firedAtMs !== null;
      return wasFiring && input.nowMs - (episode.resolvedAtMs ?? 0) < RESOLVED_SHOWN_MS;
    })
    .map((episode) => ({
      state: episode.state,
      told: episode.told,
      alert: {
        ...snapshotOf(episode, input, state),
        key: keyOf(input.service, episode),
        kind: episode.state === 'resolved' ? 'resolved' : 'firing',
        reminder: episode.reminders,
      },
    }));
}
