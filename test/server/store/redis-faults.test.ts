import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { CONNECTION_BOUNDS } from '../../../server/store/redis/connection.ts';
import type { RedisStoreOptions } from '../../../server/store/redis/options.ts';
import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import {
  type ApplyResult,
  type ServiceDelta,
  type Store,
  StoreUnavailable,
} from '../../../server/store/store.ts';
import { attemptsIn, attemptsOf, deltaOf, move, NOW_MINUTE, NOW_MS } from '../../contract/deltas.ts';
import { startCutProxy } from '../../support/cut-proxy.ts';
import { freePort } from '../../support/free-port.ts';
import { seededRandom } from '../../support/random.ts';
import { type RedisOptions, startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function redisServer(options: RedisOptions = { aof: true }) {
  const redis = await startRedis(options);
  undo.push(() => redis.stop());
  return redis;
}

async function proxyTo(targetPort: number) {
  const proxy = await startCutProxy({ targetPort });
  undo.push(() => proxy.stop());
  return Object.assign(proxy, { url: `redis://127.0.0.1:${proxy.port}` });
}

async function storeAt(url: string, options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const store = await openRedisStore({ url, commandTimeoutMs: 500, ...options });
  undo.push(() => store.close());
  return store;
}

/** Calls again while the store cannot say what became of the call, as the daemon does. */
async function applyUntilKnown(store: Store, delta: ServiceDelta): Promise<ApplyResult> {
  return waitFor('the store to answer', () => store.facts.apply(delta, NOW_MS), { withinMs: 20_000 });
}

describe('Redis behind a network that loses replies', () => {
  it('counts every batch once although ioredis sends unanswered calls again', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    let repeats = 0;
    for (let seq = 0; seq < 300; seq += 1) {
      if (seq % 10 === 0) proxy.dropReplies(1);
      const delta = deltaOf('acme', [move('p', seq)], attemptsIn(NOW_MINUTE, 1));
      const result = await applyUntilKnown(store, delta);
      if (result.status === 'moved') {
        repeats += 1;
        expect(result.cursors.get('p')?.seq).toBe(seq + 1);
      }
    }
    expect(proxy.dropped).toBe(30);
    // A lost reply means a repeat; had none been suppressed, this test would have proven nothing.
    expect(repeats).toBeGreaterThan(20);
    expect(await attemptsOf(store, 'acme', NOW_MINUTE)).toBe(300);
  });

  it('counts once each of many services whose replies were cut in one pipeline', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    const random = seededRandom(7);
    const services = Array.from({ length: 200 }, (_, i) => `service-${i}`);
    for (let seq = 0; seq < 10; seq += 1) {
      if (random.integer(0, 1) === 0) proxy.dropReplies(1);
      else void sleep(random.integer(0, 10)).then(() => proxy.cut());
      const deltas = services.map((service) => deltaOf(service, [move('p', seq)], attemptsIn(NOW_MINUTE, 1)));
      await Promise.all(deltas.map((delta) => applyUntilKnown(store, delta)));
    }
    for (const service of services) {
      const attempts = await waitFor(service, () => attemptsOf(store, service, NOW_MINUTE));
      expect(attempts).toBe(10);
    }
  });

  it('appends a journal entry once although the client sends it again', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    for (let i = 0; i < 20; i += 1) {
      proxy.dropReplies(1);
      expect(await store.journal.append('exclusions', { i })).toBe(i + 1);
    }
    expect((await store.journal.read('exclusions')).revision).toBe(20);
    expect(proxy.dropped).toBe(20);
  });

  it('commits a decision once: sent again it finds its own version, and its message waits once', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    for (let version = 0; version < 10; version += 1) {
      const entry = {
        id: `e${version}`,
        service: 'acme',
        receiver: 'ops',
        body: version,
        createdAtMs: NOW_MS,
      };
      proxy.dropReplies(1);
      const request = { service: 'acme', expectedVersion: version, state: version, entries: [entry] };
      expect(await store.ledger.commit(request)).toBe(false);
      expect(await store.ledger.load('acme')).toEqual({ version: version + 1, state: version });
    }
    expect((await store.ledger.backlog('acme')).depth).toBe(10);
  });
});

describe('Redis that cannot be reached', () => {
  const everyCall = (store: Store): (() => Promise<unknown>)[] => [
    () => store.facts.apply(deltaOf('acme', [move('p', 0)]), NOW_MS),
    () => store.facts.openEpoch({ producerId: 'p', services: ['acme'], nowMs: NOW_MS }),
    () => store.facts.services(),
    () => store.facts.readMinutes('acme', NOW_MINUTE, NOW_MINUTE + 5),
    () => store.facts.revisions('acme'),
    () => store.facts.origins('acme', NOW_MINUTE, NOW_MINUTE + 5),
    () => store.journal.append('t', 1),
    () => store.journal.read('t'),
    () => store.ledger.load('acme'),
    () => store.ledger.commit({ service: 'acme', expectedVersion: 0, state: 1, entries: [] }),
    () => store.ledger.claim({ service: 'acme', nowMs: NOW_MS, leaseMs: 1, limit: 1 }),
    () => store.ledger.settle({ service: 'acme', id: 'x', token: 1, settlement: { status: 'done' } }),
    () => store.ledger.backlog('acme'),
    () => store.storeId(),
    () => store.ping(),
  ];
  const expectUnavailable = async (store: Store, withinMs: number) => {
    const startedAtMs = performance.now();
    const results = await Promise.allSettled(everyCall(store).map((call) => call()));
    for (const result of results) {
      expect(result.status).toBe('rejected');
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(StoreUnavailable);
    }
    expect(performance.now() - startedAtMs).toBeLessThan(withinMs);
  };

  it('rejects every call at once while it is stopped, and serves again by itself', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url);
    let restored = 0;
    store.onRestored(() => {
      restored += 1;
    });
    await store.ping();
    await redis.kill9();
    await waitFor('the loss to be noticed', () =>
      store.ping().then(
        () => false,
        () => true,
      ),
    );
    await expectUnavailable(store, 400);
    expect(restored).toBe(0);
    await redis.restart();
    await waitFor('the store to be back', () => store.ping().then(() => true));
    expect(restored).toBe(1);
  });

  it('rejects every call within its time-out while it is frozen, and serves again by itself', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url);
    let restored = 0;
    store.onRestored(() => {
      restored += 1;
    });
    redis.freeze();
    await expectUnavailable(store, 1_500);
    redis.thaw();
    await waitFor('the store to be back', () => store.ping().then(() => true));
    expect(restored).toBeGreaterThanOrEqual(1);
  });

  it('leaves a connection that went silent and makes a new one', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    await store.ping();
    proxy.swallow(true);
    await expectUnavailable(store, 1_500);
    // The old connection stays dead for good; only a new one can answer.
    const cutWhenRenewed = proxy.connections;
    await waitFor('a new connection', () => proxy.connections > cutWhenRenewed);
    proxy.swallow(false);
    await waitFor('the store to be back', () => store.ping().then(() => true));
  });

  it('does not open, and says what to do', async () => {
    const url = `redis://:hunter2@127.0.0.1:${await freePort()}`;
    const opening = openRedisStore({ url, connectTimeoutMs: 1_000 });
    await expect(opening).rejects.toThrow(/ECONNREFUSED.*start it, or correct the store's url/);
    await expect(opening).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(opening).rejects.not.toThrow(/hunter2/);
  });

  it('does not open with a wrong password, and keeps the password out of the error', async () => {
    const redis = await redisServer({ config: { requirepass: 'correct-horse' } });
    const opening = openRedisStore({ url: `redis://:hunter2@127.0.0.1:${redis.port}` });
    const error = await opening.then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('correct the user and password'),
    });
    const { inspect } = await import('node:util');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hunter2|correct-horse/);
    await storeAt(`redis://:correct-horse@127.0.0.1:${redis.port}`);
  });

  it('refuses calls beyond its bound at once, and takes them again when those before are done', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url, { commandTimeoutMs: 20_000 });
    redis.freeze();
    const waiting = Array.from({ length: CONNECTION_BOUNDS.callsInFlight }, () => store.facts.services());
    await expect(store.facts.services()).rejects.toThrow(/20000 calls unanswered/);
    redis.thaw();
    await Promise.all(waiting);
    await store.ping();
  });

  it('rejects calls after it was closed', async () => {
    const redis = await redisServer();
    const store = await openRedisStore({ url: redis.url });
    await store.close();
    await expectUnavailable(store, 400);
  });
});

describe('Redis that comes back otherwise than it went', () => {
  it('keeps every acknowledged batch, once, through kill -9', async () => {
    const redis = await redisServer({ aof: 'always' });
    const store = await storeAt(redis.url, { durability: 'fsync' });
    const random = seededRandom(11);
    const services = ['a', 'b', 'c', 'd'];
    let isOver = false;
    const writing = services.map(async (service) => {
      let seq = 0;
      for (; !isOver; seq += 1) {
        const delta = deltaOf(service, [move('p', seq)], attemptsIn(NOW_MINUTE + (seq % 5), 1));
        const result = await applyUntilKnown(store, delta);
        // Behind `seq` an acknowledged batch would be lost, beyond it one would be counted that was never sent.
        if (result.status === 'moved') expect(result.cursors.get('p')?.seq).toBe(seq + 1);
      }
      return seq;
    });
    for (let kill = 0; kill < 6; kill += 1) {
      await sleep(random.integer(5, 40));
      await redis.kill9();
      await redis.restart();
      await waitFor('the store to be back', () => store.ping().then(() => true));
    }
    isOver = true;
    const written = await Promise.all(writing);
    for (const [i, service] of services.entries()) {
      const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
      expect(facts.tallies.reduce((sum, n) => sum + n, 0)).toBe(written[i]);
    }
    expect(Math.min(...written)).toBeGreaterThan(20);
  });

  it('has another id when its books were wiped, and the same when they were not', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url);
    const id = await store.storeId();
    await store.facts.apply(deltaOf('acme', [move('p', 0)]), NOW_MS);
    await redis.restart();
    expect(await waitFor('the same id', () => store.storeId())).toBe(id);
    await redis.restartEmpty();
    expect(await waitFor('another id', () => store.storeId())).not.toBe(id);
    const moved = await store.facts.apply(deltaOf('acme', [move('p', 1)]), NOW_MS);
    expect(moved).toEqual({ status: 'moved', cursors: new Map([['p', { seq: 0, digest: '' }]]) });
  });

  it('is asked again in full when it forgot the scripts', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url);
    const other = await storeAt(redis.url);
    await redis.command('SCRIPT', 'FLUSH');
    const services = ['a', 'b', 'c'];
    for (const seq of [0, 1]) {
      const results = await Promise.all(
        services.map((service) =>
          store.facts.apply(deltaOf(service, [move('p', seq)], attemptsIn(NOW_MINUTE, 1)), NOW_MS),
        ),
      );
      expect(results.map((result) => result.status)).toEqual(['applied', 'applied', 'applied']);
    }
    expect(await attemptsOf(other, 'a', NOW_MINUTE)).toBe(2);
  });

  it('that is full refuses a batch whole, and takes it when there is room again', async () => {
    const redis = await redisServer();
    const store = await storeAt(redis.url);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const delta = deltaOf('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 3));
    await expect(store.facts.apply(delta, NOW_MS)).rejects.toThrow(/raise maxmemory/);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await store.facts.apply(delta, NOW_MS)).toEqual({ status: 'applied', saturated: 0 });
    expect(await attemptsOf(store, 'acme', NOW_MINUTE)).toBe(3);
  });

  it('that became a replica refuses, and the store connects anew to look for the master', async () => {
    const redis = await redisServer();
    const proxy = await proxyTo(redis.port);
    const store = await storeAt(proxy.url);
    await store.ping();
    await redis.command('REPLICAOF', '127.0.0.1', String(await freePort()));
    const { connections } = proxy;
    await expect(store.ping()).rejects.toThrow(/replica/);
    await waitFor('a new connection', () => proxy.connections > connections);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await waitFor('the store to be back', () => store.ping().then(() => true));
  });
});
