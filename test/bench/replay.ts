import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { replay } from '../../server/replay/replay.ts';
import { openSources } from '../../server/replay/source.ts';
import { causeOf, createCauseLookup } from '../../sla/causes.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { parseOutcome } from '../../sla/outcome.ts';
import { createTally } from '../../sla/tally.ts';
import { presetTerms } from '../../sla/terms.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { CYCLES, isQuick, number, printMachine, printTable, ratios, show, spreadOf } from './lib/report.ts';

/**
 * Outcome lines read a second: the whole replay (parsing, checking, ids, tallies) beside a plain loop of readline
 * and JSON.parse that only adds up the counts, and one that does the whole job the plain way; all three from the
 * same file and within one cycle. Then the command as users run it, with ten times the input for ten times the
 * days: its memory must not grow.
 */
const LINES = isQuick ? 100_000 : 500_000;
/** 2.3 outcomes a second: LINES are two and a half days, and ten times as many fit the month. */
const EVERY_MS = 432;
const month = monthOf('2026-11');
const folder = mkdtempSync(join(tmpdir(), 'bench-replay-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

interface Kind {
  readonly name: string;
  readonly write: (random: Random, atMs: number, n: number) => string;
}

const outcome = (random: Random, atMs: number, n: number) => {
  const isFailed = random.integer(1, 200) === 1;
  return {
    service: 'acme',
    at: new Date(atMs).toISOString(),
    result: isFailed ? 'failed' : 'ok',
    platform: 'web-v5',
    ...(isFailed && { code: 5400, extraCode: -10015 }),
    region: random.pick(['ap-guangzhou', 'ap-singapore', 'eu-frankfurt']),
    app: '1400000123',
    id: `c0ffee${n.toString(16).padStart(12, '0')}`,
    durationMs: random.integer(100, 2_000),
  };
};

const KINDS: readonly Kind[] = [
  { name: 'canonical, with ids', write: (...given) => JSON.stringify(outcome(...given)) },
  {
    name: 'canonical, without ids',
    write: (...given) => JSON.stringify({ ...outcome(...given), id: undefined }),
  },
  {
    name: 'short',
    write: (...given) => {
      const { service, at, result } = outcome(...given);
      return JSON.stringify({ service, at, result });
    },
  },
  {
    name: 'spaced, as Python writes',
    write: (...given) =>
      JSON.stringify(outcome(...given))
        .replaceAll('":', '": ')
        .replaceAll(',"', ', "'),
  },
  {
    name: 'label with an escape',
    write: (...given) => JSON.stringify(outcome(...given)).replace('"region":"', '"region":"\\u00e4'),
  },
  {
    name: 'an exponent, parsed in full',
    write: (...given) => JSON.stringify(outcome(...given)).replace(/("durationMs":\d+)/, '$1e0'),
  },
];

function monthOf(name: string): ServiceMonth {
  const found = serviceMonth(name, presetTerms('trtc'));
  if (!found.ok) throw new Error(found.message);
  return found.month;
}

async function writeLines(path: string, kind: Kind, lines: number): Promise<void> {
  const random = seededRandom(7);
  function* chunks() {
    for (let n = 0; n < lines; ) {
      let text = '';
      for (const end = Math.min(lines, n + 10_000); n < end; n += 1) {
        text += `${kind.write(random, month.startMs + n * EVERY_MS, n)}\n`;
      }
      yield text;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
}

async function plainLoop(path: string): Promise<number> {
  let attempts = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const record = JSON.parse(line) as { readonly count?: number };
    attempts += record.count ?? 1;
  }
  return attempts;
}

async function plainJob(path: string): Promise<number> {
  const tally = createTally(month.firstMinute, month.minuteCount);
  const lookup = createCauseLookup();
  const ids = new Set<string>();
  let counted = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const parsed = parseOutcome(JSON.parse(line), { service: 'acme' });
    if (!parsed.ok || parsed.outcome.service !== 'acme') continue;
    const { outcome } = parsed;
    if (outcome.id !== undefined) {
      if (ids.has(outcome.id)) continue;
      ids.add(outcome.id);
    }
    const cause = outcome.result === 'failed' ? causeOf(outcome, lookup) : 'unknown';
    if (tally.add(outcome, cause)) counted += 1;
  }
  return counted;
}

async function ownLoop(path: string): Promise<number> {
  const sources = await openSources([path], process.stdin);
  const request = {
    service: 'acme',
    month,
    endMs: month.endMs,
    idSpanMinutes: 1_440,
    lookup: createCauseLookup(),
  };
  const { counts } = await replay(sources, request, {
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return counts.counted;
}

interface Turn {
  /** Million lines a second of elapsed time. */
  readonly rate: number;
  /** Nanoseconds of CPU a line, which other processes disturb less. */
  readonly cpu: number;
}

async function turn(loop: (path: string) => Promise<number>, path: string): Promise<Turn> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const counted = await loop(path);
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (counted !== LINES) throw new Error(`${counted} of ${LINES} lines were counted`);
  return { rate: LINES / elapsedMs / 1_000, cpu: ((user + system) * 1_000) / LINES };
}

printMachine();
const SIDES = [ownLoop, plainLoop, plainJob] as const;
const speeds: string[][] = [
  [
    'million lines a second',
    'bytes',
    'replay',
    'readline + JSON.parse',
    'ratio',
    'the whole job plainly',
    'ratio',
  ],
];
const costs: string[][] = [
  ['ns of CPU a line', 'replay', 'readline + JSON.parse', 'ratio', 'plainly', 'ratio'],
];
for (const kind of KINDS) {
  const path = join(folder, 'lines.ndjson');
  await writeLines(path, kind, LINES);
  const turns: Turn[][] = SIDES.map(() => []);
  for (let cycle = -2; cycle < CYCLES; cycle += 1) {
    for (const [side, loop] of SIDES.entries()) {
      const taken = await turn(loop, path);
      // The first cycles warm up.
      if (cycle >= 0) turns[side]!.push(taken);
    }
  }
  const [own, plain, job] = turns.map((side) => side.map(({ rate }) => rate)) as [
    number[],
    number[],
    number[],
  ];
  speeds.push([
    kind.name,
    number(statSync(path).size / LINES),
    show(spreadOf(own)),
    show(spreadOf(plain)),
    show(ratios(own, plain)),
    show(spreadOf(job)),
    show(ratios(own, job)),
  ]);
  const [ownCpu, plainCpu, jobCpu] = turns.map((side) => side.map(({ cpu }) => cpu)) as [
    number[],
    number[],
    number[],
  ];
  costs.push([
    kind.name,
    number(spreadOf(ownCpu).median),
    number(spreadOf(plainCpu).median),
    show(ratios(plainCpu, ownCpu)),
    number(spreadOf(jobCpu).median),
    show(ratios(jobCpu, ownCpu)),
  ]);
}
printTable(speeds);
console.log();
printTable(costs);

const program = join(dirname(fileURLToPath(import.meta.url)), '../../server/main.js');
const peak = 'process.on("exit",()=>console.error("peak "+process.resourceUsage().maxRSS))';

/** The command as users run it: seconds from start to end, and its peak of resident memory. */
async function command(path: string): Promise<{ readonly seconds: number; readonly peakMiB: number }> {
  const startedAt = performance.now();
  const { stderr } = await promisify(execFile)(process.execPath, [
    ...['--import', `data:text/javascript,${peak}`],
    ...[program, 'replay', path, '--service', 'acme', '--month', '2026-11', '--json'],
  ]);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { seconds, peakMiB: Number(/peak (\d+)/.exec(stderr)?.[1]) / 1_024 };
}

console.log('\nroomwatch replay FILE --json, from start to end');
const sizes: [string, string][] = [];
for (const times of [1, 10]) {
  const path = join(folder, `${times}.ndjson`);
  await writeLines(path, KINDS[0]!, LINES * times);
  sizes.push([`${number((LINES * times) / 1e6)} M lines`, path]);
}
const packed = join(folder, '1.ndjson.gz');
await pipeline(
  createReadStream(join(folder, '1.ndjson')),
  createGzip({ level: 1 }),
  createWriteStream(packed),
);
sizes.push([`${number(LINES / 1e6)} M lines, gzip`, packed]);
const empty = join(folder, 'empty.ndjson');
writeFileSync(empty, '');
sizes.push(['no line', empty]);
const runs = sizes.map(([name]) => ({ name, seconds: [] as number[], peaks: [] as number[] }));
for (let cycle = 0; cycle < Math.min(CYCLES, 5); cycle += 1) {
  for (const [index, [, path]] of sizes.entries()) {
    const { seconds, peakMiB } = await command(path);
    runs[index]!.seconds.push(seconds);
    runs[index]!.peaks.push(peakMiB);
  }
}
printTable([
  ['input', 'MiB', 'seconds', 'peak memory, MiB'],
  ...runs.map(({ name, seconds, peaks }, index) => [
    name,
    number(statSync(sizes[index]![1]).size / 2 ** 20),
    show(spreadOf(seconds)),
    show(spreadOf(peaks)),
  ]),
]);
