import type { Item } from './message.ts';
import type { Job } from './outbox.ts';
import { type PolicyState, stillFires } from './state.ts';

/** One thing to say, and the outbox entries that are settled by saying it. */
export interface Parcel {
  readonly item: Item;
  readonly jobs: readonly Job[];
}

export interface Merged {
  readonly parcels: readonly Parcel[];
  /** Entries that have nothing to add any more: to be settled without a message. */
  readonly outdated: readonly Job[];
}

/**
 * Puts together what one receiver should hear of the entries in hand, oldest first.
 *
 * An episode that ended before the receiver heard of it becomes one "fired and resolved". A firing or reminder of
 * an episode that has ended is dropped: the resolve was queued in the same atomic step that ended it, and tells
 * the whole episode. Reminders of the same episode that piled up become the latest one.
 *
 * @param undelivered keys of episodes whose firing is known not to have arrived
 * @param states by service; a service without one could not be asked, and then everything counts as still true
 */
export function merge(
  jobs: readonly Job[],
  states: ReadonlyMap<string, PolicyState>,
  undelivered: ReadonlySet<string>,
): Merged {
  const outdated: Job[] = [];
  const parcels: Parcel[] = [];
  for (const ofEpisode of byEpisode(jobs)) {
    const last = (kind: Job['alert']['kind']): Job | undefined =>
      ofEpisode.findLast((job) => job.alert.kind === kind);
    const resolved = last('resolved');
    if (resolved) {
      const isUndelivered = last('firing') !== undefined || undelivered.has(resolved.alert.key);
      parcels.push(parcel(resolved, ofEpisode, isUndelivered));
      continue;
    }
    const state = states.get(ofEpisode[0]!.alert.service);
    const isTrue = state === undefined || stillFires(state, ofEpisode[0]!.alert);
    if (!isTrue) {
      outdated.push(...ofEpisode);
      continue;
    }
    const acknowledged = last('acknowledged');
    const told = last('firing') ?? last('reminder');
    const rest = ofEpisode.filter((job) => job !== acknowledged);
    if (told) parcels.push(parcel(told, rest, false));
    if (acknowledged) parcels.push(parcel(acknowledged, [acknowledged], false));
  }
  return { parcels, outdated };
}

/** A fallback's copies stand apart: they speak for another receiver. */
function byEpisode(jobs: readonly Job[]): Job[][] {
  const groups = new Map<string, Job[]>();
  for (const job of jobs) {
    const key = `${job.alert.key} ${job.insteadOf ?? ''}`;
    const group = groups.get(key);
    if (group) group.push(job);
    else groups.set(key, [job]);
  }
  return [...groups.values()];
}

function parcel(job: Job, jobs: readonly Job[], wasUndelivered: boolean): Parcel {
  return { item: { alert: job.alert, wasUndelivered, insteadOf: job.insteadOf }, jobs };
}
