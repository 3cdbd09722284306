import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { signatureOf } from '../../agent/intake/callback-signer.ts';
import { UID } from '../../dashboards/board.ts';
import { dashboards } from '../../dashboards/build.ts';
import { AGENT_PATH, SUBPROTOCOL } from '../../protocol/limits.ts';
import { METRICS } from '../../protocol/metrics.ts';
import { monthAt } from '../../sla/month.ts';
import type { Outcome } from '../../sla/outcome.ts';
import type { Reading } from '../../sla/reading.ts';
import { presetTerms } from '../../sla/terms.ts';
import { AGENT_TOKEN, bootDaemon, READER_TOKEN, type TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { type HttpPeer, startHttpPeer } from '../support/http-peer.ts';
import { RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';
import { expressions, filledIn, panels } from './expressions.ts';
import { type Prometheus, startPrometheus } from './prometheus.ts';

const SERVICE = 'acme';
/** What Grafana would fill in, with a rate over twenty scrapes. */
const VARIABLES = { service: SERVICE, line: '0.999', __rate_interval: '20s', __range: '10m' };
const APP = '1400000123';
const CALLBACK_KEY = 'dashboards';
const MINUTE_MS = 60_000;
const WITHIN = { withinMs: 90_000, everyMs: 500 };
/** Contract terms in whose zone no month begins or ends while this runs: the incident of an hour ago is in it. */
const TERMS = ['+08:00', '-04:00']
  .map((timeZone) => ({ ...presetTerms('trtc'), timeZone }))
  .find(
    (terms) => monthAt(Date.now() - 120 * MINUTE_MS, terms) === monthAt(Date.now() + 30 * MINUTE_MS, terms),
  )!;
const MONTH = monthAt(Date.now(), TERMS);

let daemon: TestDaemon;
let agent: RunningAgent;
let receiver: HttpPeer;
let prometheus: Prometheus;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-queries-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  receiver = await startHttpPeer();
  undo.push(() => receiver.stop());
  daemon = await bootDaemon({
    folder,
    config: {
      terms: { preset: 'trtc', timeZone: TERMS.timeZone },
      alerting: { groupWaitMs: 0, receivers: receivers(receiver.url, await freePort()) },
    },
  });
  undo.push(() => daemon.stop());
  agent = await startAgent({
    server: daemon.url.replace('http', 'ws'),
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, 'spool'),
    services: [SERVICE],
    listen: { host: '127.0.0.1', port: 0 },
    trtcCallbacks: [{ sdkAppId: APP, service: SERVICE, key: async () => CALLBACK_KEY }],
  });
  undo.push(() => agent.stop());
  prometheus = await startPrometheus({
    roomwatch: { address: new URL(daemon.url).host, token: READER_TOKEN },
    'roomwatch-agent': { address: `127.0.0.1:${agent.ports.http}` },
  });
  undo.push(() => prometheus.stop());
  await reportIncident();
  await loseAndRefuse();
  const traffic = setInterval(() => {
    void report(now());
    void callBack();
  }, 500);
  undo.push(() => clearInterval(traffic));
}, 60_000);
afterAll(async () => {
  for (const step of undo.splice(0).reverse()) await step();
}, 30_000);

/** One receiver that listens, and one that nobody answers for. */
function receivers(url: string, deadPort: number): object[] {
  const webhook = { type: 'webhook', messagesPerMinute: 600 };
  return [
    { ...webhook, name: 'ops', url },
    { ...webhook, name: 'gone', url: `http://127.0.0.1:${deadPort}/` },
  ];
}

async function report(outcomes: readonly object[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${agent.ports.http}/v1/outcomes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(outcomes),
  });
  await response.arrayBuffer();
}

const outcome = (parts: Partial<Record<keyof Outcome | 'at', unknown>>) => ({
  result: 'ok',
  platform: 'web-v5',
  region: 'ap-guangzhou',
  count: 20,
  ...parts,
});

/** The traffic of half a second, with the failures of an incident. */
function now(): object[] {
  return [
    outcome({}),
    outcome({ region: 'eu-frankfurt', platform: 'native' }),
    ...(['provider', 'unknown', 'customer', 'network'] as const).map((cause) =>
      outcome({ result: 'failed', cause, count: 2 }),
    ),
  ];
}

/** The vendor tells of a user who came in. */
async function callBack(): Promise<void> {
  const nowMs = Date.now();
  const body = JSON.stringify({
    EventGroupId: 1,
    EventType: 103,
    CallbackTs: nowMs,
    EventInfo: { RoomId: 7, UserId: `user-${nowMs}`, EventMsTs: nowMs, EventTs: 1, Role: 20, Reason: 1 },
  });
  const response = await fetch(`http://127.0.0.1:${agent.ports.http}/v1/trtc/callback`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      SdkAppId: APP,
      Sign: signatureOf(CALLBACK_KEY, Buffer.from(body)),
    },
    body,
  });
  await response.arrayBuffer();
}

/** A window of an hour ago was lost, and with it the calm: the service has a history. */
async function reportIncident(): Promise<void> {
  const ago = (minutes: number) => new Date(Date.now() - minutes * MINUTE_MS).toISOString();
  await report([
    ...[70, 65, 60, 55, 50].map((minutes) => outcome({ at: ago(minutes), count: 500 })),
    outcome({ at: ago(60), result: 'failed', cause: 'provider', count: 60 }),
    { result: 'maybe' },
  ]);
}

/** What Health is for: a loss that an agent declares, and somebody without a token. */
async function loseAndRefuse(): Promise<void> {
  const { agent: raw } = await RawAgent.greet(daemon.daemon.port, { services: [SERVICE] }, AGENT_TOKEN);
  raw.send(raw.skip(1, 3, { outcomes: 30 }));
  await raw.acknowledged(3);
  await raw.end();
  const stranger = new WebSocket(daemon.url.replace('http', 'ws') + AGENT_PATH, SUBPROTOCOL, {
    headers: { authorization: 'Bearer a-token-nobody-ever-gave-out' },
  });
  await new Promise((resolve) => stranger.on('error', resolve));
}

interface Query {
  readonly panel: string;
  readonly expression: string;
  readonly isInstant: boolean;
}

function queriesOf(board: Dashboard): Query[] {
  return panels(board).flatMap((panel) =>
    expressions(panel).map((expression, i) => ({
      panel: panel.title ?? '',
      expression,
      isInstant: (panel.targets?.[i] as { instant?: boolean } | undefined)?.instant === true,
    })),
  );
}

/** A query as Grafana asks it: as of now, or over the last minutes. */
async function answered({ expression, isInstant }: Pick<Query, 'expression' | 'isInstant'>) {
  const text = filledIn(expression, VARIABLES);
  if (isInstant) return prometheus.query(text);
  const toMs = Date.now();
  return prometheus.queryRange(text, { fromMs: toMs - 6 * MINUTE_MS, toMs, stepMs: 5_000 });
}

describe.each(Object.entries(dashboards()) as [string, Dashboard][])('dashboard %s', (_name, board) => {
  it.each(queriesOf(board))('$panel: $expression', { timeout: 120_000 }, async (query) => {
    const samples = await waitFor(
      'data',
      async () => {
        const found = (await answered(query)).filter(({ value }) => !Number.isNaN(value));
        return found.length > 0 && found;
      },
      WITHIN,
    );
    for (const { value } of samples) expect(Number.isFinite(value)).toBe(true);
  });
});

describe('the variables', () => {
  it('offer the services and the lines of the contract', async () => {
    const { month } = dashboards();
    const list = (month?.templating?.list ?? []) as { name: string; definition?: string }[];
    const valuesOf = async (name: string) => {
      const definition = list.find((variable) => variable.name === name)?.definition ?? '';
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
      return prometheus.labelValues(label, filledIn(selector, VARIABLES));
    };
    await waitFor('a service', async () => (await valuesOf('service')).length > 0, WITHIN);
    expect(await valuesOf('service')).toEqual([SERVICE]);
    expect(await valuesOf('line')).toEqual(['0.99', '0.995', '0.999']);
  });
});

describe('the annotations of Month', () => {
  it('mark lost windows and alerts', { timeout: 120_000 }, async () => {
    const list = dashboards().month?.annotations?.list ?? [];
    const ours = list.filter(({ expr }) => expr !== undefined);
    expect(ours.map(({ name }) => name)).toEqual(['Lost window', 'Alert']);
    for (const { expr, name } of ours) {
      await waitFor(
        name,
        async () => (await answered({ expression: expr!, isInstant: false })).length > 0,
        WITHIN,
      );
    }
  });
});

describe('what the dashboards show', () => {
  const board = Object.values(dashboards()).find(({ uid }) => uid === UID.month)!;
  const expression = (title: string, index = 0) => {
    const panel = panels(board).find((one) => one.title === title);
    return filledIn(expressions(panel!)[index]!, VARIABLES);
  };

  it('is what the API says', { timeout: 120_000 }, async () => {
    const one = async (title: string, index = 0) => {
      const samples = await prometheus.query(expression(title, index));
      expect(samples, title).toHaveLength(1);
      return samples[0]!.value;
    };
    const cut = (ratio: number) => Math.floor(ratio * 1e5 + 1e-6) / 1e5;
    // A reading changes every few seconds here, and Prometheus looks once a second: compare until both stand still.
    await waitFor(
      'the gauges to be those of the reading',
      async () => {
        const reading = await daemon.getJson<Reading>(`/api/v1/services/${SERVICE}/months/${MONTH}`);
        const { projection } = reading;
        expect(reading.budget.lost).toBeGreaterThan(0);
        expect(await one('Windows left')).toBe(reading.budget.left);
        expect(await one('Availability observed so far')).toBeCloseTo(cut(reading.availability.ratio), 9);
        expect(`${((await one('Availability observed so far')) * 100).toFixed(3)}%`).toBe(
          reading.availability.display,
        );
        expect(await one('Projected at month end', 0)).toBeCloseTo(cut(projection.availability.low), 9);
        expect(await one('Projected at month end', 1)).toBeCloseTo(cut(projection.availability.expected), 9);
        expect(await one('Projected at month end', 2)).toBeCloseTo(cut(projection.availability.high), 9);
        expect(await one('Probability of missing the line')).toBeCloseTo(
          projection.breachProbability['99.9']!,
          9,
        );
        expect(await one('Downtime')).toBe(reading.downtimeMinutes * 60);
        expect(await one('Voucher owed so far')).toBe(reading.voucherPercent / 100);
        expect(await one('Coverage')).toBeCloseTo(reading.coverage, 9);
        expect(reading.callbacks?.coverage).toBeGreaterThan(1);
        expect(await one('Entries that agents saw too')).toBeCloseTo(reading.callbacks!.coverage!, 9);
        expect(await one('Surges to decide about')).toBe(0);
        const { breachProbability: chance } = projection;
        const stake = 0.1 * chance['99.9']! + 0.1 * chance['99.5']! + 0.3 * chance['99']!;
        expect(await one('Voucher at stake')).toBeCloseTo(stake, 9);
        return true;
      },
      WITHIN,
    );
  });

  it('counts what the agent reported, by cause', { timeout: 120_000 }, async () => {
    await waitFor(
      'the counters to be the books',
      async () => {
        const reading = await daemon.getJson<Reading>(`/api/v1/services/${SERVICE}/months/${MONTH}`);
        const counted = await prometheus.query(`sum by (cause) (${METRICS.entryFailures.name})`);
        const byCause = Object.fromEntries(counted.map(({ labels, value }) => [labels.cause, value]));
        expect(byCause).toEqual(reading.failures);
        return true;
      },
      WITHIN,
    );
  });
});
