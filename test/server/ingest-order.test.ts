import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { cell, failedCell, minuteNow, RawAgent } from '../support/raw-agent.ts';
import { unsteady, type Weather } from '../support/unsteady-facts.ts';
import { waitFor } from '../support/wait-for.ts';

const start = edgesOfThisFile();

describe('a batch that was sent before', () => {
  it('is acknowledged again and not counted again', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1));
    agent.send(agent.batch(2));
    await agent.acknowledged(2);
    agent.send(agent.batch(1));
    expect((await agent.next('ack')).applied).toBe(2);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(2);
    expect(edge.counted.batches).toEqual({ applied: 2, duplicate: 1 });
  });

  it('with another digest is a conflict: said by name, closed with 4410, and nothing is counted', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
    agent.send(agent.batch(1, { digest: 'f'.repeat(16), cells: [cell({ n: 100 })] }));
    expect(await agent.next('nack')).toEqual({ type: 'nack', kind: 'conflict', seq: 1 });
    expect((await agent.closed).code).toBe(4410);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(1);
    expect(edge.counted.refused).toEqual({ conflict: 1 });
  });

  it('with another digest is told so only when all before it is in the books', async () => {
    let weather: Weather = 'fair';
    const edge = await start({ facts: (facts) => unsteady(facts, () => weather) });
    const { agent } = await RawAgent.greet(edge.port);
    weather = 'call-lost';
    for (let seq = 1; seq <= 5; seq += 1) agent.send(agent.batch(seq));
    agent.send(agent.batch(4, { digest: 'f'.repeat(16) }));
    await waitFor('two attempts', () => (edge.counted.applyFailed.unavailable ?? 0) >= 2);
    expect(agent.frames.filter((frame) => frame.type === 'nack')).toEqual([]);
    weather = 'fair';
    expect(await agent.next('nack')).toEqual({ type: 'nack', kind: 'conflict', seq: 4 });
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(5);
  });

  it('with another digest is a conflict after a reconnect too, when it is the last one the books hold', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
    await agent.end();
    const { agent: again, welcome } = await RawAgent.greet(edge.port, { producerId: agent.producerId });
    expect(welcome).toMatchObject({ applied: 1, appliedDigest: agent.batch(1).digest });
    again.send(again.batch(1, { digest: 'f'.repeat(16) }));
    expect(await again.next('nack')).toEqual({ type: 'nack', kind: 'conflict', seq: 1 });
  });
});

describe('a gap', () => {
  it('is answered with one rewind, however much follows it, and what is sent again counts once', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1));
    for (let seq = 3; seq <= 12; seq += 1) agent.send(agent.batch(seq));
    expect(await agent.next('nack')).toEqual({ type: 'nack', kind: 'rewind', from: 2 });
    for (let seq = 2; seq <= 12; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(12);
    expect(agent.frames.filter((frame) => frame.type === 'nack')).toEqual([]);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(12);
    expect(edge.counted.batches).toEqual({ applied: 12, rewound: 10 });
  });
});

describe('a skip', () => {
  it('stands for its range in every service of the agent, and its loss is counted by its reason', async () => {
    const edge = await start();
    const services = ['acme', 'globex'];
    const { agent } = await RawAgent.greet(edge.port, { services });
    agent.send(agent.batch(1));
    agent.send(agent.skip(2, 40, { reason: 'disk-full', outcomes: 17 }));
    agent.send(agent.batch(41));
    await agent.acknowledged(41);
    expect(edge.counted.lost).toEqual({ 'disk-full': 17 });
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(2);
    await agent.end();
    const opened = await edge.store.facts.openEpoch({ producerId: agent.producerId, services, nowMs: 0 });
    expect([...opened.cursors]).toEqual([
      ['acme', { seq: 41, digest: agent.batch(41).digest }],
      ['globex', { seq: 40, digest: '' }],
    ]);
  });

  it('sent again loses nothing twice', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.skip(1, 5, { outcomes: 9 }));
    await agent.acknowledged(5);
    agent.send(agent.skip(1, 5, { outcomes: 9 }));
    expect((await agent.next('ack')).applied).toBe(5);
    expect(edge.counted.lost).toEqual({ damaged: 9 });
  });

  it('after a gap is answered with a rewind', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.skip(3, 5));
    expect(await agent.next('nack')).toEqual({ type: 'nack', kind: 'rewind', from: 1 });
  });

  it('makes no label of an arbitrary reason', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.skip(1, 1, { reason: 'Ünexpected "reason"', outcomes: 1 }));
    for (let seq = 2; seq <= 41; seq += 1)
      agent.send(agent.skip(seq, seq, { reason: `r${seq}`, outcomes: 1 }));
    await agent.acknowledged(41);
    expect(Object.keys(edge.counted.lost)).toHaveLength(33);
    expect(edge.counted.lost.other).toBe(1 + 40 - 32);
  });
});

describe('losses that a batch declares', () => {
  it('are counted by reason once it is applied', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1, { lost: { 'disk-full': 4, 'intake-full': 0 } }));
    await agent.acknowledged(1);
    agent.send(agent.batch(1, { lost: { 'disk-full': 4, 'intake-full': 0 } }));
    await agent.next('ack');
    expect(edge.counted.lost).toEqual({ 'disk-full': 4 });
  });
});

describe('the welcome', () => {
  it('goes on from the lowest cursor of the services, one without a cursor being at 0', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 5; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(5);
    await agent.end();
    const { producerId } = agent;
    const same = await RawAgent.greet(edge.port, { producerId });
    expect(same.welcome.applied).toBe(5);
    await same.agent.end();
    const more = await RawAgent.greet(edge.port, { producerId, services: ['acme', 'new'] });
    expect(more.welcome.applied).toBe(0);
    // Batches that acme holds are acknowledged without being counted there again.
    const both = { cells: [cell(), cell({ service: 'new' })], alive: ['acme', 'new'] };
    for (let seq = 1; seq <= 6; seq += 1) more.agent.send(more.agent.batch(seq, both));
    await more.agent.acknowledged(6);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(6);
    expect((await booksOf(edge, 'new')).tallies[0]).toBe(6);
  });

  it('never asks for what the spool no longer has', async () => {
    const edge = await start();
    const { agent, welcome } = await RawAgent.greet(edge.port, { firstRetained: 100, lastSealed: 120 });
    expect(welcome).toMatchObject({ applied: 99, appliedDigest: '' });
    agent.send(agent.batch(100));
    await agent.acknowledged(100);
  });

  it('is a conflict for a spool that never sealed what the books hold', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 3; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(3);
    await agent.end();
    const copy = await RawAgent.connect(edge.port, { producerId: agent.producerId });
    copy.send(copy.hello({ lastSealed: 2 }));
    expect(await copy.next('nack')).toEqual({ type: 'nack', kind: 'conflict', seq: 3 });
    expect((await copy.closed).code).toBe(4410);
  });
});

describe('two connections of one producer', () => {
  it('the older one is fenced and closed with 4409, the newer one goes on, and all counts once', async () => {
    const edge = await start();
    const { agent: older } = await RawAgent.greet(edge.port);
    older.send(older.batch(1));
    await older.acknowledged(1);
    const { agent: newer, welcome } = await RawAgent.greet(edge.port, { producerId: older.producerId });
    expect(await older.next('nack')).toEqual({ type: 'nack', kind: 'fenced' });
    expect((await older.closed).code).toBe(4409);
    expect(welcome.applied).toBe(1);
    newer.send(newer.batch(2));
    await newer.acknowledged(2);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(2);
    expect(edge.counted.refused).toEqual({ fenced: 1 });
  });

  it('a frame of an older epoch on the newer connection is fenced', async () => {
    const edge = await start();
    const producerId = randomUUID();
    const { agent: older, welcome } = await RawAgent.greet(edge.port, { producerId });
    const { agent: newer } = await RawAgent.greet(edge.port, { producerId });
    newer.send(newer.batch(1, { epoch: welcome.epoch }));
    expect(await newer.next('nack')).toEqual({ type: 'nack', kind: 'fenced' });
    await older.closed;
  });
});

describe('a batch of several services', () => {
  it('is acknowledged only when all of them hold it', async () => {
    const held: (() => void)[] = [];
    let isHolding = true;
    const edge = await start({
      facts: (facts) =>
        new Proxy(facts, {
          get: (target, name) => {
            if (name !== 'apply') {
              const member: unknown = Reflect.get(target, name);
              return typeof member === 'function' ? member.bind(target) : member;
            }
            const apply: typeof facts.apply = async (delta, nowMs) => {
              if (delta.service === 'slow' && isHolding)
                await new Promise<void>((resolve) => held.push(resolve));
              return facts.apply(delta, nowMs);
            };
            return apply;
          },
        }),
    });
    const { agent } = await RawAgent.greet(edge.port, { services: ['acme', 'slow'] });
    const both = { cells: [cell(), cell({ service: 'slow' })], alive: ['acme', 'slow'] };
    agent.send(agent.batch(1, both));
    await waitFor('acme', async () => (await booksOf(edge, 'acme')).tallies[0] === 1);
    agent.send({ type: 'ping', t0: 1 });
    await agent.next('pong');
    expect(agent.frames.filter((frame) => frame.type === 'ack')).toEqual([]);
    isHolding = false;
    for (const release of held) release();
    await agent.acknowledged(1);
  });
});

describe('late outcomes', () => {
  it('are those that arrive after their window has closed, and they still count', async () => {
    const minute = minuteNow();
    const edge = await start({
      closesAtMs: (_, m) => (m < minute ? Date.now() - 60_000 : Date.now() + 60_000),
    });
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1, { cells: [cell({ minute, n: 3 }), failedCell({ minute: minute - 9, n: 4 })] }));
    await agent.acknowledged(1);
    const books = await booksOf(edge, 'acme');
    expect(books.tallies[0]).toBe(7);
    expect(books.late).toBe(4);
  });
});

describe("an agent's clock", () => {
  /** An agent whose clock differs from the daemon's, and which answers the daemon's first ping by it. */
  async function withOffset(port: number, aheadMs: number): Promise<RawAgent> {
    const { agent } = await RawAgent.greet(port);
    const ping = await agent.next('ping');
    const t1 = Date.now() + aheadMs;
    agent.send({ type: 'pong', t0: ping.t0, t1, t2: t1 });
    return agent;
  }

  it('that is an hour behind is corrected by whole minutes when the agent did not do it itself', async () => {
    const edge = await start();
    const agent = await withOffset(edge.port, -3_600_000);
    const minute = minuteNow() - 60;
    agent.send(agent.batch(1, { minute, clockOffsetMs: null, cells: [cell({ minute })] }));
    await agent.acknowledged(1);
    const { aliveMinutes, tallies } = await booksOf(edge, 'acme');
    expect(tallies[0]).toBe(1);
    expect(aliveMinutes).toEqual([minute + 60]);
  });

  it('is left alone when the batch carries its own correction', async () => {
    const edge = await start();
    const agent = await withOffset(edge.port, -3_600_000);
    const minute = minuteNow() - 60;
    agent.send(agent.batch(1, { minute, clockOffsetMs: 1, cells: [cell({ minute })] }));
    await agent.acknowledged(1);
    expect((await booksOf(edge, 'acme')).aliveMinutes).toEqual([minute]);
  });

  it('is left alone when its answer is not to our ping', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send({ type: 'pong', t0: 1, t1: 1, t2: 1 });
    const minute = minuteNow();
    agent.send(agent.batch(1, { minute, clockOffsetMs: null, cells: [cell({ minute })] }));
    await agent.acknowledged(1);
    expect((await booksOf(edge, 'acme')).aliveMinutes).toEqual([minute]);
  });
});

describe('an evaluation', () => {
  it('is asked for by each service whose books changed', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port, { services: ['acme', 'globex'] });
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
    await waitFor('the word', () => edge.applied.length > 0);
    expect(new Set(edge.applied)).toEqual(new Set(['acme']));
  });
});
