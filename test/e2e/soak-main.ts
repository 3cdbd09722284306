import { parseArgs } from 'node:util';
import { runSoak, type SoakSample } from './soak.ts';

// npm run soak -- [--minutes 60]: prints a sample every ten seconds, and at the end whether memory grew and
// whether every outcome was counted once; exit 1 if not.
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    'restart-every-minutes': { type: 'string', default: '4' },
    'cut-every-minutes': { type: 'string', default: '2' },
    'requests-per-second': { type: 'string', default: '50' },
    'outcomes-per-request': { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const MINUTE_MS = 60_000;
const minutes = positive('minutes', values.minutes, 24 * 60);
const forMs = minutes * MINUTE_MS;
const columns: readonly [string, keyof SoakSample][] = [
  ['agent RSS', 'agentRssBytes'],
  ['heap', 'agentHeapBytes'],
  ['spool', 'spoolBytes'],
  ['daemon RSS', 'daemonRssBytes'],
  ['heap', 'daemonHeapBytes'],
];

say(`${minutes} minutes, seed ${values.seed}; in MiB`);
say(['   minute', ...columns.map(([name]) => name.padStart(10)), '    accepted'].join('  '));
const result = await runSoak({
  forMs,
  sampleEveryMs: Math.min(10_000, forMs / 12),
  restartEveryMs: positive('restart-every-minutes', values['restart-every-minutes'], 24 * 60) * MINUTE_MS,
  cutEveryMs: positive('cut-every-minutes', values['cut-every-minutes'], 24 * 60) * MINUTE_MS,
  requestsPerSecond: positive('requests-per-second', values['requests-per-second'], 1_000),
  outcomesPerRequest: positive('outcomes-per-request', values['outcomes-per-request'], 1_000),
  seed: positive('seed', values.seed, 2 ** 31),
  onSample: (sample) => {
    const cells = columns.map(([, key]) => mib(sample[key]).padStart(10));
    say([minute(sample.atMs).padStart(9), ...cells, String(sample.accepted).padStart(12)].join('  '));
  },
});

// The first third fills what has a bound: the ids, the batches kept for ten minutes, the compiled code.
const settled = result.samples.filter(({ atMs }) => atMs >= forMs / 3);
const half = (2 * forMs) / 3;
const hoursApart = forMs / 3 / (60 * MINUTE_MS);
say(`\nmedians of minutes ${minute(forMs / 3)} to ${minute(half)}, and ${minute(half)} to ${minute(forMs)}`);
for (const [name, key] of columns) {
  const first = median(settled.filter(({ atMs }) => atMs < half).map((sample) => sample[key]));
  const second = median(settled.filter(({ atMs }) => atMs >= half).map((sample) => sample[key]));
  const owner = key.startsWith('daemon') ? 'daemon' : 'agent';
  const title = name.startsWith(owner) ? name : `${owner} ${name}`;
  const slope = (second - first) / hoursApart;
  say(`${title.padEnd(12)} ${mib(first)} -> ${mib(second)} MiB, ${mib(slope)} MiB an hour`);
}
const { accepted, counted, restarts, cuts, heldBack } = result;
const isExact = accepted.attempts === counted.attempts && accepted.failures === counted.failures;
say(`${restarts} restarts of the daemon, ${cuts} cuts, ${heldBack} requests held back`);
say(
  `${isExact ? 'exact' : 'DIFFERENT'}: accepted ${JSON.stringify(accepted)}, counted ${JSON.stringify(counted)}`,
);
process.exit(isExact ? 0 : 1);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function minute(ms: number): string {
  return (ms / MINUTE_MS).toFixed(1);
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function positive(name: string, text: string, most: number): number {
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  process.stderr.write(`--${name} ${text}: write a number above 0, at most ${most}\n`);
  process.exit(2);
}
