import { describe, expect, it } from 'vitest';
import type { Alert } from '../../alerts/alert.ts';
import { merge } from '../../alerts/merge.ts';
import { type Job, toEntry, toJob } from '../../alerts/outbox.ts';
import { EMPTY_STATE, type Episode, type PolicyState } from '../../alerts/state.ts';
import { alertOf } from './samples.ts';

const KEY = 'acme:-:entry-failing:-:1';

function job(kind: Alert['kind'], wishes: Partial<Alert> = {}): Job {
  const alert = alertOf({ kind, ...wishes });
  const made = toJob(toEntry({ id: `${alert.key}/${kind}/${alert.reminder}`, receiver: 'ops', alert }), null);
  if (!made) throw new Error('not readable');
  return made;
}

function stateWith(state: Episode['state']): ReadonlyMap<string, PolicyState> {
  const episode: Episode = {
    step: 'entry-failing',
    month: '',
    line: '',
    episode: 1,
    state,
    sinceMs: 0,
    pendingSinceMs: 0,
    firedAtMs: 0,
    clearSinceMs: null,
    resolvedAtMs: null,
    resolvedBecause: null,
    told: ['ops'],
    saidAtMs: 0,
    reminders: 0,
    acknowledgedBy: null,
  };
  return new Map([['acme', { ...EMPTY_STATE, episodes: [episode] }]]);
}

/** "resolved undelivered: 2" for each parcel: what it says, and how many entries that settles. */
function said(jobs: readonly Job[], state: Episode['state'], undelivered: readonly string[] = []) {
  const { parcels, outdated } = merge(jobs, stateWith(state), new Set(undelivered));
  return {
    parcels: parcels.map(
      ({ item, jobs: settled }) =>
        `${item.alert.kind}${item.wasUndelivered ? ' undelivered' : ''}: ${settled.length}`,
    ),
    outdated: outdated.length,
  };
}

describe('what one receiver hears of the entries in hand', () => {
  it('a firing and its resolve are one message', () => {
    expect(said([job('firing'), job('resolved')], 'resolved')).toEqual({
      parcels: ['resolved undelivered: 2'],
      outdated: 0,
    });
  });

  it('a resolve alone is a resolve, unless its firing is known to have been missed', () => {
    expect(said([job('resolved')], 'resolved').parcels).toEqual(['resolved: 1']);
    expect(said([job('resolved')], 'resolved', [KEY]).parcels).toEqual(['resolved undelivered: 1']);
  });

  it.each(['firing', 'reminder', 'acknowledged'] as const)('a %s of what has ended says nothing', (kind) => {
    expect(said([job(kind)], 'resolved')).toEqual({ parcels: [], outdated: 1 });
  });

  it('a firing of what still fires is sent, with the reminders that piled up behind it', () => {
    const reminders = [1, 2].map((reminder) => job('reminder', { reminder }));
    expect(said([job('firing'), ...reminders], 'firing')).toEqual({ parcels: ['firing: 3'], outdated: 0 });
    expect(said(reminders, 'firing').parcels).toEqual(['reminder: 2']);
  });

  it('an acknowledgement follows the firing that it acknowledges', () => {
    expect(said([job('firing'), job('acknowledged')], 'firing').parcels).toEqual([
      'firing: 1',
      'acknowledged: 1',
    ]);
  });

  it('what cannot be asked about is taken for true', () => {
    expect(merge([job('firing')], new Map(), new Set()).parcels).toHaveLength(1);
  });

  it("a fallback's copy stands apart from the receiver's own", () => {
    const copy: Job = { ...job('firing'), insteadOf: 'chat' };
    expect(said([copy, job('resolved')], 'resolved')).toEqual({ parcels: ['resolved: 1'], outdated: 1 });
  });
});
