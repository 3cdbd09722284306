import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Registry } from 'prom-client';
import { type Agent, createAgent } from '../../agent/index.ts';
import { startPeer } from '../agent/peer.ts';
import { seededRandom } from '../support/random.ts';
import { benchFolder } from './lib/agent-folder.ts';
import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, printMachine, printTable, ratios, show, spreadOf, TURN_MS } from './lib/report.ts';

/**
 * Outcomes a second that an application records through the library, until they are on disk and acknowledged, beside
 * what teams use otherwise, a labelled counter of prom-client, which keeps them in memory. The CPU of the whole
 * process counts, so that what the library does in the background is not left out; what it drops does not count.
 */
const PORTION = 10_000;

/** What an application knows of one entry; each record is a literal of its own, as at a real call. */
interface Entry {
  readonly platform: string;
  readonly region: string;
  readonly durationMs: number;
  readonly isFailed: boolean;
}

const random = seededRandom(7);
const entries = Array.from(
  { length: 1_000 },
  (): Entry => ({
    platform: random.pick(['web-v5', 'native']),
    region: random.pick(['ap-guangzhou', 'ap-singapore', 'eu-frankfurt']),
    durationMs: random.integer(100, 2_000),
    isFailed: random.integer(1, 100) === 1,
  }),
);
let ids = 0;
const service = 'acme';
const failure = { result: 'failed', code: 5400, extraCode: -10015 } as const;

interface Kind {
  readonly name: string;
  readonly record: (agent: Agent, entry: Entry) => void;
}
const KINDS: readonly Kind[] = [
  {
    name: 'as they happen',
    record: (agent, { platform, region, durationMs, isFailed }) => {
      if (isFailed) agent.record({ service, platform, region, durationMs, ...failure });
      else agent.record({ service, platform, region, durationMs, result: 'ok' });
    },
  },
  {
    name: 'with their time',
    record: (agent, { platform, region, durationMs, isFailed }) => {
      const at = Date.now();
      if (isFailed) agent.record({ service, platform, region, durationMs, at, ...failure });
      else agent.record({ service, platform, region, durationMs, at, result: 'ok' });
    },
  },
  {
    name: 'with an id each',
    record: (agent, { platform, region, durationMs, isFailed }) => {
      const id = `c0ffee${(ids++).toString(16)}`;
      if (isFailed) agent.record({ service, platform, region, durationMs, id, ...failure });
      else agent.record({ service, platform, region, durationMs, id, result: 'ok' });
    },
  },
];

interface Side {
  readonly record: (n: number) => void;
  /** Outcomes dropped so far. */
  readonly lost: () => number;
  readonly settled: () => Promise<void>;
}

interface Rate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** Records for a while, in portions between which the event loop turns, and then waits until all is counted. */
async function turn(side: Side): Promise<Rate> {
  await quiet();
  const lostBefore = side.lost();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let n = 0;
  while (performance.now() - startedAt < TURN_MS) {
    for (const end = n + PORTION; n < end; n += 1) side.record(n);
    await nextTurn();
  }
  await side.settled();
  const { user, system } = process.cpuUsage(cpuBefore);
  const kept = n - (side.lost() - lostBefore);
  const elapsedMs = performance.now() - startedAt;
  return { perSecond: (kept / elapsedMs) * 1_000, perCpuSecond: (kept / (user + system)) * 1e6 };
}

printMachine();
const folder = benchFolder('record');
const peer = await startPeer();
const counter = new Counter({
  name: 'outcomes',
  help: 'outcomes',
  labelNames: ['service', 'platform', 'region', 'result', 'code'],
  registers: [new Registry()],
});
const rows: string[][] = [
  ['million outcomes a second', 'of CPU', 'elapsed', 'prom-client, of CPU', 'ratio', 'dropped'],
];
for (const [index, kind] of KINDS.entries()) {
  const agent = createAgent({
    services: ['acme'],
    server: peer.url,
    token: 'bench',
    spoolDirectory: join(folder, String(index)),
  });
  const record = (n: number) => kind.record(agent, entries[n % 1_000]!);
  const count = (n: number) => {
    const { platform, region, isFailed } = entries[n % 1_000]!;
    if (isFailed) counter.inc({ service, platform, region, result: 'failed', code: 5400 });
    else counter.inc({ service, platform, region, result: 'ok', code: '' });
  };
  const sides: Record<'agent' | 'counter', Side> = {
    agent: {
      record,
      lost: () => agent.dropped,
      settled: async () => {
        if (!(await agent.flush(60_000))) throw new Error('not everything was counted');
      },
    },
    counter: { record: count, lost: () => 0, settled: async () => {} },
  };
  const own: Rate[] = [];
  const plain: Rate[] = [];
  for (let cycle = -3; cycle < CYCLES; cycle += 1) {
    const turns = [await turn(sides.agent), await turn(sides.counter)] as const;
    // The first cycles warm up.
    if (cycle < 0) continue;
    own.push(turns[0]);
    plain.push(turns[1]);
  }
  const million = (rates: readonly number[]) => rates.map((rate) => rate / 1e6);
  const [ownCpu, plainCpu] = [own, plain].map((rates) => million(rates.map((rate) => rate.perCpuSecond)));
  rows.push([
    kind.name,
    show(spreadOf(ownCpu!)),
    show(spreadOf(million(own.map((rate) => rate.perSecond)))),
    show(spreadOf(plainCpu!)),
    show(ratios(ownCpu!, plainCpu!)),
    String(agent.dropped),
  ]);
  await agent.close();
}
await peer.stop();
printTable(rows);
printDisturbed();
