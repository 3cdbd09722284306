import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Gauge, Registry } from 'prom-client';
import { Access } from '../../server/http/access.ts';
import { Router } from '../../server/http/router.ts';
import { metricsRoutes } from '../../server/http/routes/metrics.ts';
import { createHttpServer } from '../../server/http/server.ts';
import { createLog } from '../../server/log.ts';
import { DaemonMetrics } from '../../server/metrics/daemon-metrics.ts';
import { render } from '../../server/metrics/registry.ts';
import type { Reading } from '../../sla/reading.ts';
import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, printMachine, printTable, ratios, show, spreadOf } from './lib/report.ts';

/**
 * A scrape of 1,000 services in 10 regions, all of whose series have changed since the last one: how long it takes
 * from the request to the last byte, and how long at most one turn of the event loop took, in which nothing else is
 * done: by the clock, and in processor time, which a busy machine does not lengthen. Beside it prom-client with the
 * same series. Both are scraped by a thread of its own.
 */
const SERVICES = 1_000;
const REGIONS = 10;

printMachine();
const metrics = new DaemonMetrics({
  version: '0.0.0',
  caps: { services: SERVICES, regionsPerService: REGIONS, platformsPerService: 1 },
});
change(0);
const text = [...render(metrics.families(), 'text')].join('');
const registry = new Registry();
const theirs = mirrored(text);

const access = new Access({ tokens: [], host: '127.0.0.1', areMetricsOpen: true });
const ours = createHttpServer({
  router: new Router(metricsRoutes(async () => metrics.families())),
  access: () => access,
  log: createLog('silent'),
});
const bare = createServer(async (_, response) => {
  response.setHeader('content-type', registry.contentType);
  response.end(await registry.metrics());
});
const ports = { ours: await listening(ours), bare: await listening(bare) };
const scraper = new Worker(
  `const { parentPort } = require('node:worker_threads');
   const http = require('node:http');
   parentPort.on('message', ({ port, headers }) => {
     const startedAtMs = performance.now();
     http.get({ port, host: '127.0.0.1', path: '/metrics', headers, agent: false }, (response) => {
       let bytes = 0;
       response.on('data', (piece) => { bytes += piece.length; });
       response.on('end', () => parentPort.postMessage({ elapsedMs: performance.now() - startedAtMs, bytes }));
     });
   });`,
  { eval: true },
);

const SIDES = ['daemon', 'daemon, gzip', 'prom-client'] as const;
type Side = (typeof SIDES)[number];
const measured = Object.fromEntries(
  SIDES.map((side) => [
    side,
    { elapsedMs: [] as number[], turnMs: [] as number[], cpuMs: [] as number[], bytes: 0 },
  ]),
) as Record<Side, { elapsedMs: number[]; turnMs: number[]; cpuMs: number[]; bytes: number }>;
for (let cycle = 0; cycle < CYCLES + 1; cycle += 1) {
  for (const side of SIDES) {
    change(cycle + 1);
    theirs(cycle + 1);
    await quiet();
    const { elapsedMs, bytes, turnMs, cpuMs } = await scrape(side);
    // The first turn compiles.
    if (cycle === 0) continue;
    const into = measured[side];
    into.elapsedMs.push(elapsedMs);
    into.turnMs.push(turnMs);
    into.cpuMs.push(cpuMs);
    into.bytes = bytes;
  }
}
const baseline = measured['prom-client'];
printTable([
  [
    `${text.split('\n').filter((line) => !line.startsWith('#')).length - 1} series`,
    'ms',
    'ratio',
    'longest turn, ms',
    'of it processor',
    'ratio',
    'MB',
  ],
  ...SIDES.map((side) => {
    const { elapsedMs, turnMs, cpuMs, bytes } = measured[side];
    return [
      side,
      show(spreadOf(elapsedMs)),
      show(ratios(elapsedMs, baseline.elapsedMs)),
      show(spreadOf(turnMs)),
      show(spreadOf(cpuMs)),
      show(ratios(cpuMs, baseline.cpuMs)),
      (bytes / 1e6).toFixed(1),
    ];
  }),
]);
printDisturbed();
await scraper.terminate();
ours.close();
bare.close();

/** One scrape, while this thread looks how long each turn of its event loop takes. */
async function scrape(side: Side) {
  const port = side === 'prom-client' ? ports.bare : ports.ours;
  const headers = { 'accept-encoding': side === 'daemon, gzip' ? 'gzip' : 'identity' };
  const answer: { value?: { elapsedMs: number; bytes: number } } = {};
  scraper.once('message', (value: { elapsedMs: number; bytes: number }) => {
    answer.value = value;
  });
  scraper.postMessage({ port, headers });
  const longest = { turnMs: 0, cpuMs: 0 };
  let last = { atMs: performance.now(), cpuMs: processorMs() };
  while (answer.value === undefined) {
    await turn();
    const now = { atMs: performance.now(), cpuMs: processorMs() };
    longest.turnMs = Math.max(longest.turnMs, now.atMs - last.atMs);
    longest.cpuMs = Math.max(longest.cpuMs, now.cpuMs - last.cpuMs);
    last = now;
  }
  return { ...answer.value, ...longest };
}

/** What this thread has had of a processor, by Linux' own count. */
function processorMs(): number {
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1e6;
}

/** Every series of every service gets another value, as between two scrapes of a busy daemon. */
function change(round: number): void {
  for (let i = 0; i < SERVICES; i += 1) {
    const service = `service-${i}`;
    for (let region = 0; region < REGIONS; region += 1) {
      metrics.counted(service, `region-${region}`, 'web-v5', [100 + round, 1, 1, 1, 1]);
    }
    metrics.publish(readingOf(service, round));
  }
}

/** The same series in prom-client, as gauges: what renders fastest there. */
function mirrored(exposition: string): (round: number) => void {
  const gauges = new Map<string, Gauge>();
  const series: { gauge: Gauge; labels: Record<string, string>; value: number }[] = [];
  for (const line of exposition.split('\n')) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const [, name = '', pairs = '', value = '0'] = match;
    const labels = Object.fromEntries(
      [...pairs.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label!, text!]),
    );
    let gauge = gauges.get(name);
    if (!gauge) {
      gauge = new Gauge({ name, help: name, labelNames: Object.keys(labels), registers: [registry] });
      gauges.set(name, gauge);
    }
    series.push({ gauge, labels, value: Number(value) });
  }
  const set = (round: number) => {
    for (const { gauge, labels, value } of series) gauge.set(labels, value + round);
  };
  set(0);
  return set;
}

function readingOf(service: string, round: number): Reading {
  const figure = { lost: round % 9, ratio: 0.999 + round / 1e6 };
  return {
    service,
    month: '2026-11',
    asOf: '2026-11-15T04:00:00.000Z',
    period: { start: '', end: '', days: 30, windows: 8_640, minutes: 43_200 },
    windows: { up: 0, down: 1, excluded: 0, idle: 0, unmeasured: 0, remaining: 0, lowVolumeDown: 0 },
    attempts: 0,
    failures: { provider: 0, unknown: 0, customer: 0, network: 0 },
    downtimeMinutes: 5 * (round % 9),
    availability: { ratio: figure.ratio, display: '99.9%', meetsTarget: true },
    figures: { providerOnly: figure, providerAndUnknown: figure, raw: figure },
    budget: { allowed: 8, lost: round % 9, left: 8 - (round % 9) },
    lines: ['99.9', '99.5', '99'].map((target) => ({
      target,
      allowed: 8,
      left: 8 - (round % 9),
      crossed: false,
      voucherPercent: 10,
    })),
    voucherPercent: 0,
    projection: {
      availability: { expected: figure.ratio, low: figure.ratio, high: figure.ratio },
      expectedLost: 1,
      breachProbability: { '99.9': 0.1 + round / 1e4, '99.5': round / 1e4, '99': round / 1e5 },
      a: 0,
      b: 0,
    },
    claim: { opens: '', deadline: '' },
    coverage: 1 - round / 1e5,
    openWindow: null,
    rolling: { attempts: 100 + round, failures: 1 },
    lostWindows: [],
    revisions: [],
    warnings: [],
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
