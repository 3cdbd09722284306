import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../protocol/metrics.ts';
import { LabelBounds } from '../../server/metrics/caps.ts';
import { DaemonMetrics, projectedVoucherRatio, ratioLabel } from '../../server/metrics/daemon-metrics.ts';
import { Counter, Gauge, Histogram, render } from '../../server/metrics/registry.ts';
import type { Reading } from '../../sla/reading.ts';
import { AGENT_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';

const text = (...families: Parameters<typeof render>[0] extends Iterable<infer F> ? F[] : never) =>
  [...render(families, 'text')].join('');

describe('the registry', () => {
  it('renders exactly the values that were set, after any sequence of changes', () => {
    const label = fc.constantFrom('a', 'b"c', 'd\\e', 'f\ng', '1:h', '');
    const change = fc.oneof(
      fc.record({ set: fc.tuple(label, label), value: fc.integer({ min: -5, max: 5 }) }),
      fc.record({ remove: fc.tuple(label, label) }),
      fc.constant('render' as const),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const gauge = new Gauge(METRICS.monthWindowsLeft);
        const model = new Map<string, number>();
        for (const one of changes) {
          if (one === 'render') text(gauge);
          else if ('set' in one) {
            gauge.set({ service: one.set[0], target: one.set[1] }, one.value);
            model.set(JSON.stringify(one.set), one.value);
          } else {
            gauge.remove({ service: one.remove[0], target: one.remove[1] });
            model.delete(JSON.stringify(one.remove));
          }
        }
        const escaped = (value: string) =>
          value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
        const expected = [...model].map(([key, value]) => {
          const [service, target] = JSON.parse(key) as [string, string];
          return `roomwatch_month_windows_left{service="${escaped(service)}",target="${escaped(target)}"} ${value}`;
        });
        const lines = text(gauge).trimEnd().split('\n').slice(2);
        expect(lines.sort()).toEqual(expected.sort());
      }),
    );
  });

  it('a series that comes back while a scrape is being read is not shown twice', () => {
    const gauge = new Gauge(METRICS.monthWindowsLost);
    for (let i = 0; i < 300; i += 1) gauge.set({ service: `s${i}` }, i);
    const pieces: string[] = [];
    for (const piece of render([gauge], 'text')) {
      pieces.push(piece);
      // Between two pieces the event loop may run anything.
      gauge.remove({ service: 's0' });
      gauge.set({ service: 's0' }, 1_000);
    }
    const names = pieces
      .join('')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(new Set(names.map((line) => line.split(' ')[0])).size).toBe(names.length);
    expect(names).toHaveLength(300);
  });

  it('a counter refuses to shrink', () => {
    const counter = new Counter(METRICS.batches);
    counter.add({ outcome: 'applied' }, 2);
    expect(() => counter.add({ outcome: 'applied' }, -1)).toThrow(RangeError);
    expect(() => counter.add({ outcome: 'applied' }, Number.NaN)).toThrow(RangeError);
    expect(counter.value({ outcome: 'applied' })).toBe(2);
  });

  it('a histogram counts a value on its bound below it, and everything under +Inf', () => {
    const histogram = new Histogram(METRICS.evaluationSeconds, [0.1, 1]);
    histogram.observe(0.1);
    histogram.observe(0.100001, 2);
    histogram.observe(7);
    expect(text(histogram).split('\n').slice(2)).toEqual([
      'roomwatch_evaluation_seconds_bucket{le="0.1"} 1',
      'roomwatch_evaluation_seconds_bucket{le="1"} 3',
      'roomwatch_evaluation_seconds_bucket{le="+Inf"} 4',
      'roomwatch_evaluation_seconds_sum 7.300002',
      'roomwatch_evaluation_seconds_count 4',
      '',
    ]);
  });

  it('names a counter in OpenMetrics as that format wants, and ends', () => {
    const counter = new Counter(METRICS.batches);
    counter.add({ outcome: 'applied' });
    expect([...render([counter], 'openmetrics')].join('').split('\n')).toEqual([
      '# HELP roomwatch_batches Batches received, by what became of them.',
      '# TYPE roomwatch_batches counter',
      'roomwatch_batches_total{outcome="applied"} 1',
      '# EOF',
      '',
    ]);
  });
});

describe('label bounds', () => {
  it('keep the first values and call the rest other, at every level', () => {
    const bounds = new LabelBounds({ services: 2, regionsPerService: 2, platformsPerService: 1 });
    expect(bounds.bounded('a', 'r1', 'web')).toEqual({ service: 'a', region: 'r1', platform: 'web' });
    expect(bounds.bounded('a', 'r2', 'native')).toEqual({ service: 'a', region: 'r2', platform: 'other' });
    expect(bounds.bounded('a', 'r3', 'web')).toEqual({ service: 'a', region: 'other', platform: 'web' });
    expect(bounds.bounded('b', 'r3', 'ios')).toEqual({ service: 'b', region: 'r3', platform: 'ios' });
    expect(bounds.bounded('c', 'r1', 'web')).toEqual({
      service: 'other',
      region: 'other',
      platform: 'other',
    });
    expect(bounds.bounded('a', 'r1', 'web').region).toBe('r1');
    expect(bounds.admits('b')).toBe(true);
    expect(bounds.admits('c')).toBe(false);
  });
});

it('a target becomes a ratio without passing through a float', () => {
  const cases = {
    '99.9': '0.999',
    '99.5': '0.995',
    '99': '0.99',
    '99.0': '0.99',
    '100': '1',
    '9.5': '0.095',
    '0.5': '0.005',
    '50': '0.5',
  };
  for (const [percent, ratio] of Object.entries(cases)) expect(ratioLabel(percent)).toBe(ratio);
});

describe('the exposition of a daemon with traffic', () => {
  let daemon: TestDaemon;
  let agent: RawAgent;
  beforeAll(async () => {
    daemon = await bootDaemon();
    agent = (await RawAgent.greet(daemon.daemon.port, { services: ['acme'] }, AGENT_TOKEN)).agent;
    const cells = [
      cell({ n: 10, region: 'a "quoted" \\ region' }),
      failedCell({ n: 1, region: 'ap-guangzhou', cause: 'network' }),
      cell({ n: 20, region: '', platform: '', result: 'entered' }),
      cell({ n: 4, region: '', platform: '', result: 'left' }),
      cell({ n: 3, region: '', platform: '', result: 'returned' }),
    ];
    agent.send(agent.batch(1, { cells, lost: { 'disk-full': 3 } }));
    await agent.acknowledged(1);
    await waitFor('the gauges', async () => (await metrics()).includes('month_windows_lost{service="acme"}'));
  });
  afterAll(async () => {
    await agent.end();
    await daemon.stop();
  });
  const metrics = async (accept = 'text/plain') => (await daemon.get('/metrics', { accept })).text();

  it('pleases promtool, down to its lints', async () => {
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: await metrics(), encoding: 'utf8' });
    if (checked.error)
      throw new Error('promtool is missing; install prometheus (Debian: apt-get install prometheus)');
    expect(checked.stdout + checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });

  it('has every metric of the specification, with its help and type', async () => {
    const shown = await metrics();
    for (const { name, type } of Object.values(METRICS)) expect(shown).toContain(`# TYPE ${name} ${type}\n`);
    expect(shown).toMatch(/^roomwatch_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
    expect(shown).toMatch(/^process_cpu_seconds_total /m);
    expect(shown).toMatch(/^roomwatch_outcomes_lost_total\{reason="disk-full"\} 3$/m);
  });

  it('shows what the callbacks of the vendor say, and them among no attempts', async () => {
    const shown = await metrics();
    expect(shown).toContain('roomwatch_callback_entries_total{service="acme"} 20\n');
    expect(shown).toContain('roomwatch_callback_exits_total{service="acme"} 4\n');
    expect(shown).toContain('roomwatch_callback_returns_total{service="acme"} 3\n');
    expect(shown).toContain('roomwatch_month_callback_coverage_ratio{service="acme"} 0.5\n');
    expect(shown).toContain('roomwatch_callback_concurrency_rise{service="acme"} 19\n');
    expect(shown).toContain('roomwatch_month_surges{service="acme"} 0\n');
    expect(shown).not.toContain('region="",platform=""');
  });

  it('is OpenMetrics for who asks for it', async () => {
    const response = await daemon.get('/metrics', { accept: 'application/openmetrics-text;version=1.0.0' });
    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text/);
    expect((await response.text()).endsWith('# EOF\n')).toBe(true);
  });

  it('counts what it refuses to connect', async () => {
    await expect(RawAgent.connect(daemon.daemon.port, { token: 'not-a-token-of-ours' })).rejects.toThrow(
      '401',
    );
    expect(await metrics()).toContain('roomwatch_connections_refused_total{reason="unauthenticated"} 1');
  });
});

it('expects a voucher by what each line owes more than the one above', () => {
  const lines = [
    { target: '99.9', voucherPercent: 10 },
    { target: '99.5', voucherPercent: 20 },
    { target: '99', voucherPercent: 50 },
  ].map((line) => ({ ...line, allowed: 8, left: 5, crossed: false }));
  const expected = (...chances: [number, number, number]) => {
    const [first, second, third] = chances;
    const breachProbability = { '99.9': first, '99.5': second, '99': third };
    const { projection } = readingOf('acme', []);
    return projectedVoucherRatio({ lines, projection: { ...projection, breachProbability } });
  };
  expect(expected(0, 0, 0)).toBe(0);
  expect(expected(1, 0, 0)).toBeCloseTo(0.1, 12);
  expect(expected(1, 1, 1)).toBeCloseTo(0.5, 12);
  expect(expected(0.5, 0.2, 0.1)).toBeCloseTo(0.05 + 0.02 + 0.03, 12);
});

it('shows a change of a service only where it changed, and takes its month away outside the service period', () => {
  const metrics = new DaemonMetrics({
    version: '0.0.0',
    caps: { services: 1, regionsPerService: 1, platformsPerService: 1 },
  });
  metrics.publish(readingOf('acme', ['99.9', '99']));
  metrics.publish(readingOf('globex', ['99.9']));
  const shown = () => [...render(metrics.families(), 'text')].join('');
  expect(shown()).toContain('month_windows_left{service="acme",target="0.99"} 5');
  // Beyond the cap a gauge is not shown: sums of several services' windows would mean nothing.
  expect(shown()).not.toContain('globex');
  metrics.publish(readingOf('acme', ['99.9']));
  expect(shown()).not.toContain('target="0.99"');
  metrics.withdraw('acme');
  expect(shown()).not.toContain('service="acme"');
});

it('takes the gauges of callbacks away with the callbacks, and has no coverage where nobody entered', () => {
  const metrics = new DaemonMetrics({
    version: '0.0.0',
    caps: { services: 1, regionsPerService: 1, platformsPerService: 1 },
  });
  const callbacks = { from: '', to: '', entered: 8, reported: 4, coverage: 0.5, rise: 3, surges: [] };
  const shown = () =>
    [...render(metrics.families(), 'text')].join('').match(/^roomwatch.*callback.* \d.*$/gm);
  const reading = readingOf('acme', ['99.9']);
  metrics.publish({ ...reading, callbacks });
  expect(shown()).toEqual([
    'roomwatch_month_callback_coverage_ratio{service="acme"} 0.5',
    'roomwatch_callback_concurrency_rise{service="acme"} 3',
  ]);
  metrics.publish({ ...reading, callbacks: { ...callbacks, entered: 0, coverage: null } });
  expect(shown()).toEqual(['roomwatch_callback_concurrency_rise{service="acme"} 3']);
  metrics.publish(reading);
  expect(shown()).toBeNull();
  metrics.calledBack('acme', [2, 1, 3]);
  metrics.calledBack('globex', [5, 0, 0]);
  expect(shown()).toEqual([
    'roomwatch_callback_entries_total{service="acme"} 2',
    'roomwatch_callback_entries_total{service="other"} 5',
    'roomwatch_callback_exits_total{service="acme"} 1',
    'roomwatch_callback_exits_total{service="other"} 0',
    'roomwatch_callback_returns_total{service="acme"} 3',
    'roomwatch_callback_returns_total{service="other"} 0',
  ]);
});

function readingOf(service: string, targets: readonly string[]): Reading {
  const figure = { lost: 1, ratio: 0.999 };
  return {
    service,
    month: '2026-07',
    asOf: '2026-07-15T04:00:00.000Z',
    period: { start: '', end: '', days: 31, windows: 8_928, minutes: 44_640 },
    windows: { up: 0, down: 1, excluded: 0, idle: 0, unmeasured: 0, remaining: 0, lowVolumeDown: 0 },
    attempts: 0,
    failures: { provider: 0, unknown: 0, customer: 0, network: 0 },
    downtimeMinutes: 5,
    availability: { ratio: 0.999, display: '99.9%', meetsTarget: true },
    figures: { providerOnly: figure, providerAndUnknown: figure, raw: figure },
    budget: { allowed: 8, lost: 1, left: 7 },
    lines: targets.map((target) => ({ target, allowed: 8, left: 5, crossed: false, voucherPercent: 10 })),
    voucherPercent: 0,
    projection: {
      availability: { expected: 0.999, low: 0.99, high: 1 },
      expectedLost: 1,
      breachProbability: Object.fromEntries(targets.map((target) => [target, 0.1])),
      a: 0,
      b: 0,
    },
    claim: { opens: '', deadline: '' },
    coverage: 1,
    openWindow: null,
    rolling: { attempts: 10, failures: 1 },
    lostWindows: [],
    revisions: [],
    warnings: [],
  };
}
