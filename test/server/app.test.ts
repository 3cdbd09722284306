import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { type Cell, isCallback } from '../../protocol/frame.ts';
import { AGENT_PATH } from '../../protocol/limits.ts';
import { serviceMonth } from '../../sla/month.ts';
import { read } from '../../sla/read.ts';
import type { Reading } from '../../sla/reading.ts';
import { createTally } from '../../sla/tally.ts';
import { presetTerms } from '../../sla/terms.ts';
import { AGENT_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { type RunningRedis, startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const TERMS = presetTerms('trtc');
/** In the middle of a window of the middle of a month. */
const NOW_MS = Date.parse('2026-07-15T04:02:30.000Z');
const MINUTE = Math.floor(NOW_MS / 60_000);

async function redis(): Promise<RunningRedis> {
  const server = await startRedis({ aof: true });
  undo.push(() => server.stop());
  return server;
}

async function boot(options: Parameters<typeof bootDaemon>[0] = {}): Promise<TestDaemon> {
  const daemon = await bootDaemon({ nowMs: () => NOW_MS, ...options });
  undo.push(() => daemon.stop());
  return daemon;
}

async function agentOf(daemon: TestDaemon, services: readonly string[] = ['acme']): Promise<RawAgent> {
  const { agent } = await RawAgent.greet(daemon.daemon.port, { services: [...services] }, AGENT_TOKEN);
  undo.push(() => agent.end());
  return agent;
}

async function send(agent: RawAgent, seq: number, cells: readonly Cell[], minute = MINUTE): Promise<void> {
  agent.send(
    agent.batch(seq, { cells: [...cells], minute, alive: [...new Set(cells.map((c) => c.service))] }),
  );
  await agent.acknowledged(seq);
}

/** A month so far with a window lost to the provider, one that a customer's failures only touch, and an open one. */
const CELLS: readonly Cell[] = [
  cell({ minute: MINUTE - 500, n: 980 }),
  failedCell({ minute: MINUTE - 500, n: 20 }),
  cell({ minute: MINUTE - 300, n: 500, region: 'eu-frankfurt', platform: 'native' }),
  failedCell({ minute: MINUTE - 299, n: 100, cause: 'customer', region: 'eu-frankfurt', platform: 'native' }),
  cell({ minute: MINUTE, n: 40 }),
  failedCell({ minute: MINUTE, n: 2, cause: 'unknown' }),
];

/** What `read` says of the same cells, without any daemon. */
function expectedReading(cells: readonly Cell[]): Reading {
  const found = serviceMonth('2026-07', TERMS);
  if (!found.ok) throw new Error(found.message);
  const { month } = found;
  const tally = createTally(month.firstMinute, month.minuteCount);
  for (const { minute, n, result, cause } of cells) {
    if (isCallback(result)) continue;
    tally.add({ startedAtMs: minute * 60_000, result, count: n }, cause === '' ? 'unknown' : cause);
  }
  tally.markAlive(MINUTE);
  const counted = tally.facts();
  // The batch came after the windows of its older cells had closed.
  const late = new Uint32Array(counted.late);
  for (const { minute, n } of cells) {
    if (minute < MINUTE - 10) late[Math.floor((minute - month.firstMinute) / 5)]! += n;
  }
  return read({
    service: 'acme',
    month,
    facts: { ...counted, late },
    terms: TERMS,
    exclusions: [],
    nowMs: NOW_MS,
  });
}

function samples(text: string): Map<string, number> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))] as const;
      }),
  );
}

describe('outcomes that are given up', () => {
  const said = (daemon: TestDaemon) =>
    daemon
      .log()
      .split('\n')
      .filter((line) => line.includes('outcomes were lost'))
      .map((line) => JSON.parse(line));

  it('are logged as an error with their agent, services and reason, once in ten seconds and in all', async () => {
    const daemon = await boot();
    const agent = await agentOf(daemon);
    for (const seq of [1, 2, 3]) {
      agent.send(agent.batch(seq, { cells: [cell({ minute: MINUTE, n: 1 })], lost: { 'disk-full': seq } }));
    }
    agent.send(agent.skip(4, 4, { reason: 'damaged', outcomes: 9 }));
    const ancient = cell({ minute: MINUTE - 431 * 1_440, n: 7 });
    agent.send(agent.batch(5, { cells: [ancient] }));
    await agent.acknowledged(5);
    await daemon.stop();
    const sums: Record<string, number> = {};
    for (const { reason, outcomes } of said(daemon)) sums[reason] = (sums[reason] ?? 0) + outcomes;
    expect(sums).toEqual({ 'disk-full': 6, damaged: 9, 'too-old': 7 });
    // At most at once, at a clock's tenth second, and at the end.
    expect(said(daemon).length).toBeLessThanOrEqual(6);
    expect(said(daemon)[0]).toMatchObject({
      level: 'error',
      agent: agent.producerId,
      services: ['acme'],
    });
  });
});

describe.each(['connectionsPerAddress', 'connectionsPerToken'])('limits.%s', (limit) => {
  it('is what its refusal says it is', async () => {
    const daemon = await boot({ config: { limits: { [limit]: 1 } } });
    await agentOf(daemon);
    const upgrade = { connection: 'upgrade', upgrade: 'websocket', authorization: `Bearer ${AGENT_TOKEN}` };
    const refused = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const asked = request(`${daemon.url}${AGENT_PATH}`, { headers: upgrade }, async (answer) => {
        resolve({ status: answer.statusCode, body: await text(answer) });
      });
      asked.on('error', reject).end();
    });
    expect(refused.status).toBe(429);
    expect(refused.body).toContain(`raise the daemon's limits.${limit}`);
  });
});

for (const kind of ['embedded', 'redis'] as const) {
  describe(`on the ${kind} store`, () => {
    const store = async () => (kind === 'redis' ? { store: { url: (await redis()).url } } : {});

    it('a batch is in the reading, the list and the gauges, and all of them are what read() says', async () => {
      const daemon = await boot({ config: await store() });
      const agent = await agentOf(daemon);
      await send(agent, 1, CELLS);
      const expected = expectedReading(CELLS);
      expect(expected.budget.lost).toBe(1);

      const path = '/api/v1/services/acme/months/2026-07';
      const reading = await waitFor('the reading', async () => {
        const now = await daemon.getJson<Reading>(path);
        return now.attempts === expected.attempts && now;
      });
      expect(reading).toEqual(JSON.parse(JSON.stringify(expected)));
      const listed = await waitFor('the list', async () => {
        const { services } = await daemon.getJson<{ services: Partial<Reading>[] }>('/api/v1/services');
        return services[0]?.budget && services;
      });
      const shown = await waitFor('the gauges', async () => {
        const now = samples(await (await daemon.get('/metrics')).text());
        return now.has('roomwatch_month_windows_lost{service="acme"}') && now;
      });

      expect(listed).toMatchObject([
        { service: 'acme', month: '2026-07', agentsConnected: 1, budget: expected.budget },
      ]);
      const gauge = (name: string, labels = '') => shown.get(`roomwatch_${name}{service="acme"${labels}}`);
      expect(gauge('month_windows_lost')).toBe(expected.budget.lost);
      expect(gauge('month_windows_left', ',target="0.999"')).toBe(expected.budget.left);
      expect(gauge('month_windows_allowed', ',target="0.99"')).toBe(expected.lines[2]?.allowed);
      expect(gauge('month_availability_ratio', ',figure="provider_and_unknown"')).toBe(
        expected.figures.providerAndUnknown.ratio,
      );
      expect(gauge('month_availability_ratio', ',figure="raw"')).toBe(expected.figures.raw.ratio);
      expect(gauge('month_projected_availability_ratio', ',bound="low"')).toBe(
        expected.projection.availability.low,
      );
      expect(gauge('month_breach_probability_ratio', ',target="0.999"')).toBe(
        expected.projection.breachProbability['99.9'],
      );
      expect(gauge('month_downtime_seconds')).toBe(300);
      expect(gauge('month_coverage_ratio')).toBe(expected.coverage);
      expect(gauge('window_lost')).toBe(expected.openWindow?.alreadyLost ? 1 : 0);
      expect(gauge('window_success_ratio', ',window="open"')).toBeCloseTo(40 / 42, 12);
      expect(gauge('agents_connected')).toBe(1);
      const labels = ',region="eu-frankfurt",platform="native"';
      expect(gauge('entry_attempts_total', labels)).toBe(600);
      expect(gauge('entry_failures_total', `${labels},cause="customer"`)).toBe(100);
      expect(gauge('entry_failures_total', `${labels},cause="provider"`)).toBe(0);
      expect(shown.get('roomwatch_batches_total{outcome="applied"}')).toBe(1);
    });

    it('readings follow a batch within a second', async () => {
      const daemon = await boot({ config: await store() });
      const agent = await agentOf(daemon);
      const delaysMs: number[] = [];
      for (let seq = 1; seq <= 5; seq += 1) {
        await send(agent, seq, [cell({ minute: MINUTE, n: 1 })]);
        const acknowledgedAtMs = performance.now();
        await waitFor('the reading', async () => {
          const { services } = await daemon.getJson<{ services: Partial<Reading>[] }>('/api/v1/services');
          return services[0]?.openWindow?.attempts === seq;
        });
        delaysMs.push(performance.now() - acknowledgedAtMs);
      }
      // The best of five: the machine may be busy with something else, but not always.
      expect(Math.min(...delaysMs)).toBeLessThan(1_000);
    });

    it('what was counted before a restart is read after it', async () => {
      const where = await store();
      const first = await bootDaemon({ nowMs: () => NOW_MS, config: where });
      undo.push(() => first.stop());
      const agent = await agentOf(first);
      await send(agent, 1, CELLS);
      await first.daemon.stop();
      const second = await boot({ config: where, folder: first.folder });
      const reading = await second.getJson<Reading>('/api/v1/services/acme/months/2026-07');
      expect(reading.lostWindows).toEqual(expectedReading(CELLS).lostWindows);
    });

    it('an exclusion changes the reading within a second, its withdrawal changes it back, and both are kept', async () => {
      const daemon = await boot({ config: await store() });
      const agent = await agentOf(daemon);
      await send(agent, 1, CELLS);
      const lost = async () =>
        (await daemon.getJson<Reading>('/api/v1/services/acme/months/2026-07')).budget.lost;
      await waitFor('the lost window', async () => (await lost()) === 1);

      const at = (minute: number) => new Date(minute * 60_000).toISOString();
      const entered = await daemon.write('POST', '/api/v1/exclusions', {
        service: 'acme',
        from: at(MINUTE - 505),
        to: at(MINUTE - 490),
        clause: '4.1',
        author: 'ops',
        reason: 'our own cutover',
      });
      expect(entered.status).toBe(201);
      const { id } = (await entered.json()) as { id: string };
      expect(entered.headers.get('location')).toBe(`/api/v1/exclusions/${id}`);
      const enteredAtMs = performance.now();
      await waitFor('the exclusion to count', async () => (await lost()) === 0);
      const enteringMs = performance.now() - enteredAtMs;

      const withdrawn = await daemon.write('DELETE', `/api/v1/exclusions/${id}?reason=mistaken`);
      expect(withdrawn.status).toBe(200);
      const withdrawnAtMs = performance.now();
      await waitFor('the withdrawal to count', async () => (await lost()) === 1);
      expect(Math.min(enteringMs, performance.now() - withdrawnAtMs)).toBeLessThan(1_000);

      const again = await daemon.write('DELETE', `/api/v1/exclusions/${id}`);
      expect(again.status).toBe(409);
      const kept = await daemon.getJson<{ exclusions: object[] }>('/api/v1/exclusions?service=acme');
      expect(kept.exclusions).toMatchObject([
        {
          id,
          clause: '4.1',
          author: 'ops',
          enteredBy: 'ops',
          enteredAt: new Date(NOW_MS).toISOString(),
          withdrawnBy: 'ops',
          withdrawnReason: 'mistaken',
          overlaps: [],
        },
      ]);
    });
  });
}

describe('the store away', () => {
  it('at the start: the daemon is up and red, and green when the store has come', async () => {
    const server = await redis();
    await server.kill9();
    const daemon = await boot({ config: { store: { url: server.url } } });
    expect((await daemon.get('/healthz')).status).toBe(200);
    const red = await daemon.get('/readyz');
    expect(red.status).toBe(503);
    expect(await red.json()).toMatchObject({ reasons: ['the store does not answer'] });
    const refused = await daemon.get('/api/v1/services/acme/months/2026-07');
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'STORE_UNAVAILABLE' } });
    expect(refused.headers.get('retry-after')).toBe('2');

    await server.restart();
    await waitFor('readiness', async () => (await daemon.get('/readyz')).status === 200, {
      withinMs: 15_000,
    });
    const agent = await agentOf(daemon);
    await send(agent, 1, CELLS);
    await waitFor('the reading', async () => {
      const reading = await daemon.getJson<Reading>('/api/v1/services/acme/months/2026-07');
      return reading.budget.lost === 1;
    });
  }, 60_000);

  it('later: readiness goes red and comes back, the gauge says so, and nothing acknowledged is lost', async () => {
    const server = await redis();
    const daemon = await boot({ config: { store: { url: server.url, commandTimeoutMs: 500 } } });
    const agent = await agentOf(daemon);
    await send(agent, 1, CELLS);
    await server.kill9();
    await waitFor('red', async () => (await daemon.get('/readyz')).status === 503, { withinMs: 15_000 });
    expect((await daemon.get('/healthz')).status).toBe(200);
    expect(samples(await (await daemon.get('/metrics')).text()).get('roomwatch_store_up')).toBe(0);
    agent.send(agent.batch(2, { cells: [cell({ minute: MINUTE - 100, n: 7 })], minute: MINUTE }));

    await server.restart();
    await waitFor('green', async () => (await daemon.get('/readyz')).status === 200, { withinMs: 15_000 });
    await agent.acknowledged(2, 15_000);
    expect(samples(await (await daemon.get('/metrics')).text()).get('roomwatch_store_up')).toBe(1);
    await waitFor('both batches', async () => {
      const { attempts } = await daemon.getJson<Reading>('/api/v1/services/acme/months/2026-07');
      return attempts === expectedReading(CELLS).attempts + 7;
    });
  }, 60_000);
});

describe('time passes', () => {
  it('a month that ends is read as ended, and the new one begins with all of its windows', async () => {
    let nowMs = Date.parse('2026-07-31T15:59:30.000Z');
    const daemon = await boot({ nowMs: () => nowMs });
    const agent = await agentOf(daemon);
    const minute = Math.floor(nowMs / 60_000);
    await send(agent, 1, [cell({ minute, n: 90 }), failedCell({ minute, n: 10 })], minute);
    const headline = async () => {
      const { services } = await daemon.getJson<{ services: Reading[] }>('/api/v1/services');
      return services[0]!;
    };
    await waitFor('the open window', async () => (await headline()).openWindow?.attempts === 100);
    expect((await headline()).budget.lost).toBe(0);

    nowMs = Date.parse('2026-07-31T16:00:30.000Z');
    const now = await waitFor('August', async () => {
      const one = await headline();
      return one.month === '2026-08' && one;
    });
    expect(now.budget).toEqual({ allowed: 8, lost: 0, left: 8 });
    const july = await daemon.getJson<Reading>('/api/v1/services/acme/months/2026-07');
    expect(july.windows.remaining).toBe(0);
    expect(july.budget.lost).toBe(1);
  });

  it('silence alone changes a reading: a minute later the window is judged without another batch', async () => {
    let nowMs = Date.parse('2026-07-15T04:04:30.000Z');
    const daemon = await boot({ nowMs: () => nowMs });
    const agent = await agentOf(daemon);
    const minute = Math.floor(nowMs / 60_000);
    await send(agent, 1, [failedCell({ minute, n: 10 })], minute);
    const lostNow = async () => {
      const { services } = await daemon.getJson<{ services: Reading[] }>('/api/v1/services');
      return services[0]?.budget?.lost;
    };
    await waitFor('the first reading', async () => (await lostNow()) === 0);
    nowMs = Date.parse('2026-07-15T04:05:00.000Z');
    await waitFor('the window to be lost', async () => (await lostNow()) === 1);
  });
});

describe('reload', () => {
  it('a good configuration takes effect: terms, exclusions and tokens', async () => {
    const daemon = await boot();
    const agent = await agentOf(daemon);
    await send(agent, 1, CELLS);
    const reading = () => daemon.getJson<Reading>('/api/v1/services/acme/months/2026-07');
    await waitFor('the lost window', async () => (await reading()).budget.lost === 1);
    const loaded = await daemon.config({
      terms: { threshold: '90' },
      tokens: [{ name: 'edge', role: 'agent', token: AGENT_TOKEN }],
      listen: { port: 1 },
    });
    expect(daemon.daemon.reload(loaded)).toEqual({ status: 'applied', needRestart: ['listen'] });
    await waitFor('the new threshold', async () => (await reading()).budget.lost === 0);
    const metrics = samples(await (await daemon.get('/metrics')).text());
    expect(metrics.get('roomwatch_config_reloads_total{result="applied"}')).toBe(1);
    expect((await daemon.write('DELETE', '/api/v1/exclusions/x')).status).toBe(401);
  });

  it('a token that is withdrawn ends its agents, one that changes renews them, and others stay', async () => {
    const daemon = await boot();
    const other = 'another-agent-secret';
    const edge = { name: 'edge', role: 'agent', token: AGENT_TOKEN };
    const second = { name: 'second', role: 'agent', token: other };
    daemon.daemon.reload(await daemon.config({ tokens: [edge, second] }));
    const agent = await agentOf(daemon);
    const { agent: stays } = await RawAgent.greet(daemon.daemon.port, {}, other);
    daemon.daemon.reload(await daemon.config({ tokens: [second] }));
    expect(await agent.closed).toMatchObject({ code: 4403, reason: 'the token was withdrawn' });
    stays.send(stays.batch(1));
    await stays.acknowledged(1);
    // 1012: to come back at once, which one that gains or loses a service should.
    daemon.daemon.reload(await daemon.config({ tokens: [{ ...second, services: ['acme', 'globex'] }] }));
    expect(await stays.closed).toMatchObject({ code: 1012 });
    const { agent: back } = await RawAgent.greet(daemon.daemon.port, {}, other);
    daemon.daemon.reload(await daemon.config({ tokens: [edge, { ...second, role: 'reader' }] }));
    expect(await back.closed).toMatchObject({ code: 4403 });
    const metrics = samples(await (await daemon.get('/metrics')).text());
    expect(metrics.get('roomwatch_connections_refused_total{reason="revoked"}')).toBe(2);
  });

  it('a bad one is refused with its faults in the log, and the old one stays', async () => {
    const daemon = await boot();
    const loaded = await daemon.config({ log: { level: 'loud' } });
    expect(daemon.daemon.reload(loaded)).toEqual({ status: 'refused' });
    expect(daemon.log()).toContain('log.level is \\"loud\\"');
    expect((await daemon.write('DELETE', '/api/v1/exclusions/x')).status).toBe(404);
    const metrics = samples(await (await daemon.get('/metrics')).text());
    expect(metrics.get('roomwatch_config_reloads_total{result="refused"}')).toBe(1);
    expect(metrics.get('roomwatch_config_reloads_total{result="applied"}')).toBe(0);
  });
});

describe('stop', () => {
  it('sends the agents away in order, and leaves the port and the directory free', async () => {
    const daemon = await boot();
    const agent = await agentOf(daemon);
    await send(agent, 1, CELLS);
    await daemon.daemon.stop();
    expect(await agent.closed).toMatchObject({ code: 1012 });
    expect(agent.frames.some((frame) => frame.type === 'drain')).toBe(true);
    await expect(fetch(`${daemon.url}/healthz`)).rejects.toThrow();
    const again = await boot({ folder: daemon.folder });
    expect((await again.get('/readyz')).status).toBe(200);
  });

  it('a second daemon on the same directory is refused with a sentence, and the first one goes on', async () => {
    const daemon = await boot();
    await expect(bootDaemon({ folder: daemon.folder })).rejects.toMatchObject({ code: 'STORE_IN_USE' });
    expect((await daemon.get('/readyz')).status).toBe(200);
  });
});
