import { expect, it } from 'vitest';
import { Lane, type LaneDeps } from '../../alerts/lane.ts';
import { type Job, toEntry, toJob } from '../../alerts/outbox.ts';
import type { MessageReceiver } from '../../alerts/receiver.ts';
import { StoreLoss } from '../../alerts/store-loss.ts';
import { route } from './play.ts';

const NOW_MS = Date.parse('2026-11-23T06:00:00Z');

/** A message of its own episode, under a lease. */
function job(id: string): Job {
  const alert = new StoreLoss(0).failed(NOW_MS);
  if (alert === null) throw new Error('nothing was said');
  const made = toJob(toEntry({ id, receiver: 'ops', alert }), { token: 1, untilMs: NOW_MS + 60_000 });
  if (made === undefined) throw new Error('the entry is of another version');
  return made;
}

it('a lane whose delivery throws gives back what it held and serves what comes later', async () => {
  const said: string[] = [];
  const lines: string[] = [];
  let isBroken = true;
  const note = (_fields: object, message: string) => lines.push(message);
  const receiver: MessageReceiver = {
    kind: 'message',
    name: 'ops',
    route: route(),
    fallbacks: [],
    messagesPerMinute: 60,
    notifier: {
      alertsPerMessage: 10,
      send: async () => ({ status: 'sent' }),
      close: () => {},
    },
  };
  const deps: LaneDeps = {
    nowMs: () => NOW_MS,
    random: () => 0.5,
    log: { debug: note, info: note, warn: note, error: note },
    observer: { sent: () => {}, failed: () => {} },
    groupWaitMs: 0,
    sendTimeoutMs: 1_000,
    states: async () => {
      if (isBroken) throw new Error('a bug');
      return new Map();
    },
    done: async ({ entry }) => void said.push(`done ${entry.id}`),
    retryAt: async ({ entry }, dueAtMs) => void said.push(`again ${entry.id} ${dueAtMs - NOW_MS}`),
    outdated: async ({ entry }) => void said.push(`outdated ${entry.id}`),
    refuse: async () => {},
  };
  const lane = new Lane(receiver, deps);
  lane.add(job('one'));
  await lane.idle();
  expect(said).toEqual(['again one 60000']);
  expect(lines).toEqual(['a lane failed; it tries again']);
  isBroken = false;
  lane.add(job('two'));
  await lane.idle();
  expect(said).toEqual(['again one 60000', 'done two']);
});
