import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/store/store.ts';
import { type HttpPeer, startHttpPeer } from '../support/http-peer.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Rig, rigOf, STORES } from './rig.ts';
import { HOUR_MS, MINUTE_MS, Scene, WINDOW_MS } from './scene.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function peerWith(answer?: HttpPeer['answer']): Promise<HttpPeer> {
  const peer = await startHttpPeer(answer);
  closers.push(peer.stop);
  return peer;
}

function start(
  store: Pick<Store, 'ledger' | 'journal'>,
  config: object,
  options: Parameters<typeof rigOf>[2],
): Rig {
  const rig = rigOf(store, config, options);
  rig.alerting.start();
  closers.push(() => rig.alerting.stop());
  return rig;
}

/** A clock that runs in real time from a virtual instant, and can be set forward. */
function clockAt(atMs: number) {
  let base = atMs - Date.now();
  return {
    nowMs: () => base + Date.now(),
    set(to: number) {
      base = to - Date.now();
    },
  };
}

/** An outage of ten minutes in the middle of a month in which six windows are lost already. */
function outage() {
  const scene = new Scene().lose(1_000, 6);
  const startMs = scene.windowAt(4_000);
  scene.fail(startMs, startMs + 10 * MINUTE_MS, { attempts: 100, failures: 60 });
  return { scene, startMs, overMs: startMs + 25 * MINUTE_MS };
}

const LEASE_MS = 1_000;

const never = () => new Promise<never>(() => {});

/** The ledger of a daemon that is killed: so many calls reach the store, and of the next one nothing is heard. */
function deadAfter(ledger: Store['ledger'], calls: number): Store['ledger'] {
  let left = calls;
  const alive = <T>(act: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? never() : act();
  };
  return {
    load: (service) => alive(() => ledger.load(service)),
    commit: (request) => alive(() => ledger.commit(request)),
    claim: (request) => alive(() => ledger.claim(request)),
    settle: (request) => alive(() => ledger.settle(request)),
    claimableAt: (service, id) => alive(() => ledger.claimableAt(service, id)),
    backlog: (service) => alive(() => ledger.backlog(service)),
  };
}

/** Only what fails now, so that a test has one episode to follow. */
const ENTRY = { steps: ['entry-failing'] };
const hook = (peer: HttpPeer, wishes: object = {}) => ({
  name: 'hook',
  type: 'webhook',
  url: `${peer.url}/hook`,
  ...ENTRY,
  ...wishes,
});
const statuses = (peer: HttpPeer) => peer.requests.map(({ body }) => JSON.parse(body).status);

describe.each(Object.keys(STORES))('alerting on %s', (name) => {
  async function storeOf(): Promise<Store> {
    const { store, close } = await STORES[name]!();
    closers.push(close);
    return store;
  }

  it('says a failing entry once and its end once, to every receiver, by the real senders', async () => {
    const store = await storeOf();
    const sink = await startMailSink();
    closers.push(() => sink.stop());
    const peer = await peerWith();
    const { scene, startMs, overMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const mail = {
      name: 'mail',
      type: 'email',
      host: '127.0.0.1',
      port: sink.port,
      tls: 'none',
      from: 'a@example.org',
    };
    const rig = start(
      store,
      { receivers: [hook(peer), { ...mail, ...ENTRY, to: ['ops@example.org', 'lead@example.org'] }] },
      clock,
    );
    for (const nowMs of [startMs + 20_000, startMs + 40_000, overMs, overMs + 6 * MINUTE_MS]) {
      clock.set(nowMs);
      await rig.alerting.consider('acme', scene.at(nowMs));
      await waitFor('an empty outbox', async () => (await rig.alerting.status()).outbox?.depth === 0);
    }
    expect(statuses(peer)).toEqual(['firing', 'resolved']);
    expect(sink.mails.map(({ to, mail: { subject } }) => `${to}: ${subject}`).sort()).toEqual([
      'lead@example.org: [critical] acme: room entry is failing',
      'lead@example.org: [resolved] acme: room entry works again',
      'ops@example.org: [critical] acme: room entry is failing',
      'ops@example.org: [resolved] acme: room entry works again',
    ]);
    expect(rig.counted.filter((line) => line.startsWith('failed'))).toEqual([]);
  });

  it('a restart repeats nothing and loses nothing', async () => {
    const store = await storeOf();
    const peer = await peerWith(() => ({ status: 503 }));
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const first = rigOf(store, { receivers: [hook(peer)] }, clock);
    await first.alerting.consider('acme', scene.at(clock.nowMs()));
    await first.alerting.pump();
    await first.alerting.stop();
    expect(peer.requests.length).toBeGreaterThan(0);

    peer.answer = () => ({ status: 200 });
    peer.requests.length = 0;
    clock.set(startMs + 2 * MINUTE_MS);
    const second = start(store, { receivers: [hook(peer)] }, clock);
    await second.alerting.consider('acme', scene.at(clock.nowMs()));
    await waitFor('the message of before', () => peer.requests.length > 0);
    await waitFor('an empty outbox', async () => (await second.alerting.status()).outbox?.depth === 0);
    expect(statuses(peer)).toEqual(['firing']);
  });

  it('an episode that ended while its receiver was down arrives as one "fired and resolved"', async () => {
    const store = await storeOf();
    const sink = await startMailSink();
    closers.push(() => sink.stop());
    sink.replies.set('ops@example.org', { code: 451, text: 'try later' });
    const { scene, startMs, overMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const mail = {
      name: 'mail',
      type: 'email',
      host: '127.0.0.1',
      port: sink.port,
      tls: 'none',
      from: 'a@example.org',
    };
    const rig = start(store, { receivers: [{ ...mail, ...ENTRY, to: ['ops@example.org'] }] }, clock);
    for (const nowMs of [startMs + 20_000, overMs, overMs + 6 * MINUTE_MS]) {
      clock.set(nowMs);
      await rig.alerting.consider('acme', scene.at(nowMs));
      await waitFor('an attempt', () => rig.counted.length > 0);
    }
    expect(sink.mails).toEqual([]);
    // An attempt that is under way would find the server mended and say what was true when it began.
    await rig.alerting.idle();
    sink.replies.clear();
    clock.set(overMs + HOUR_MS);
    await waitFor('the mail', () => sink.mails.length > 0);
    await waitFor('an empty outbox', async () => (await rig.alerting.status()).outbox?.depth === 0);
    expect(sink.mails.map(({ mail: { subject } }) => subject)).toEqual([
      '[fired and resolved] acme: room entry works again',
    ]);
  });

  it('two daemons that decide at once say it once', async () => {
    const store = await storeOf();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const daemons = [1, 2, 3].map(() => start(store, { receivers: [hook(peer)] }, clock));
    await Promise.all(daemons.map(({ alerting }) => alerting.consider('acme', scene.at(startMs + 20_000))));
    await waitFor('the message', () => peer.requests.length > 0);
    await waitFor('an empty outbox', async () => (await store.ledger.backlog('acme')).depth === 0);
    expect(statuses(peer)).toEqual(['firing']);
  });

  it('a daemon that dies with a message in hand delays it by its lease, no more', async () => {
    const store = await storeOf();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    // It decides, takes the entry, and is gone before anything leaves: nothing that it does later arrives.
    const gone: Store['ledger'] = {
      load: (service) => store.ledger.load(service),
      commit: (request) => store.ledger.commit(request),
      claim: async (request) => {
        await store.ledger.claim({ ...request, leaseMs: LEASE_MS });
        return never();
      },
      settle: never,
      claimableAt: never,
      backlog: never,
    };
    const dead = rigOf({ ledger: gone, journal: store.journal }, { receivers: [hook(peer)] }, clock);
    await dead.alerting.consider('acme', scene.at(startMs + 20_000));
    const atMs = Date.now();
    start(store, { receivers: [hook(peer)] }, clock);
    await waitFor('the message', () => peer.requests.length > 0);
    // The entry was taken a moment before; the sweep and the group wait come on top.
    expect(Date.now() - atMs).toBeGreaterThan(LEASE_MS / 2);
    expect(Date.now() - atMs).toBeLessThan(LEASE_MS + 1_500);
    await waitFor('an empty outbox', async () => (await store.ledger.backlog('acme')).depth === 0);
    expect(statuses(peer)).toEqual(['firing']);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'a daemon that dies after %i calls to the store leaves an episode that is told all the same',
    async (calls) => {
      const store = await storeOf();
      const peer = await peerWith();
      const { scene, startMs, overMs } = outage();
      const clock = clockAt(startMs + 20_000);
      const timing = { leaseMs: 2 * LEASE_MS, sendTimeoutMs: 1.5 * LEASE_MS };
      const dying = rigOf(
        { ledger: deadAfter(store.ledger, calls), journal: store.journal },
        { receivers: [hook(peer)] },
        { ...clock, timing },
      );
      const dead = dying.alerting.consider('acme', scene.at(startMs + 20_000));
      await Promise.race([dead, sleep(100)]);
      await Promise.race([dying.alerting.idle(), sleep(100)]);

      const heir = start(store, { receivers: [hook(peer)] }, { ...clock, timing });
      await heir.alerting.consider('acme', scene.at(startMs + 40_000));
      await waitFor('the firing', () => statuses(peer).includes('firing'));
      await waitFor('an empty outbox', async () => (await store.ledger.backlog('acme')).depth === 0);
      for (const nowMs of [overMs, overMs + 6 * MINUTE_MS]) {
        clock.set(nowMs);
        await heir.alerting.consider('acme', scene.at(nowMs));
      }
      await waitFor('its end', () => statuses(peer).at(-1) === 'resolved');
      // At least once: only a death between sending and settling may say it twice.
      expect(statuses(peer).filter((status) => status === 'firing').length).toBeLessThanOrEqual(
        calls === 4 ? 2 : 1,
      );
    },
  );

  it('a refused message is counted and goes to the fallback, which is told in whose place', async () => {
    const store = await storeOf();
    const bad = await peerWith(() => ({ status: 404, body: 'no such hook' }));
    const good = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const rig = start(
      store,
      {
        receivers: [
          hook(bad, { fallback: 'other' }),
          hook(good, { name: 'other', minSeverity: 'critical', steps: ['claim'] }),
        ],
      },
      clock,
    );
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('the copy', () => good.requests.length > 0);
    await waitFor('an empty outbox', async () => (await store.ledger.backlog('acme')).depth === 0);
    expect(bad.requests).toHaveLength(1);
    expect(rig.counted).toEqual(['failed hook rejected', 'sent other']);
  });

  it('silences and acknowledgements are kept in the journal and hold for other daemons', async () => {
    const store = await storeOf();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs);
    const one = start(store, { receivers: [hook(peer)] }, clock);
    const until = new Date(startMs + 5 * MINUTE_MS).toISOString();
    const silenced = await one.alerting.desk.silence({ service: 'acme', until, reason: 'known' }, 'mei');
    expect(silenced).toMatchObject({ status: 'recorded' });

    const two = start(store, { receivers: [hook(peer)] }, clock);
    clock.set(startMs + MINUTE_MS);
    const decided = await two.alerting.consider('acme', scene.at(clock.nowMs()));
    expect(decided.decisions.find(({ step }) => step === 'entry-failing')).toMatchObject({
      verdict: 'fired',
      withheld: 'silenced',
    });
    clock.set(startMs + 5 * MINUTE_MS);
    await two.alerting.consider('acme', scene.at(clock.nowMs()));
    await waitFor('the message', () => peer.requests.length === 1);

    const key = two.alerting.standings().find(({ alert }) => alert.step === 'entry-failing')?.alert.key ?? '';
    expect(await two.alerting.desk.acknowledge(key, true, {}, 'mei')).toEqual({
      status: 'recorded',
      by: 'mei',
    });
    expect(await one.alerting.desk.acknowledge(key, true, {}, 'li')).toEqual({
      status: 'already',
      by: 'mei',
    });
    expect(await one.alerting.desk.acknowledge('acme:-:near:-:9', false, {}, 'li')).toEqual({
      status: 'unknown',
    });
  });
});

describe('alerting', () => {
  async function lmdb(): Promise<Store> {
    const { store, close } = await STORES.lmdb!();
    closers.push(close);
    return store;
  }

  it('a dead receiver delays nobody else', async () => {
    const store = await lmdb();
    const hanging = await peerWith(() => 'hang');
    const good = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const rig = start(
      store,
      { receivers: [hook(hanging, { name: 'dead' }), hook(good)] },
      { ...clock, timing: { sendTimeoutMs: 2_000, leaseMs: 10_000 } },
    );
    const atMs = Date.now();
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('the message', () => good.requests.length > 0);
    expect(Date.now() - atMs).toBeLessThan(1_500);
  });

  it('Retry-After is honoured, and until then nothing is sent to that receiver', async () => {
    const store = await lmdb();
    const peer = await peerWith(() => ({ status: 429, headers: { 'retry-after': '7' } }));
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const rig = start(store, { receivers: [hook(peer)] }, clock);
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('the refusal', () => rig.counted.length === 1);
    peer.answer = () => ({ status: 200 });
    clock.set(clock.nowMs() + 6_000);
    await rig.alerting.pump();
    await rig.alerting.idle();
    expect(peer.requests).toHaveLength(1);
    clock.set(clock.nowMs() + 1_100);
    await waitFor('the second attempt', () => peer.requests.length === 2);
    await waitFor('the count', () => rig.counted.length === 2);
    expect(rig.counted).toEqual(['failed hook rate-limited', 'sent hook']);
  });

  it('many services at once are one message', async () => {
    const store = await lmdb();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const names = Array.from({ length: 40 }, (_, i) => `site-${i}`);
    const rig = start(
      store,
      { receivers: [hook(peer)] },
      { ...clock, services: async () => names, timing: { groupWaitMs: 1_000 } },
    );
    const seen = scene.at(startMs + 20_000);
    await Promise.all(
      names.map((service) =>
        rig.alerting.consider(service, { ...seen, reading: { ...seen.reading, service } }),
      ),
    );
    await waitFor('the message', () => peer.requests.length > 0);
    await waitFor('an empty outbox', async () => (await rig.alerting.status()).outbox?.depth === 0);
    expect(peer.requests.map(({ body }) => JSON.parse(body).alerts.length)).toEqual([40]);
  });

  it('the outbound cap delays and never drops', async () => {
    const store = await lmdb();
    const peer = await peerWith(() => ({ status: 202 }));
    const scene = new Scene().lose(4_000, 9);
    const lostMs = scene.windowAt(4_009);
    const clock = clockAt(lostMs);
    const names = ['a', 'b', 'c', 'd', 'e'];
    const pager = {
      name: 'pager',
      type: 'pagerduty',
      url: peer.url,
      routingKey: 'k'.repeat(32),
      steps: ['breached'],
      messagesPerMinute: 2,
    };
    const rig = start(store, { receivers: [pager] }, { ...clock, services: async () => names });
    const depth = async () => (await rig.alerting.status()).outbox?.depth;
    for (const nowMs of [lostMs, lostMs + 20_000]) {
      clock.set(nowMs);
      const seen = scene.at(nowMs);
      for (const service of names) {
        await rig.alerting.consider(service, { ...seen, reading: { ...seen.reading, service } });
      }
    }
    await waitFor('the first two', async () => peer.requests.length === 2 && (await depth()) === 3);
    // The others have been put off by the clock of then.
    await rig.alerting.idle();
    clock.set(lostMs + 5 * MINUTE_MS);
    await waitFor('two more', async () => peer.requests.length === 4 && (await depth()) === 1);
    await rig.alerting.idle();
    clock.set(lostMs + 6 * MINUTE_MS);
    await waitFor('the last', async () => (await depth()) === 0);
    expect(peer.requests.map(({ body }) => JSON.parse(body).payload.source).sort()).toEqual(names);
  });

  it('an alert that its receiver chokes on does not hold up the others', async () => {
    const store = await lmdb();
    const peer = await peerWith(({ body }) => ({ status: body.includes('poison') ? 500 : 200 }));
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const names = ['poison', 'a', 'b', 'c'];
    const rig = start(
      store,
      { receivers: [hook(peer)] },
      { ...clock, services: async () => names, timing: { groupWaitMs: 200 } },
    );
    const seen = scene.at(startMs + 20_000);
    await Promise.all(
      names.map((service) =>
        rig.alerting.consider(service, { ...seen, reading: { ...seen.reading, service } }),
      ),
    );
    const arrived = () =>
      peer.requests
        .filter(({ body }) => !body.includes('poison'))
        .flatMap(({ body }) =>
          JSON.parse(body).alerts.map((alert: { labels: { service: string } }) => alert.labels.service),
        );
    await waitFor(
      'the others',
      async () => {
        await rig.alerting.idle();
        // Each backoff is over at once.
        clock.set(clock.nowMs() + 10 * MINUTE_MS);
        return arrived().length === 3;
      },
      { everyMs: 100 },
    );
    expect(arrived().sort()).toEqual(['a', 'b', 'c']);
    expect((await rig.alerting.status()).outbox?.depth).toBe(1);
  });

  it('what is sent past the store is not lost with an entry that cannot be settled', async () => {
    const store = await lmdb();
    const peer = await peerWith(() => ({ status: 202 }));
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    let isDown = false;
    const unless = <T>(act: () => Promise<T>) => (isDown ? Promise.reject(new Error('no answer')) : act());
    const ledger: Store['ledger'] = {
      load: (service) => store.ledger.load(service),
      claim: (request) => store.ledger.claim(request),
      settle: (request) => unless(() => store.ledger.settle(request)),
      claimableAt: (service, id) => store.ledger.claimableAt(service, id),
      backlog: (service) => store.ledger.backlog(service),
      commit: (request) => unless(() => store.ledger.commit(request)),
    };
    const rig = start(
      { ledger, journal: store.journal },
      {
        receivers: [
          { name: 'pager', type: 'pagerduty', url: peer.url, routingKey: 'k'.repeat(32), ...ENTRY },
        ],
      },
      { ...clock, services: async () => ['acme', 'other'], timing: { groupWaitMs: 500, directAfterMs: 10 } },
    );
    const seen = scene.at(startMs + 20_000);
    await rig.alerting.consider('acme', seen);
    // The first one is in its lane now; before it leaves the store fails, and the second one joins it.
    isDown = true;
    const reading = { ...seen.reading, service: 'other' };
    await expect(rig.alerting.consider('other', { ...seen, reading })).rejects.toThrow('no answer');
    const services = () => peer.requests.map(({ body }) => JSON.parse(body).payload.source);
    await waitFor('both', () => services().includes('acme') && services().includes('other'));
  });

  it('what the store does not take back is carried until it is sent, and not sent again when it is back', async () => {
    const store = await lmdb();
    let isAway = false;
    const peer = await peerWith(() => {
      // The store goes while the message is on its way.
      const status = isAway ? 200 : 503;
      isAway = true;
      return { status };
    });
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const unless = <T>(act: () => Promise<T>) => (isAway ? Promise.reject(new Error('no answer')) : act());
    const ledger: Store['ledger'] = {
      load: (service) => unless(() => store.ledger.load(service)),
      claim: (request) => unless(() => store.ledger.claim(request)),
      settle: (request) => unless(() => store.ledger.settle(request)),
      claimableAt: (service, id) => unless(() => store.ledger.claimableAt(service, id)),
      backlog: (service) => unless(() => store.ledger.backlog(service)),
      commit: (request) => unless(() => store.ledger.commit(request)),
    };
    const rig = start({ ledger, journal: store.journal }, { receivers: [hook(peer)] }, clock);
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('the second try', () => peer.requests.length === 2);
    await rig.alerting.idle();
    isAway = false;
    // Past its lease the entry can be claimed again.
    clock.set(clock.nowMs() + MINUTE_MS);
    await waitFor('an empty outbox', async () => (await store.ledger.backlog('acme')).depth === 0);
    await rig.alerting.idle();
    expect(statuses(peer)).toEqual(['firing', 'firing']);
    expect(rig.counted).toEqual(['failed hook unavailable', 'sent hook']);
  });

  it('a refused message goes to its fallback though the store does not take the copy', async () => {
    const store = await lmdb();
    let isAway = false;
    const bad = await peerWith(() => {
      isAway = true;
      return { status: 404 };
    });
    const good = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const ledger: Store['ledger'] = {
      load: (service) => store.ledger.load(service),
      claim: (request) => store.ledger.claim(request),
      settle: (request) => store.ledger.settle(request),
      claimableAt: (service, id) => store.ledger.claimableAt(service, id),
      backlog: (service) => store.ledger.backlog(service),
      commit: (request) => (isAway ? Promise.reject(new Error('no answer')) : store.ledger.commit(request)),
    };
    const rig = start(
      { ledger, journal: store.journal },
      { receivers: [hook(bad, { fallback: 'other' }), hook(good, { name: 'other', steps: ['claim'] })] },
      clock,
    );
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('the copy', () => good.requests.length > 0);
  });

  it('what the store does not take is sent past it, and not again when it is back', async () => {
    const store = await lmdb();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    let isDown = true;
    const ledger: Store['ledger'] = {
      load: (service) => store.ledger.load(service),
      claim: (request) => store.ledger.claim(request),
      settle: (request) => store.ledger.settle(request),
      claimableAt: (service, id) => store.ledger.claimableAt(service, id),
      backlog: (service) => store.ledger.backlog(service),
      commit: (request) => (isDown ? Promise.reject(new Error('no answer')) : store.ledger.commit(request)),
    };
    const rig = start(
      { ledger, journal: store.journal },
      { receivers: [hook(peer)] },
      { ...clock, timing: { directAfterMs: 200 } },
    );
    await expect(rig.alerting.consider('acme', scene.at(startMs + 20_000))).rejects.toThrow('no answer');
    await waitFor('the message', () => peer.requests.length === 1);
    isDown = false;
    clock.set(startMs + 40_000);
    await rig.alerting.consider('acme', scene.at(startMs + 40_000));
    await rig.alerting.pump();
    await rig.alerting.idle();
    expect(statuses(peer)).toEqual(['firing']);
    expect(await store.ledger.backlog('acme')).toMatchObject({ depth: 0 });
  });

  it('a store that stays away is itself said, once, and its return too', async () => {
    const store = await lmdb();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs - HOUR_MS);
    const rig = start(store, { receivers: [hook(peer, { steps: null })] }, clock);
    for (const minutes of [0, 2, 3, 4]) {
      clock.set(startMs - HOUR_MS + minutes * MINUTE_MS);
      rig.alerting.evaluationFailed();
      await rig.alerting.idle();
    }
    await rig.alerting.consider('acme', scene.at(startMs - HOUR_MS + 5 * MINUTE_MS));
    await rig.alerting.idle();
    const [down, back] = peer.requests.map(({ body }) => JSON.parse(body));
    expect(peer.requests).toHaveLength(2);
    expect(down.alerts[0].annotations.summary).toBe('*: the store does not answer');
    expect([down.status, back.status]).toEqual(['firing', 'resolved']);
  });

  it('a dry run decides and logs, and tells nobody', async () => {
    const store = await lmdb();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const rig = start(store, { receivers: [hook(peer)] }, { ...clock, dryRun: true });
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await rig.alerting.consider('acme', scene.at(startMs + 40_000));
    await rig.alerting.pump();
    await rig.alerting.idle();
    expect(peer.requests).toEqual([]);
    expect(rig.lines.filter((line) => line.includes('an alert is said'))).toHaveLength(1);
    expect(await store.ledger.load('acme')).toEqual({ version: 0, state: null });
  });

  it('an entry for a receiver that only another daemon knows is kept for it', async () => {
    const store = await lmdb();
    const peer = await peerWith();
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const newer = rigOf(store, { receivers: [hook(peer, { name: 'added' })] }, clock);
    await newer.alerting.consider('acme', scene.at(startMs + 20_000));
    await newer.alerting.stop();
    peer.requests.length = 0;
    const { depth } = await store.ledger.backlog('acme');
    const older = start(store, { receivers: [hook(peer)] }, clock);
    await older.alerting.pump();
    await older.alerting.idle();
    expect((await store.ledger.backlog('acme')).depth).toBe(depth);
  });

  it('status tells what fires and how old the oldest message is', async () => {
    const store = await lmdb();
    const peer = await peerWith(() => ({ status: 503 }));
    const { scene, startMs } = outage();
    const clock = clockAt(startMs + 20_000);
    const rig = start(store, { receivers: [hook(peer)] }, clock);
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    clock.set(startMs + 20_000 + WINDOW_MS);
    const status = await rig.alerting.status();
    expect(status.firing).toContainEqual({ service: 'acme', step: 'entry-failing', severity: 'critical' });
    expect(status.outbox?.depth).toBe(1);
    expect(status.outbox?.oldestAgeMs).toBeGreaterThan(WINDOW_MS - 1_000);
  });
});
