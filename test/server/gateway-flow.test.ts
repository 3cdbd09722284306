import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { cell, RawAgent } from '../support/raw-agent.ts';
import { unsteady, type Weather } from '../support/unsteady-facts.ts';
import { waitFor } from '../support/wait-for.ts';

const start = edgesOfThisFile();

describe('an agent that sends more than its credit', () => {
  it('a little is served all the same', async () => {
    const edge = await start({ limits: { credit: 8 } });
    const { agent, welcome } = await RawAgent.greet(edge.port);
    expect(welcome.credit).toBe(8);
    for (let seq = 1; seq <= 12; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(12);
  });

  it('by far, while the store stands still, is closed with 4429, and others go on', async () => {
    let weather: Weather = 'fair';
    const edge = await start({
      limits: { credit: 8 },
      facts: (facts) => unsteady(facts, (service) => (service === 'acme' ? weather : 'fair')),
    });
    const { agent: other } = await RawAgent.greet(edge.port, { services: ['other'] });
    const { agent } = await RawAgent.greet(edge.port);
    weather = 'call-lost';
    for (let seq = 1; seq <= 500; seq += 1) agent.send(agent.batch(seq));
    expect((await agent.closed).code).toBe(4429);
    expect(edge.counted.refused).toEqual({ credit: 1 });
    other.send(other.batch(1, { cells: [cell({ service: 'other' })], alive: ['other'] }));
    await other.acknowledged(1);
  });

  it('in a flood is closed with 4429, and what it was acknowledged is in the books', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    let applied = 0;
    const frames = Array.from({ length: 20_000 }, (_, i) => JSON.stringify(agent.batch(i + 1)));
    for (const frame of frames) agent.socket.send(frame);
    const { code } = await agent.closed;
    for (const frame of agent.frames) if (frame.type === 'ack') applied = Math.max(applied, frame.applied);
    expect(code).toBe(4429);
    await waitFor(
      'what was acknowledged',
      async () => ((await booksOf(edge, 'acme')).tallies[0] ?? 0) >= applied,
    );
  });
});

describe('frames of many agents that wait for their turn', () => {
  it('are bounded in all: sockets are paused, nobody is closed, and everything is counted in the end', async () => {
    let weather: Weather = 'fair';
    const edge = await start({
      limits: { credit: 4, queuedBytesInAll: 20_000 },
      facts: (facts) => unsteady(facts, () => weather),
    });
    const greeted = await Promise.all(Array.from({ length: 30 }, () => RawAgent.greet(edge.port)));
    weather = 'call-lost';
    for (const { agent } of greeted) for (let seq = 1; seq <= 20; seq += 1) agent.send(agent.batch(seq));
    await waitFor('a failed attempt', () => (edge.counted.applyFailed.unavailable ?? 0) > 0);
    weather = 'fair';
    for (const { agent } of greeted) await agent.acknowledged(20);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(600);
    expect(edge.counted.refused).toEqual({});
  });
});

describe('large frames from many agents', () => {
  it('are decoded in turns: an agent with a small one does not wait for all of them', async () => {
    const edge = await start({ limits: { sliceMs: 2 } });
    const cells = Array.from({ length: 1_200 }, (_, i) => cell({ region: `r${i % 50}` }));
    const heavy = await Promise.all(Array.from({ length: 20 }, () => RawAgent.greet(edge.port)));
    const { agent: light } = await RawAgent.greet(edge.port);
    const order: string[] = [];
    const done = heavy.map(async ({ agent }, i) => {
      for (let seq = 1; seq <= 10; seq += 1) agent.send(agent.batch(seq, { cells }));
      await agent.acknowledged(10, 20_000);
      order.push(`heavy ${i}`);
    });
    light.send(light.batch(1));
    await light.acknowledged(1);
    order.push('light');
    await Promise.all(done);
    expect(order.indexOf('light')).toBeLessThan(5);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(20 * 10 * 1_200 + 1);
  });
});

describe('an agent that does not read', () => {
  it('is cut when more waits for it than the limit, and counted', async () => {
    const edge = await start({ limits: { bufferedBytes: 64 * 1024 } });
    const { agent } = await RawAgent.greet(edge.port);
    agent.socket.pause();
    const ping = JSON.stringify({ type: 'ping', t0: 1 });
    const until = performance.now() + 20_000;
    while (edge.counted.refused['slow-reader'] === undefined && performance.now() < until) {
      // Few enough at a time that they are no flood; the daemon, in this process, takes them in the turns between.
      for (let i = 0; i < 100; i += 1) agent.send(ping);
      for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(edge.counted.refused).toEqual({ 'slow-reader': 1 });
    agent.socket.resume();
    await agent.closed;
    await waitFor('its place', () => !edge.gateway.connectedAgents().has('acme'));
  });
});

describe('heartbeats', () => {
  it('an agent that answers them stays', async () => {
    const edge = await start({ limits: { heartbeatMs: 100 } });
    const { agent } = await RawAgent.greet(edge.port);
    for (let i = 0; i < 8; i += 1) {
      const ping = await agent.next('ping');
      agent.send({ type: 'pong', t0: ping.t0, t1: ping.t0, t2: ping.t0 });
    }
    expect(agent.socket.readyState).toBe(agent.socket.OPEN);
  });

  it('an agent that misses two is dead: its socket is destroyed and its place free', async () => {
    const edge = await start({ limits: { heartbeatMs: 50 } });
    const { agent } = await RawAgent.greet(edge.port);
    const diedAfterMs = performance.now();
    // It neither answers nor sends; its TCP connection is in perfect health.
    await agent.closed;
    expect(performance.now() - diedAfterMs).toBeGreaterThan(50);
    expect(edge.counted.refused).toEqual({ 'dead-peer': 1 });
    await waitFor('the place', () => edge.gateway.connectedAgents().size === 0);
  });

  it('a half-open connection is found after two and a quarter heartbeats at the latest: 45 s at 20 s', async () => {
    const heartbeatMs = 800;
    const edge = await start({ limits: { heartbeatMs } });
    const { agent } = await RawAgent.greet(edge.port);
    // Heard last at the worst moment, just after it was looked at.
    await agent.next('ping');
    await agent.next('ping');
    agent.send({ type: 'ping', t0: 1 });
    const heardAtMs = performance.now();
    await agent.closed;
    const silentMs = performance.now() - heardAtMs;
    expect(silentMs).toBeGreaterThanOrEqual(2 * heartbeatMs - 50);
    // The rest is for a busy machine.
    expect(silentMs).toBeLessThan(2.25 * heartbeatMs + 500);
  });

  it('say over how long so many agents should spread when they come back', async () => {
    const edge = await start({ limits: { heartbeatMs: 200 } });
    const { agent } = await RawAgent.greet(edge.port);
    expect((await agent.next('ping')).spreadMs).toBe(500);
    await Promise.all(Array.from({ length: 99 }, () => RawAgent.greet(edge.port)));
    await waitFor('a ping to a hundred agents', async () => (await agent.next('ping')).spreadMs === 1_000);
  });

  it('an agent whose frames wait for the store is not taken for dead', async () => {
    let weather: Weather = 'fair';
    const edge = await start({
      limits: { heartbeatMs: 50, credit: 4 },
      facts: (facts) => unsteady(facts, () => weather),
    });
    const { agent } = await RawAgent.greet(edge.port);
    weather = 'call-lost';
    // Enough to have the socket paused, not enough to be closed for it.
    for (let seq = 1; seq <= 30; seq += 1) agent.send(agent.batch(seq));
    await sleep(400);
    weather = 'fair';
    await agent.acknowledged(30);
  });
});

describe('a drain', () => {
  it('tells agents, applies and acknowledges what was received, and closes with 1012', async () => {
    const edge = await start({ facts: (facts) => unsteady(facts, () => 'slow') });
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 20; seq += 1) agent.send(agent.batch(seq));
    await agent.acknowledged(1);
    await edge.gateway.drain({ deadlineMs: 5_000 });
    const drain = await agent.next('drain');
    expect(drain.spreadMs).toBeGreaterThan(0);
    expect((await agent.closed).code).toBe(1012);
    const acks = agent.frames.flatMap((frame) => (frame.type === 'ack' ? [frame.applied] : []));
    const applied = Math.max(1, ...acks);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(applied);
  });

  it('refuses new connections with 503', async () => {
    const edge = await start();
    await edge.gateway.drain({ deadlineMs: 1_000 });
    await expect(RawAgent.connect(edge.port)).rejects.toThrow('503');
    expect(edge.counted.refused).toEqual({ draining: 1 });
  });

  it('ends at its deadline, whatever the store and the agents do', async () => {
    let weather: Weather = 'fair';
    const edge = await start({ facts: (facts) => unsteady(facts, () => weather) });
    const { agent } = await RawAgent.greet(edge.port);
    weather = 'call-lost';
    agent.send(agent.batch(1));
    await waitFor('an attempt', () => (edge.counted.applyFailed.unavailable ?? 0) > 0);
    agent.socket.pause();
    const startedAtMs = performance.now();
    await edge.gateway.drain({ deadlineMs: 300 });
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    agent.socket.resume();
    await agent.closed;
    expect(agent.frames.filter((frame) => frame.type === 'ack')).toEqual([]);
  });

  it('closes many agents, all of them with 1012', async () => {
    const edge = await start();
    const greeted = await Promise.all(Array.from({ length: 450 }, () => RawAgent.greet(edge.port)));
    await edge.gateway.drain({ deadlineMs: 10_000 });
    // A hundred a second come back.
    expect((await greeted[0]!.agent.next('drain')).spreadMs).toBe(4_500);
    const codes = new Set<number>();
    for (const { agent } of greeted) codes.add((await agent.closed).code);
    expect([...codes]).toEqual([1012]);
  });
});

describe('a connection that breaks', () => {
  it('at any byte of a frame loses nothing acknowledged and disturbs nobody', async () => {
    const edge = await start();
    const { agent: other } = await RawAgent.greet(edge.port, { services: ['other'] });
    for (let cut = 0; cut < 20; cut += 1) {
      const { agent } = await RawAgent.greet(edge.port);
      agent.send(agent.batch(1));
      // A raw TCP write of part of a frame, then a reset.
      const socket = Reflect.get(agent.socket, '_socket') as import('node:net').Socket;
      socket.write(Buffer.from([0x81, 0xfe, 0x04, 0x00, 1, 2, 3, 4, 5].slice(0, cut % 10)));
      await once(agent.socket, 'message');
      socket.resetAndDestroy();
      await agent.closed;
    }
    other.send(other.batch(1, { cells: [cell({ service: 'other' })], alive: ['other'] }));
    await other.acknowledged(1);
    await waitFor('the closes', () => edge.gateway.connectedAgents().get('acme') === undefined);
  });
});
