import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { readOutcomeStream } from '../../agent/intake/stdin.ts';
import { silentLog } from '../../agent/log.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { benchFolder, NO_DAEMON } from './lib/agent-folder.ts';
import { CYCLES, isQuick, number, printMachine, printTable, ratios, show, spreadOf } from './lib/report.ts';

/**
 * Outcome lines a second that an agent takes from a stream until they are on disk, beside a loop of readline and
 * JSON.parse that does nothing else with them; both from the same file, within one cycle.
 */
const LINES = isQuick ? 100_000 : 300_000;

const outcome = (random: Random, n: number) => {
  const isFailed = random.integer(1, 200) === 1;
  return {
    service: 'acme',
    at: new Date(Date.UTC(2026, 10, 23) + n * 3).toISOString(),
    result: isFailed ? 'failed' : 'ok',
    platform: 'web-v5',
    ...(isFailed && { code: 5400, extraCode: -10015 }),
    region: random.pick(['ap-guangzhou', 'ap-singapore', 'eu-frankfurt']),
    app: '1400000123',
    durationMs: random.integer(100, 2_000),
  };
};
let ids = 0;
const nextId = () => `c0ffee${(ids++).toString(16).padStart(12, '0')}`;
const KINDS: readonly { readonly name: string; readonly write: (random: Random, n: number) => string }[] = [
  { name: 'canonical', write: (random, n) => JSON.stringify(outcome(random, n)) },
  {
    name: 'short',
    write: (random, n) => {
      const { service, at, result } = outcome(random, n);
      return JSON.stringify({ service, at, result });
    },
  },
  {
    name: 'without a time',
    write: (random, n) => {
      const { at: _, ...rest } = outcome(random, n);
      return JSON.stringify(rest);
    },
  },
  {
    name: 'among other fields',
    write: (random, n) =>
      JSON.stringify({ ...outcome(random, n), user: { id: n, agent: 'a "quoted" one' }, tags: ['x', 'y'] }),
  },
  {
    name: 'label beyond ASCII',
    write: (random, n) => JSON.stringify({ ...outcome(random, n), region: 'zürich' }),
  },
  {
    // As Python's json.dumps writes it.
    name: 'spaces, nulls, escapes',
    write: (random, n) => {
      const { at, ...rest } = outcome(random, n);
      const whole = { ...rest, code: null, extraCode: null, ...rest, region: 'zürich', id: null };
      const members = Object.entries({ ...whole, at: at.replace('Z', '456+00:00') }).map(
        ([key, value]) => `"${key}": ${JSON.stringify(value).replace('ü', '\\u00fc')}`,
      );
      return `{${members.join(', ')}}`;
    },
  },
  // Another file for each cycle, or every line after the first one's would be a repeat.
  { name: 'with ids', write: (random, n) => JSON.stringify({ ...outcome(random, n), id: nextId() }) },
  {
    name: 'with ids beyond ASCII',
    write: (random, n) => JSON.stringify({ ...outcome(random, n), id: `zürich-${nextId()}` }),
  },
  {
    name: 'with ids that have escapes',
    write: (random, n) => JSON.stringify({ ...outcome(random, n), id: `"${nextId()}"` }),
  },
];

async function writeLines(path: string, write: (random: Random, n: number) => string): Promise<void> {
  const random = seededRandom(7);
  function* chunks() {
    for (let n = 0; n < LINES; ) {
      let text = '';
      for (const end = Math.min(LINES, n + 10_000); n < end; n += 1) text += `${write(random, n)}\n`;
      yield text;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
}

async function plainLoop(path: string): Promise<void> {
  let lines = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (JSON.parse(line) !== null) lines += 1;
  }
  if (lines !== LINES) throw new Error(`${lines} of ${LINES} lines were read`);
}

interface Turn {
  readonly rate: number;
  readonly cpu: number;
}

async function turn(loop: () => Promise<void>): Promise<Turn> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await loop();
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: LINES / elapsedMs / 1_000, cpu: ((user + system) * 1_000) / LINES };
}

printMachine();
const folder = benchFolder('stdin');
const rows: string[][] = [
  ['million lines a second', 'bytes', 'agent', 'readline + JSON.parse', 'ratio', 'ns of CPU', 'and', 'ratio'],
];
for (const [index, { name, write }] of KINDS.entries()) {
  const agent = await startAgent({
    server: NO_DAEMON,
    token: async () => 'bench',
    spoolDirectory: join(folder, `spool-${index}`),
    services: ['acme'],
  });
  const { receiver, spool, metrics } = agent;
  const path = join(folder, 'lines.ndjson');
  const ownLoop = async () => {
    const before = metrics.total('outcomesAccepted');
    await readOutcomeStream(createReadStream(path), {
      ...{ receiver, spool, metrics, clock: systemClock, log: silentLog },
      signal: new AbortController().signal,
    });
    const accepted = metrics.total('outcomesAccepted') - before;
    if (accepted !== LINES) throw new Error(`${accepted} of ${LINES} lines were accepted`);
  };
  const own: Turn[] = [];
  const plain: Turn[] = [];
  for (let cycle = -2; cycle < CYCLES; cycle += 1) {
    await writeLines(path, write);
    const turns = [await turn(ownLoop), await turn(() => plainLoop(path))] as const;
    // The first cycles warm up.
    if (cycle < 0) continue;
    own.push(turns[0]);
    plain.push(turns[1]);
  }
  const rates = (turns: readonly Turn[]) => turns.map(({ rate }) => rate);
  const costs = (turns: readonly Turn[]) => turns.map(({ cpu }) => cpu);
  rows.push([
    name,
    number(statSync(path).size / LINES),
    show(spreadOf(rates(own))),
    show(spreadOf(rates(plain))),
    show(ratios(rates(own), rates(plain))),
    number(spreadOf(costs(own)).median),
    number(spreadOf(costs(plain)).median),
    show(ratios(costs(plain), costs(own))),
  ]);
  await agent.stop(0);
}
printTable(rows);
