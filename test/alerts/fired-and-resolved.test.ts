import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/store/store.ts';
import { startHttpPeer } from '../support/http-peer.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { waitFor } from '../support/wait-for.ts';
import { rigOf, STORES } from './rig.ts';
import { HOUR_MS, MINUTE_MS, Scene } from './scene.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An outage of ten minutes whose receiver is down all the while. */
const scene = new Scene();
const startMs = scene.windowAt(4_000);
scene.fail(startMs, startMs + 10 * MINUTE_MS, { attempts: 100, failures: 60 });
const firedMs = startMs + 20_000;
const overMs = startMs + 25 * MINUTE_MS;
const resolvedMs = overMs + 6 * MINUTE_MS;
const fired = new Date(firedMs).toISOString().slice(0, 16).replace('T', ' ');

/** A receiver that can be down, and what it got while it was up. */
interface Telephone {
  readonly config: object;
  mend(): void;
  heard(): readonly unknown[];
}

const ENTRY = { name: 'ops', steps: ['entry-failing'] };

async function httpTelephone(
  type: string,
  options: {
    readonly parts?: object;
    readonly success?: { status: number; body?: string };
    readonly heard: (body: string) => unknown;
  },
): Promise<Telephone> {
  let isDown = true;
  const bodies: string[] = [];
  const peer = await startHttpPeer(({ body }) => {
    if (isDown) return { status: 503 };
    bodies.push(body);
    return options.success ?? { status: 200 };
  });
  closers.push(peer.stop);
  return {
    config: { ...ENTRY, type, url: `${peer.url}/in`, ...options.parts },
    mend: () => {
      isDown = false;
    },
    heard: () => bodies.map(options.heard),
  };
}

const TELEPHONES: Readonly<Record<string, { open: () => Promise<Telephone>; expected: readonly unknown[] }>> =
  {
    'a mail that names both in its subject': {
      async open() {
        const sink = await startMailSink();
        closers.push(() => sink.stop());
        sink.replies.set('ops@example.org', { code: 451, text: 'try later' });
        const server = { host: '127.0.0.1', port: sink.port, tls: 'none' };
        return {
          config: { ...ENTRY, ...server, type: 'email', from: 'a@example.org', to: ['ops@example.org'] },
          mend: () => sink.replies.clear(),
          heard: () => sink.mails.map(({ mail: { subject } }) => subject),
        };
      },
      expected: ['[fired and resolved] acme: room entry works again'],
    },
    'a post to Slack that names both': {
      open: () =>
        httpTelephone('slack', {
          success: { status: 200, body: 'ok' },
          heard: (body) => JSON.parse(body).blocks[0].text.text,
        }),
      expected: ['[fired and resolved] acme: room entry works again'],
    },
    'a resolved alert of a webhook with its start and its end': {
      open: () =>
        httpTelephone('webhook', {
          heard(body) {
            const { alerts } = JSON.parse(body);
            const [{ status, startsAt, endsAt, annotations }] = alerts;
            return [alerts.length, status, Date.parse(startsAt), Date.parse(endsAt), annotations.description];
          },
        }),
      expected: [
        [
          1,
          'resolved',
          expect.closeTo(firedMs, -4),
          expect.closeTo(resolvedMs, -4),
          expect.stringMatching(new RegExp(`Fired ${fired} UTC .*, resolved `)),
        ],
      ],
    },
    'an incident of PagerDuty, opened and resolved under one key': {
      open: () =>
        httpTelephone('pagerduty', {
          parts: { routingKey: 'a'.repeat(32) },
          success: { status: 202 },
          heard(body) {
            const { event_action, dedup_key, payload } = JSON.parse(body);
            return [event_action, dedup_key, payload ? Date.parse(payload.timestamp) : null];
          },
        }),
      expected: [
        ['trigger', 'roomwatch:acme:-:entry-failing:-:1', expect.closeTo(firedMs, -4)],
        ['resolve', 'roomwatch:acme:-:entry-failing:-:1', null],
      ],
    },
  };

/** A daemon at this time of the scene; it looks once, unless it only delivers. */
async function daemonAt(
  store: Pick<Store, 'ledger' | 'journal'>,
  config: object,
  atMs: number,
  looks = true,
) {
  const shiftMs = atMs - Date.now();
  const rig = rigOf(store, { receivers: [config] }, { nowMs: () => shiftMs + Date.now() });
  closers.push(() => rig.alerting.stop());
  rig.alerting.start();
  if (looks) await rig.alerting.consider('acme', scene.at(atMs));
  return rig;
}

describe.each(Object.keys(STORES))('an episode that ended while its receiver was down, on %s', (name) => {
  async function storeOf(): Promise<Store> {
    const { store, close } = await STORES[name]!();
    closers.push(close);
    return store;
  }
  const empty = (store: Store) => async () => (await store.ledger.backlog('acme')).depth === 0;

  it.each(Object.entries(TELEPHONES))('arrives after two restarts as %s', async (_, { open, expected }) => {
    const store = await storeOf();
    const telephone = await open();
    for (const atMs of [firedMs, overMs, resolvedMs]) {
      const { alerting, counted } = await daemonAt(store, telephone.config, atMs);
      if (atMs !== overMs) await waitFor('an attempt', () => counted.length > 0);
      await alerting.stop();
    }
    expect((await store.ledger.backlog('acme')).depth).toBe(2);
    telephone.mend();
    await daemonAt(store, telephone.config, resolvedMs + HOUR_MS, false);
    await waitFor('an empty outbox', empty(store));
    expect(telephone.heard()).toEqual(expected);
  });

  it('is not told by halves while another daemon holds the other half', async () => {
    const store = await storeOf();
    const { open, expected } = TELEPHONES['an incident of PagerDuty, opened and resolved under one key']!;
    const telephone = await open();
    const first = await daemonAt(store, telephone.config, firedMs);
    await waitFor('an attempt', () => first.counted.length > 0);
    await first.alerting.stop();
    telephone.mend();
    // It took the firing and was never heard of again; its lease runs on beyond the end of the episode.
    const leaseMs = resolvedMs + 3_000 - overMs;
    const taken = await store.ledger.claim({ service: 'acme', nowMs: overMs, leaseMs, limit: 1 });
    expect(taken.map(({ entry }) => entry.id)).toEqual(['acme/-/entry-failing/-/1/ops/firing']);

    // `overMs` is when it is clear first, so that the next look resolves it.
    const second = await daemonAt(store, telephone.config, overMs);
    await second.alerting.stop();
    let looks = 0;
    const { ledger, journal } = store;
    const watched: Store['ledger'] = {
      load: (service) => ledger.load(service),
      commit: (request) => ledger.commit(request),
      claim: (request) => ledger.claim(request),
      settle: (request) => ledger.settle(request),
      claimableAt: (service, id) => {
        looks += 1;
        return ledger.claimableAt(service, id);
      },
      backlog: (service) => ledger.backlog(service),
    };
    await daemonAt({ ledger: watched, journal }, telephone.config, resolvedMs);
    await waitFor('some looks for the other half', () => looks > 3);
    expect(telephone.heard()).toEqual([]);
    await waitFor('an empty outbox', empty(store));
    expect(telephone.heard()).toEqual(expected);
  });
});
