import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../server/store/redis/redis-store.ts';
import type { Store } from '../../server/store/store.ts';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { ModelAgent, owed } from '../support/model-agent.ts';
import { seededRandom } from '../support/random.ts';
import { cell, minuteNow, RawAgent } from '../support/raw-agent.ts';
import { type RunningRedis, startRedis } from '../support/redis.ts';
import { unsteady, type Weather } from '../support/unsteady-facts.ts';
import { waitFor } from '../support/wait-for.ts';

const start = edgesOfThisFile();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redis(options: Parameters<typeof startRedis>[0] = {}): Promise<RunningRedis> {
  const server = await startRedis(options);
  ends.push(() => server.stop());
  return server;
}

async function storeIn(server: RunningRedis): Promise<Store> {
  const store = await openRedisStore({ url: server.url, commandTimeoutMs: 1_000 });
  ends.push(() => store.close());
  return store;
}

describe('an answer of the store that was lost', () => {
  it('counts once, in the books and in what the daemon says it counted', async () => {
    const weathers: Weather[] = ['fair', 'answer-lost', 'fair', 'answer-lost'];
    const edge = await start({ facts: (facts) => unsteady(facts, () => weathers.shift() ?? 'fair') });
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 10; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(10);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(10);
    expect(edge.counted.tallies['acme ap-guangzhou web-v5']?.[0]).toBe(10);
    expect(edge.counted.batches).toEqual({ applied: 10 });
    expect(edge.counted.applyFailed.unavailable).toBeGreaterThanOrEqual(1);
  });
});

describe('a store that cannot be reached', () => {
  it('delays acknowledgements and nothing else: what agents sent is counted when it is back', async () => {
    let weather: Weather = 'fair';
    const edge = await start({ facts: (facts) => unsteady(facts, () => weather) });
    const { agent } = await RawAgent.greet(edge.port);
    weather = 'call-lost';
    for (let seq = 1; seq <= 64; seq += 1) agent.send(agent.batch(seq));
    await waitFor('three attempts', () => (edge.counted.applyFailed.unavailable ?? 0) >= 3);
    agent.send({ type: 'ping', t0: 1 });
    expect(agent.frames.filter((frame) => frame.type === 'ack')).toEqual([]);
    weather = 'fair';
    await agent.acknowledged(64);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(64);
  });

  it('turns a hello away with a retry and 1013', async () => {
    const edge = await start({ facts: (facts) => unsteady(facts, () => 'call-lost') });
    const agent = await RawAgent.connect(edge.port);
    agent.send(agent.hello());
    expect(await agent.next('nack')).toMatchObject({ kind: 'retry', afterMs: expect.any(Number) });
    expect((await agent.closed).code).toBe(1013);
    expect(edge.counted.refused).toEqual({ 'store-unavailable': 1 });
  });
});

describe('a Redis that was killed', () => {
  it('and kept its files goes on where it was', async () => {
    const server = await redis({ aof: 'always' });
    const edge = await start({ store: await storeIn(server) });
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 5; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(5);
    await server.kill9();
    for (let seq = 6; seq <= 9; seq += 1) agent.send(agent.batch(seq));
    await waitFor('a failed attempt', () => (edge.counted.applyFailed.unavailable ?? 0) >= 1);
    await server.restart();
    await agent.acknowledged(9, 20_000);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(9);
    expect(agent.frames.filter((frame) => frame.type === 'nack')).toEqual([]);
  });

  it('and came back empty gets everything again, even from an agent that has nothing new to send', async () => {
    const server = await redis();
    const edge = await start({ store: await storeIn(server) });
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 5; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(5);
    await server.restartEmpty();
    // The daemon notices that the store is back by its next call, which here is none of the agent's.
    await waitFor('the store', () => edge.store.ping().then(() => true));
    expect(await agent.next('nack', 20_000)).toEqual({ type: 'nack', kind: 'rewind', from: 1 });
    for (let seq = 1; seq <= 6; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(6);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(6);
  });

  it('and lost what followed its last snapshot gets exactly that again', async () => {
    const server = await redis();
    const edge = await start({ store: await storeIn(server) });
    const { agent } = await RawAgent.greet(edge.port, { services: ['acme', 'globex'] });
    const both = { cells: [cell(), cell({ service: 'globex' })], alive: ['acme', 'globex'] };
    for (let seq = 1; seq <= 3; seq += 1) agent.send(agent.batch(seq, both));
    await agent.acknowledged(3);
    await save(server);
    for (let seq = 4; seq <= 8; seq += 1) agent.send(agent.batch(seq, both));
    await agent.acknowledged(8);
    await server.kill9();
    await server.restart();
    await waitFor('the store', () => edge.store.ping().then(() => true));
    // The second service's cursor may be found only after the first one's rewind was answered: it asks anew.
    for (let applied = 0; applied < 9; ) {
      const answer = await agent.next(['nack', 'ack'], 20_000);
      if (answer.type === 'ack') {
        applied = answer.applied;
        continue;
      }
      expect(answer).toEqual({ type: 'nack', kind: 'rewind', from: 4 });
      for (let seq = 4; seq <= 9; seq += 1) agent.send(agent.batch(seq, both));
    }
    for (const service of ['acme', 'globex']) expect((await booksOf(edge, service)).tallies[0]).toBe(9);
  });
});

describe('two daemons on one Redis', () => {
  it('an agent that moves from one to the other is fenced at the first, and all counts once', async () => {
    const server = await redis();
    const one = await start({ store: await storeIn(server) });
    const two = await start({ store: await storeIn(server) });
    const { agent: first } = await RawAgent.greet(one.port);
    first.send(first.batch(1));
    await first.acknowledged(1);
    const { agent: second, welcome } = await RawAgent.greet(two.port, { producerId: first.producerId });
    expect(welcome.applied).toBe(1);
    second.send(second.batch(2));
    await second.acknowledged(2);
    // The first daemon does not know of the second; the store does.
    first.send(first.batch(2));
    expect(await first.next('nack')).toEqual({ type: 'nack', kind: 'fenced' });
    expect((await first.closed).code).toBe(4409);
    expect((await booksOf(two, 'acme')).tallies[0]).toBe(2);
  });

  it('a fenced producer takes nobody with it who waited for the same store call', async () => {
    const server = await redis();
    const one = await start({ store: await storeIn(server) });
    const two = await start({ store: await storeIn(server) });
    const { agent: moved } = await RawAgent.greet(one.port);
    const { agent: stays } = await RawAgent.greet(one.port);
    const { agent: elsewhere } = await RawAgent.greet(two.port, { producerId: moved.producerId });
    for (let seq = 1; seq <= 30; seq += 1) {
      moved.send(moved.batch(seq));
      stays.send(stays.batch(seq));
    }
    await stays.acknowledged(30);
    expect((await moved.closed).code).toBe(4409);
    elsewhere.send(elsewhere.batch(1));
    await elsewhere.acknowledged(1);
    expect((await booksOf(one, 'acme')).tallies[0]).toBe(31);
  });
});

async function save(server: RunningRedis): Promise<void> {
  const client = new Redis(server.url);
  await client.save();
  client.disconnect();
}

describe('whatever happens between agents and books', () => {
  const seed = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);

  it(`every batch counts exactly once: lost calls, lost answers, reconnects, repeats, gaps (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const kinds: Weather[] = ['call-lost', 'answer-lost', 'slow', 'slow'];
    let isFair = false;
    const edge = await start({
      facts: (facts) => unsteady(facts, () => (isFair || random.next() < 0.6 ? 'fair' : random.pick(kinds))),
    });
    const minute = minuteNow();
    const agents = Array.from(
      { length: 6 },
      () => new ModelAgent([edge.ingest], ['acme', 'globex', 'initech'], random),
    );
    const trouble = async () => {
      for (const agent of agents) {
        if (random.next() < 0.7) agent.seal(minute);
        if (!agent.isConnected || random.next() < 0.03) void agent.hello();
        agent.send(random.integer(0, 6));
      }
      await new Promise((resolve) => setImmediate(resolve));
      return agents.every((agent) => agent.highestApplied >= 100);
    };
    await waitFor('a hundred batches of each agent', trouble, { withinMs: 20_000, everyMs: 1 });
    isFair = true;
    await waitFor('every batch', () => {
      for (const agent of agents) {
        if (!agent.isConnected) void agent.hello();
        agent.send(64);
      }
      return agents.every((agent) => agent.isSettled);
    });
    for (const service of ['acme', 'globex', 'initech']) {
      expect((await booksOf(edge, service)).tallies).toEqual(owed(agents, service));
    }
    expect(edge.counted.applyFailed.unavailable).toBeGreaterThan(0);
    // Nothing that the store would call a bug of ours.
    expect(edge.counted.applyFailed.fault).toBeUndefined();
  }, 60_000);

  it(`every batch counts exactly once on a Redis that goes back to its snapshots (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const server = await redis();
    const edge = await start({ store: await storeIn(server) });
    const minute = minuteNow();
    const agents = Array.from({ length: 6 }, () => new ModelAgent([edge.ingest], ['acme', 'globex'], random));
    const keepBusy = () => {
      for (const agent of agents) {
        if (agent.sealed.length < 3_000) agent.seal(minute);
        if (!agent.isConnected || random.next() < 0.002) void agent.hello();
        agent.send(random.integer(0, 6));
      }
    };
    const busy = setInterval(keepBusy, 1);
    ends.push(async () => clearInterval(busy));
    for (let round = 0; round < 3; round += 1) {
      const before = agents.map((agent) => agent.highestApplied);
      await save(server);
      await waitFor(
        'progress',
        () => agents.every((agent, i) => agent.highestApplied > (before[i] ?? 0) + 20),
        {
          withinMs: 20_000,
        },
      );
      await server.kill9();
      await server.restart();
    }
    clearInterval(busy);
    await waitFor(
      'every batch',
      () => {
        for (const agent of agents) {
          if (!agent.isConnected) void agent.hello();
          agent.send(64);
        }
        return agents.every((agent) => agent.isSettled);
      },
      { withinMs: 20_000 },
    );
    // Settled by what it had been told; one more round trip through every lane settles it in truth.
    edge.ingest.recheck();
    for (const agent of agents) agent.seal(minute);
    await waitFor('the last ones', () => {
      for (const agent of agents) agent.send(64);
      return agents.every((agent) => agent.isSettled);
    });
    for (const service of ['acme', 'globex']) {
      expect((await booksOf(edge, service)).tallies).toEqual(owed(agents, service));
    }
    expect(agents.reduce((sum, agent) => sum + agent.rewinds, 0)).toBeGreaterThan(0);
  }, 90_000);

  it(`every batch counts exactly once while agents move between two daemons (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const server = await redis();
    let isFair = false;
    const weathers: Weather[] = ['answer-lost', 'call-lost', 'slow', 'slow'];
    const facts = (store: Store['facts']) =>
      unsteady(store, () => (isFair || random.next() < 0.9 ? 'fair' : random.pick(weathers)));
    const edges = [
      await start({ store: await storeIn(server), facts }),
      await start({ store: await storeIn(server), facts }),
    ];
    const minute = minuteNow();
    const daemons = edges.map((edge) => edge.ingest);
    const agents = Array.from({ length: 8 }, () => new ModelAgent(daemons, ['acme', 'globex'], random));
    const trouble = async () => {
      for (const agent of agents) {
        if (agent.sealed.length < 2_000) agent.seal(minute);
        if (!agent.isConnected || random.next() < 0.02) void agent.hello();
        agent.send(random.integer(0, 6));
      }
      await new Promise((resolve) => setImmediate(resolve));
      return agents.every((agent) => agent.highestApplied >= 200);
    };
    await waitFor('two hundred batches of each agent', trouble, { withinMs: 30_000, everyMs: 1 });
    isFair = true;
    await waitFor(
      'every batch',
      () => {
        for (const agent of agents) {
          if (!agent.isConnected) void agent.hello();
          agent.send(64);
        }
        return agents.every((agent) => agent.isSettled);
      },
      { withinMs: 30_000 },
    );
    for (const service of ['acme', 'globex']) {
      for (const edge of edges) expect((await booksOf(edge, service)).tallies).toEqual(owed(agents, service));
    }
    for (const edge of edges) expect(edge.counted.applyFailed.fault).toBeUndefined();
    expect(edges.some((edge) => (edge.counted.applyFailed.fenced ?? 0) > 0)).toBe(true);
  }, 90_000);
});
