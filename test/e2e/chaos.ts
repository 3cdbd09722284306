import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CAUSES, type Cause } from '../../sla/cause.ts';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
import { type RunningRedis, startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

/**
 * The whole way of an outcome under fire: applications report to several agents, while agents, the daemon and
 * Redis are killed with `kill -9` at random and connections are cut in mid-reply. An application repeats a report
 * with the same ids until it has its 202, as a real one does; so the oracle is exact: every id counts once.
 */
export interface ChaosOptions {
  readonly store: 'redis' | 'embedded';
  readonly outcomes: number;
  readonly agents: number;
  readonly seed: number;
  /** Reported by all agents together, so that the faults have time to happen. */
  readonly outcomesPerSecond: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  readonly say?: (text: string) => void;
}

/** service -> attempts and failures by cause */
export type Totals = Record<string, { attempts: number } & Record<Cause, number>>;

export interface ChaosResult {
  readonly reported: Totals;
  readonly counted: Totals;
  readonly faults: Record<string, number>;
  readonly elapsedMs: number;
}

const SERVICES = ['acme', 'globex'] as const;
const TOKEN = 'chaos-token-chaos-token-chaos-token';
const BATCH = 100;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const random = seededRandom(options.seed);
  const say = options.say ?? (() => {});
  const startedAtMs = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-chaos-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    let redis: RunningRedis | undefined;
    let redisProxy: CutProxy | undefined;
    if (options.store === 'redis') {
      redis = await startRedis({ aof: true });
      undo.push(() => redis!.stop());
      redisProxy = await startCutProxy({ targetPort: redis.port });
      undo.push(() => redisProxy!.stop());
    }
    const daemonPort = await freePort();
    const daemonConfig = join(folder, 'roomwatch.yaml');
    const store = redisProxy
      ? `  url: redis://127.0.0.1:${redisProxy.port}`
      : `  directory: ${join(folder, 'books')}`;
    await writeFile(
      daemonConfig,
      [
        `listen: { host: 127.0.0.1, port: ${daemonPort} }`,
        'store:',
        store,
        'tokens:',
        `  - { name: edge, token: ${TOKEN}, services: all, role: agent }`,
        '',
      ].join('\n'),
    );
    const startDaemon = () => startProgram('daemon', ['serve', '--config', daemonConfig], { cwd: folder });
    let daemon = startDaemon();
    undo.push(() => daemon.kill('SIGKILL'));

    const agentProxy = await startCutProxy({ targetPort: daemonPort });
    undo.push(() => agentProxy.stop());
    const agents = await Promise.all(
      Array.from({ length: options.agents }, async (_, index) => {
        const port = await freePort();
        const args = ['--server', `ws://127.0.0.1:${agentProxy.port}`, '--service', SERVICES[0]];
        args.push('--listen', `127.0.0.1:${port}`, '--spool', join(folder, `spool-${index}`));
        const start = () => startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: TOKEN } });
        return { port, start, running: start() as RunningProgram };
      }),
    );
    undo.push(() => Promise.all(agents.map((agent) => agent.running.kill('SIGKILL'))));

    const faults: Record<string, number> = {};
    let isOver = false;
    const chaos = async () => {
      const inject: Record<string, () => Promise<void> | void> = {
        'kill -9 agent': async () => {
          const agent = random.pick(agents);
          await agent.running.kill('SIGKILL');
          await sleep(random.integer(0, 200));
          agent.running = agent.start();
        },
        'kill -9 daemon': async () => {
          await daemon.kill('SIGKILL');
          await sleep(random.integer(0, 300));
          daemon = startDaemon();
        },
        'cut agents': () => agentProxy.cut(),
        'drop replies to agents': () => agentProxy.dropReplies(random.integer(1, 3)),
      };
      if (redis && redisProxy) {
        const [server, proxy] = [redis, redisProxy];
        inject['kill -9 redis'] = async () => {
          await server.kill9();
          await sleep(random.integer(0, 300));
          await server.restart();
        };
        inject['cut redis'] = () => proxy.cut();
        inject['drop replies of redis'] = () => proxy.dropReplies(random.integer(1, 5));
      }
      while (!isOver) {
        await sleep(random.integer(options.faultEveryMs / 2, options.faultEveryMs * 1.5));
        if (isOver) break;
        const name = random.pick(Object.keys(inject));
        await inject[name]!();
        faults[name] = (faults[name] ?? 0) + 1;
      }
    };
    const injecting = chaos();

    const reported: Totals = {};
    await Promise.all(
      agents.map(async (agent, index) => {
        const share =
          Math.floor(options.outcomes / agents.length) + (index < options.outcomes % agents.length ? 1 : 0);
        const random = seededRandom(options.seed * 1_000 + index);
        for (let sent = 0; sent < share; ) {
          const n = Math.min(BATCH, share - sent);
          const records = Array.from({ length: n }, (_, k) => outcomeAt(random, `${index}-${sent + k}`));
          await reportUntilAccepted(agent, records);
          for (const record of records) add(reported, record);
          sent += n;
          await sleep((n * options.agents * 1_000) / options.outcomesPerSecond);
          if (Math.floor(sent / 10_000) !== Math.floor((sent - n) / 10_000))
            say(`agent ${index}: ${sent} accepted`);
        }
      }),
    );
    isOver = true;
    await injecting;
    say(`all reported; faults so far: ${JSON.stringify(faults)}`);

    const counted = await waitFor(
      'the daemon to hold every outcome',
      async () => {
        const now = await countedBy(daemonPort);
        return JSON.stringify(sorted(now)) === JSON.stringify(sorted(reported)) ? now : undefined;
      },
      { withinMs: 90_000, everyMs: 500 },
    ).catch(async (error) => {
      say(String(error));
      say(`daemon log:\n${daemon.log().slice(-4_000)}`);
      for (const agent of agents) say(`agent log:\n${agent.running.log().slice(-2_000)}`);
      return countedBy(daemonPort);
    });
    return { reported, counted, faults, elapsedMs: Date.now() - startedAtMs };
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

interface Report {
  id: string;
  service: string;
  result: 'ok' | 'failed';
  cause?: Cause;
  region: string;
  count: number;
}

function outcomeAt(random: ReturnType<typeof seededRandom>, id: string): Report {
  const base = { id, service: random.pick(SERVICES), region: random.pick(['a', 'b', 'c']), count: 1 };
  if (random.next() < 0.97) return { ...base, result: 'ok' };
  return { ...base, result: 'failed', cause: random.pick(CAUSES) };
}

function add(totals: Totals, report: Report): void {
  totals[report.service] ??= { attempts: 0, provider: 0, unknown: 0, customer: 0, network: 0 };
  const sum = totals[report.service]!;
  sum.attempts += report.count;
  if (report.cause) sum[report.cause] += report.count;
}

async function reportUntilAccepted(
  agent: { readonly port: number },
  records: readonly Report[],
): Promise<void> {
  await waitFor(
    'an agent to accept a report',
    async () => {
      const response = await fetch(`http://127.0.0.1:${agent.port}/v1/outcomes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(records),
        signal: AbortSignal.timeout(5_000),
      });
      const body = await response.text();
      if (response.status !== 202) throw new Error(`${response.status} ${body}`);
      return true;
    },
    { withinMs: 60_000, everyMs: 50 },
  );
}

/** What the daemon's API says of the current and, around a month's edge, the neighbouring months. */
async function countedBy(port: number): Promise<Totals> {
  const totals: Totals = {};
  for (const service of SERVICES) {
    const sum = { attempts: 0, provider: 0, unknown: 0, customer: 0, network: 0 };
    for (const month of monthsAround(Date.now())) {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/services/${service}/months/${month}`);
      if (response.status === 404) continue;
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const reading = (await response.json()) as { attempts: number; failures: Record<Cause, number> };
      sum.attempts += reading.attempts;
      for (const cause of CAUSES) sum[cause] += reading.failures[cause];
    }
    if (sum.attempts > 0) totals[service] = sum;
  }
  return totals;
}

function monthsAround(nowMs: number): string[] {
  const day = 86_400_000;
  return [...new Set([-1, 0, 1].map((shift) => new Date(nowMs + shift * day).toISOString().slice(0, 7)))];
}

function sorted(totals: Totals): [string, Totals[string]][] {
  return Object.entries(totals).sort(([a], [b]) => a.localeCompare(b));
}
