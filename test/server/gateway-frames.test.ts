import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DaemonEdge } from '../support/daemon-edge.ts';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { cell, failedCell, minuteNow, RawAgent } from '../support/raw-agent.ts';
import { unsteady, type Weather } from '../support/unsteady-facts.ts';
import { waitFor } from '../support/wait-for.ts';

const start = edgesOfThisFile();

/** Runs what an agent does wrong beside one that does everything right, which must not notice. */
async function besideABystander(edge: DaemonEdge, wrongdoing: () => Promise<void>): Promise<void> {
  const { agent: bystander } = await RawAgent.greet(edge.port, { services: ['bystander'] });
  const own = { alive: ['bystander'], cells: [cell({ service: 'bystander', n: 3 })] };
  bystander.send(bystander.batch(1, own));
  await bystander.acknowledged(1);
  await wrongdoing();
  bystander.send(bystander.batch(2, own));
  await bystander.acknowledged(2);
  expect((await booksOf(edge, 'bystander')).tallies[0]).toBe(6);
  expect(bystander.socket.readyState).toBe(bystander.socket.OPEN);
  await bystander.end();
}

type Garbage = (agent: RawAgent) => string;
const valid = (agent: RawAgent) => agent.batch(1);
const withCell = (agent: RawAgent, parts: Record<string, unknown>) =>
  JSON.stringify({ ...valid(agent), cells: [{ ...cell(), ...parts }] });

describe('a frame that is not valid closes its connection with 4400 and names the field:', () => {
  const garbage: Record<string, { readonly frame: Garbage; readonly reason: RegExp }> = {
    'half a JSON text': { frame: (a) => JSON.stringify(valid(a)).slice(0, 100), reason: /not JSON/ },
    'an empty text': { frame: () => '', reason: /not JSON/ },
    'a JSON number': { frame: () => '17', reason: /frame/ },
    'a JSON null': { frame: () => 'null', reason: /frame/ },
    'a JSON array': { frame: (a) => JSON.stringify([valid(a)]), reason: /frame/ },
    'an unknown type': { frame: () => '{"type":"goodbye"}', reason: /type/ },
    'no type': { frame: () => '{}', reason: /type/ },
    'a seq of 0': { frame: (a) => JSON.stringify({ ...valid(a), seq: 0 }), reason: /^seq/ },
    'a seq as text': { frame: (a) => JSON.stringify({ ...valid(a), seq: '1' }), reason: /^seq/ },
    'a fractional seq': { frame: (a) => JSON.stringify({ ...valid(a), seq: 1.5 }), reason: /^seq/ },
    'a digest that is none': {
      frame: (a) => JSON.stringify({ ...valid(a), digest: 'XYZ' }),
      reason: /^digest/,
    },
    'an unknown field': { frame: (a) => JSON.stringify({ ...valid(a), extra: 1 }), reason: /extra/ },
    'cells that are no list': { frame: (a) => JSON.stringify({ ...valid(a), cells: {} }), reason: /^cells/ },
    '10,000 cells': {
      frame: (a) => {
        const small = cell({ region: '', platform: '', service: 'acme' });
        return JSON.stringify({ ...valid(a), cells: new Array(2_001).fill(small) });
      },
      reason: /^cells/,
    },
    'a negative count': { frame: (a) => withCell(a, { n: -1 }), reason: /^cells\.0\.n/ },
    'a count of 0': { frame: (a) => withCell(a, { n: 0 }), reason: /^cells\.0\.n/ },
    'a huge count': { frame: (a) => withCell(a, { n: 1e15 }), reason: /^cells\.0\.n/ },
    'a count beyond all integers': { frame: (a) => withCell(a, { n: 1e300 }), reason: /^cells\.0\.n/ },
    'a negative minute': { frame: (a) => withCell(a, { minute: -1 }), reason: /^cells\.0\.minute/ },
    'a label with a newline': { frame: (a) => withCell(a, { region: 'a\nb' }), reason: /^cells\.0\.region/ },
    'a label of 65 characters': {
      frame: (a) => withCell(a, { platform: 'x'.repeat(65) }),
      reason: /^cells\.0\.platform/,
    },
    'a service named a{b}': { frame: (a) => withCell(a, { service: 'a{b}' }), reason: /^cells\.0\.service/ },
    'a service with a newline': {
      frame: (a) => withCell(a, { service: 'a\nb' }),
      reason: /^cells\.0\.service/,
    },
    'a service of 10 kB': {
      frame: (a) => withCell(a, { service: 'x'.repeat(10_240) }),
      reason: /^cells\.0\.service/,
    },
    'a service named __proto__': {
      frame: (a) => withCell(a, { service: '__proto__' }),
      reason: /^cells\.0\.service/,
    },
    'a __proto__ field': {
      frame: (a) => JSON.stringify(valid(a)).replace('{', '{"__proto__":{"seq":1},'),
      reason: /__proto__/,
    },
    'a failure without a cause': {
      frame: (a) => withCell(a, { result: 'failed', cause: '' }),
      reason: /^cells\.0\.cause/,
    },
    'an epoch that was never given': {
      frame: (a) => JSON.stringify({ ...valid(a), epoch: a.epoch + 1 }),
      reason: /^epoch/,
    },
    'a service that hello did not name': {
      frame: (a) => withCell(a, { service: 'other' }),
      reason: /service: other/,
    },
    'an alive service that hello did not name': {
      frame: (a) => JSON.stringify({ ...valid(a), alive: ['other'] }),
      reason: /service: other/,
    },
    'a second hello': { frame: (a) => JSON.stringify(a.hello()), reason: /^type: hello/ },
    'a skip that ends before it starts': {
      frame: (a) => JSON.stringify(a.skip(2, 1)),
      reason: /^to/,
    },
  };
  for (const [name, { frame, reason }] of Object.entries(garbage)) {
    it(name, async () => {
      const edge = await start();
      await besideABystander(edge, async () => {
        const { agent } = await RawAgent.greet(edge.port);
        agent.send(frame(agent));
        const closed = await agent.closed;
        expect(closed.code).toBe(4400);
        expect(closed.reason).toMatch(reason);
        expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123);
      });
      expect(edge.counted.refused).toEqual({ 'bad-frame': 1 });
      expect(edge.counted.batches.refused).toBe(1);
      expect((await booksOf(edge, 'acme')).tallies[0]).toBe(0);
      expect(({} as Record<string, unknown>).seq).toBeUndefined();
    });
  }

  it('a binary frame', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.socket.send(Buffer.from(JSON.stringify(valid(agent))), { binary: true });
    expect(await agent.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('binary') });
  });
});

describe('a batch that is not valid', () => {
  it('is rejected by its seq when its turn has come, so that the agent can set it aside', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(withCell(agent, { n: -1 }));
    expect(await agent.next('nack')).toMatchObject({
      kind: 'reject',
      seq: 1,
      reason: expect.stringContaining('cells.0.n'),
    });
  });

  it('is not rejected by its seq when it is not its turn', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(JSON.stringify({ ...agent.batch(2), cells: 1 }));
    expect((await agent.closed).code).toBe(4400);
    expect(agent.frames.filter((frame) => frame.type === 'nack')).toEqual([]);
  });

  it('loses nothing that was sent before it', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    for (let seq = 1; seq <= 20; seq += 1) agent.send(agent.batch(seq));
    agent.send('{');
    await agent.closed;
    await waitFor('20 attempts', async () => (await booksOf(edge, 'acme')).tallies[0] === 20);
  });
});

describe('what comes out of turn', () => {
  it('a batch before hello closes with 4400', async () => {
    const edge = await start();
    const agent = await RawAgent.connect(edge.port);
    agent.send(agent.batch(1));
    expect(await agent.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('hello') });
  });

  it('a batch right after hello, before the welcome, waits for it and is fenced for want of an epoch', async () => {
    const edge = await start();
    const agent = await RawAgent.connect(edge.port);
    agent.send(agent.hello());
    agent.send(agent.batch(1, { epoch: 0 }));
    await agent.next('welcome');
    expect(await agent.next('nack')).toEqual({ type: 'nack', kind: 'fenced' });
    expect((await agent.closed).code).toBe(4409);
  });

  it('no hello closes with 4408', async () => {
    const edge = await start({ limits: { helloWithinMs: 100 } });
    const agent = await RawAgent.connect(edge.port);
    expect((await agent.closed).code).toBe(4408);
    expect(edge.counted.refused).toEqual({ 'hello-timeout': 1 });
  });

  it('hello in time is not closed', async () => {
    const edge = await start({ limits: { helloWithinMs: 100 } });
    const { agent } = await RawAgent.greet(edge.port);
    const agentlessMs = performance.now() + 300;
    await waitFor('the time of hello to pass', () => performance.now() > agentlessMs);
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
  });

  it('a hello with a producer id that is no UUID closes with 4400', async () => {
    const edge = await start();
    const agent = await RawAgent.connect(edge.port);
    agent.send(agent.hello({ producerId: 'me' }));
    expect(await agent.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('producerId') });
  });

  it('a hello that retains more than it ever sealed closes with 4400', async () => {
    const edge = await start();
    const agent = await RawAgent.connect(edge.port);
    agent.send(agent.hello({ firstRetained: 9, lastSealed: 7 }));
    expect(await agent.closed).toMatchObject({
      code: 4400,
      reason: expect.stringContaining('firstRetained'),
    });
  });
});

describe('a frame of 1 MB', () => {
  it('closes with 1009 and is counted', async () => {
    const edge = await start();
    await besideABystander(edge, async () => {
      const { agent } = await RawAgent.greet(edge.port);
      agent.send(JSON.stringify({ ...valid(agent), digest: 'x'.repeat(1024 * 1024) }));
      expect((await agent.closed).code).toBe(1009);
    });
    expect(edge.counted.refused).toEqual({ 'too-big': 1 });
  });

  it('within 256 KiB is read', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    const cells = Array.from({ length: 1_500 }, (_, i) => cell({ region: `r${i}`, n: 2 }));
    const text = JSON.stringify(agent.batch(1, { cells }));
    expect(text.length).toBeGreaterThan(150_000);
    expect(text.length).toBeLessThan(256 * 1024);
    agent.send(text);
    await agent.acknowledged(1);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(3_000);
  });
});

describe('a token for some services', () => {
  const tokens = [{ token: 'acme-only', grant: { agentLabel: 'acme', services: new Set(['acme']) } }];

  it('lets an agent of those in', async () => {
    const edge = await start({ tokens });
    const { agent } = await RawAgent.greet(edge.port, {}, 'acme-only');
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
  });

  it('welcomes an agent that names others too, and says which they are', async () => {
    const edge = await start({ tokens });
    const services = ['globex', 'acme', 'initech'];
    const { welcome } = await RawAgent.greet(edge.port, { services }, 'acme-only');
    expect(welcome.refused).toEqual(['globex', 'initech']);
    expect(Object.fromEntries(edge.gateway.connectedAgents())).toEqual({ acme: 1 });
    expect(edge.counted.refused).toEqual({});
  });

  it('says nothing of the kind to an agent whose services it covers', async () => {
    const edge = await start({ tokens });
    const { welcome } = await RawAgent.greet(edge.port, {}, 'acme-only');
    expect('refused' in welcome).toBe(false);
  });

  it('closes with 4403 and names a service of a hello of which it covers none', async () => {
    const edge = await start({ tokens });
    const agent = await RawAgent.connect(edge.port, { token: 'acme-only' });
    agent.send(agent.hello({ services: ['globex', 'initech'] }));
    expect(await agent.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('globex') });
    expect(edge.counted.refused).toEqual({ 'forbidden-service': 1 });
    expect(await edge.store.facts.services()).toEqual([]);
  });

  /** What others than acme say in batches of such an agent. */
  const mixed = {
    cells: [cell({ service: 'globex', n: 5 }), cell({ n: 3 }), failedCell({ service: 'initech', n: 70 })],
    alive: ['globex', 'acme'],
  };
  const services = ['acme', 'globex', 'initech'];

  it('counts of a batch what it covers, and the rest as lost, however often the batch comes', async () => {
    const edge = await start({ tokens });
    const { agent } = await RawAgent.greet(edge.port, { services }, 'acme-only');
    agent.send(agent.batch(1, mixed));
    await agent.acknowledged(1);
    agent.send(agent.batch(1, mixed));
    await agent.acknowledged(1);
    await agent.end();
    const { producerId } = agent;
    const { agent: back, welcome } = await RawAgent.greet(edge.port, { services, producerId }, 'acme-only');
    expect(welcome.applied).toBe(1);
    back.send(back.batch(1, mixed));
    back.send(back.batch(2, mixed));
    await back.acknowledged(2);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(6);
    expect(edge.counted.lost).toEqual({ forbidden: 150 });
    expect(await edge.store.facts.services()).toEqual(['acme']);
    for (const service of ['globex', 'initech']) {
      expect(await booksOf(edge, service)).toMatchObject({ tallies: [0, 0, 0, 0, 0], aliveMinutes: [] });
    }
  });

  it('takes once a batch that names nothing that it covers', async () => {
    const edge = await start({ tokens });
    const { agent } = await RawAgent.greet(edge.port, { services }, 'acme-only');
    const strange = { cells: [cell({ service: 'globex', n: 5 })], alive: ['globex'] };
    agent.send(agent.batch(1, strange));
    await agent.acknowledged(1);
    await agent.end();
    const { producerId } = agent;
    const { agent: back, welcome } = await RawAgent.greet(edge.port, { services, producerId }, 'acme-only');
    expect(welcome.applied).toBe(1);
    back.send(back.batch(1, strange));
    await back.acknowledged(1);
    expect(edge.counted.lost).toEqual({ forbidden: 5 });
    expect((await booksOf(edge, 'acme')).aliveMinutes).toEqual([]);
  });

  it('knows a batch by its digest as a whole', async () => {
    const edge = await start({ tokens });
    const { agent } = await RawAgent.greet(edge.port, { services }, 'acme-only');
    agent.send(agent.batch(1, mixed));
    await agent.acknowledged(1);
    agent.send(agent.batch(1, { ...mixed, digest: 'f'.repeat(16) }));
    expect(await agent.next('nack')).toMatchObject({ kind: 'conflict', seq: 1 });
  });

  it('loses once what it does not cover though calls and answers of the store are lost', async () => {
    const weather: Weather[] = [];
    const edge = await start({
      tokens: [{ token: 'two', grant: { agentLabel: 'two', services: new Set(['acme', 'umbrella']) } }],
      facts: (facts) => unsteady(facts, () => weather.shift() ?? 'fair'),
    });
    const all = [...services, 'umbrella'];
    const { agent } = await RawAgent.greet(edge.port, { services: all }, 'two');
    weather.push('answer-lost', 'call-lost', 'answer-lost', 'fair', 'call-lost', 'answer-lost');
    const cells = [...mixed.cells, cell({ service: 'umbrella', n: 11 })];
    for (let seq = 1; seq <= 20; seq += 1) {
      agent.send(agent.batch(seq, { cells, alive: all }));
      if (seq % 5 === 0) await agent.acknowledged(seq);
    }
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(60);
    expect((await booksOf(edge, 'umbrella')).tallies[0]).toBe(220);
    expect(edge.counted.lost).toEqual({ forbidden: 20 * 75 });
  });

  it('closes with 4403 and names the service of a cell that goes beyond it, and counts nothing of the batch', async () => {
    const edge = await start({ tokens });
    const { agent } = await RawAgent.greet(edge.port, {}, 'acme-only');
    agent.send(agent.batch(1, { cells: [cell(), cell({ service: 'globex' })] }));
    expect(await agent.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('globex') });
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(0);
  });
});

describe('minutes', () => {
  const year = (y: number) => Date.UTC(y, 0, 1) / 60_000;

  it('of 1970 are lost as too old, counted so, and the batch is acknowledged', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1, { cells: [cell({ minute: year(1970), n: 5 }), cell({ n: 1 })] }));
    await agent.acknowledged(1);
    expect(edge.counted.lost).toEqual({ 'too-old': 5 });
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(1);
  });

  it('of 2970 are counted a minute from now, and counted as clamped', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1, { cells: [failedCell({ minute: year(2970), n: 5 })] }));
    await agent.acknowledged(1);
    expect(edge.counted.clamped).toBe(5);
    expect((await booksOf(edge, 'acme')).tallies.slice(0, 2)).toEqual([5, 5]);
  });

  it('beyond all calendars are clamped too', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    const minute = Number.MAX_SAFE_INTEGER;
    agent.send(agent.batch(1, { minute, cells: [cell({ minute })] }));
    await agent.acknowledged(1);
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(1);
  });
});

describe('a ping', () => {
  it("is answered with the daemon's two timestamps", async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port);
    agent.send({ type: 'ping', t0: 12_345 });
    const pong = await agent.next('pong');
    expect(pong.t0).toBe(12_345);
    expect(Math.abs(pong.t1 - Date.now())).toBeLessThan(5_000);
    expect(pong.t2).toBeGreaterThanOrEqual(pong.t1);
  });
});

describe('the number of connected agents', () => {
  it('follows hello and close, service by service', async () => {
    const edge = await start();
    const { agent: one } = await RawAgent.greet(edge.port, { services: ['acme', 'globex'] });
    const { agent: two } = await RawAgent.greet(edge.port, { producerId: randomUUID() });
    expect(Object.fromEntries(edge.gateway.connectedAgents())).toEqual({ acme: 2, globex: 1 });
    await one.end();
    await waitFor('the close', () => edge.gateway.connectedAgents().get('acme') === 1);
    expect(edge.gateway.connectedAgents().has('globex')).toBe(false);
    await two.end();
  });
});

describe('the minute in which a batch was sealed', () => {
  it('is one in which every service of `alive` was watched', async () => {
    const edge = await start();
    const { agent } = await RawAgent.greet(edge.port, { services: ['acme', 'globex'] });
    agent.send(agent.batch(1, { cells: [], alive: ['acme', 'globex'] }));
    await agent.acknowledged(1);
    for (const service of ['acme', 'globex']) {
      const { aliveMinutes } = await booksOf(edge, service);
      expect(aliveMinutes).toHaveLength(1);
      expect(minuteNow() - (aliveMinutes[0] ?? 0)).toBeLessThanOrEqual(1);
    }
  });
});
