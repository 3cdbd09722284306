import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCutProxy } from '../support/cut-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { seededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';
import { startWatched, type WatchedProgram } from './soak-program.ts';

/**
 * An agent and a daemon, each a process of its own, under steady traffic for a long time. In the first third the
 * daemon is restarted again and again, by SIGTERM and by `kill -9` in turn; all the time connections are cut.
 * Then both are left to live, so that memory which grows has the time to show. Every outcome has an id, so that
 * the agent's memory of ids reaches its bound of a million within the first third of an hour.
 */
export interface SoakOptions {
  readonly forMs: number;
  readonly sampleEveryMs: number;
  readonly restartEveryMs: number;
  readonly cutEveryMs: number;
  readonly requestsPerSecond: number;
  readonly outcomesPerRequest: number;
  readonly seed: number;
  readonly onSample: (sample: SoakSample) => void;
}

export interface SoakSample {
  readonly atMs: number;
  readonly agentRssBytes: number;
  readonly agentHeapBytes: number;
  /** What the agent's spool holds on disk. */
  readonly spoolBytes: number;
  readonly daemonRssBytes: number;
  readonly daemonHeapBytes: number;
  readonly accepted: number;
}

export interface SoakResult {
  readonly samples: readonly SoakSample[];
  /** Outcomes of reports that were answered with 202, and what the daemon says it counted. */
  readonly accepted: SoakTotals;
  readonly counted: SoakTotals;
  readonly restarts: number;
  readonly cuts: number;
  /** Requests that waited because a hundred were under way. */
  readonly heldBack: number;
}

export interface SoakTotals {
  attempts: number;
  failures: number;
}

const SERVICE = 'acme';
const TOKEN = 'soak-token-soak-token-soak-token';
const REQUESTS_AT_ONCE = 100;
/** Everything must be counted so soon after the last report. */
const COUNTED_WITHIN_MS = 120_000;

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-soak-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const daemonPort = await freePort();
    const config = join(folder, 'roomwatch.yaml');
    await writeFile(
      config,
      [
        `listen: { host: 127.0.0.1, port: ${daemonPort} }`,
        `store: { directory: ${join(folder, 'books')} }`,
        'tokens:',
        `  - { name: edge, token: ${TOKEN}, services: all, role: agent }`,
        '',
      ].join('\n'),
    );
    const startDaemon = () => startWatched('daemon', ['serve', '--config', config], { cwd: folder });
    let daemon: WatchedProgram = startDaemon();
    undo.push(() => daemon.kill('SIGKILL'));
    const proxy = await startCutProxy({ targetPort: daemonPort });
    undo.push(() => proxy.stop());
    const agentPort = await freePort();
    const agent = startWatched(
      'agent',
      [
        ...['--server', `ws://127.0.0.1:${proxy.port}`, '--service', SERVICE],
        ...['--listen', `127.0.0.1:${agentPort}`, '--spool', join(folder, 'spool')],
      ],
      { cwd: folder, env: { ROOMWATCH_TOKEN: TOKEN } },
    );
    undo.push(() => agent.kill('SIGKILL'));
    const agentUrl = `http://127.0.0.1:${agentPort}`;
    await waitFor('the agent', async () => (await fetch(`${agentUrl}/healthz`)).ok);

    const startedAtMs = performance.now();
    const elapsedMs = () => performance.now() - startedAtMs;
    const reporter = startReports(`${agentUrl}/v1/outcomes`, options);
    undo.push(() => reporter.stop());

    const samples: SoakSample[] = [];
    const done = { restarts: 0, cuts: 0 };
    let [sampleAtMs, restartAtMs, cutAtMs] = [0, options.restartEveryMs, options.cutEveryMs];
    while (elapsedMs() < options.forMs) {
      if (elapsedMs() >= cutAtMs) {
        cutAtMs += options.cutEveryMs;
        done.cuts += 1;
        proxy.cut();
      }
      if (elapsedMs() >= restartAtMs && restartAtMs < options.forMs / 3) {
        restartAtMs += options.restartEveryMs;
        await daemon.kill(done.restarts % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
        done.restarts += 1;
        daemon = startDaemon();
        await waitFor('the daemon', async () => (await fetch(`http://127.0.0.1:${daemonPort}/healthz`)).ok);
      }
      if (elapsedMs() >= sampleAtMs) {
        sampleAtMs += options.sampleEveryMs;
        const [ofAgent, ofDaemon] = await Promise.all([agent.vitals(), daemon.vitals()]);
        const sample: SoakSample = {
          atMs: elapsedMs(),
          agentRssBytes: ofAgent.rssBytes,
          agentHeapBytes: ofAgent.heapBytes,
          spoolBytes: await spoolBytes(agentUrl),
          daemonRssBytes: ofDaemon.rssBytes,
          daemonHeapBytes: ofDaemon.heapBytes,
          accepted: reporter.accepted.attempts,
        };
        samples.push(sample);
        options.onSample(sample);
      }
      await sleep(100);
    }
    await reporter.stop();
    const { accepted, heldBack } = reporter;
    const isAll = (counted: SoakTotals) =>
      counted.attempts >= accepted.attempts && counted.failures >= accepted.failures;
    const counted = await waitFor(
      'everything to be counted',
      async () => {
        const now = await countedBy(daemonPort);
        return isAll(now) ? now : undefined;
      },
      { withinMs: COUNTED_WITHIN_MS, everyMs: 1_000 },
    ).catch(async (error: Error) => {
      process.stderr.write(`${error.message}\nagent:\n${agent.log()}\ndaemon:\n${daemon.log()}\n`);
      return countedBy(daemonPort);
    });
    return { samples, accepted, counted, ...done, heldBack };
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Reports at a steady rate; a report is repeated, with the same ids, until it has its 202. */
function startReports(
  url: string,
  { requestsPerSecond, outcomesPerRequest, seed }: SoakOptions,
): { readonly accepted: SoakTotals; readonly heldBack: number; stop(): Promise<void> } {
  const random = seededRandom(seed);
  const accepted: SoakTotals = { attempts: 0, failures: 0 };
  const underWay = new Set<Promise<void>>();
  let heldBack = 0;
  let requests = 0;
  const report = async () => {
    const n = requests++;
    const failures = random.next() < 0.3 ? 1 : 0;
    const records = Array.from({ length: outcomesPerRequest }, (_, k) => {
      const isFailed = k < failures;
      const labels = { region: random.pick(REGIONS), platform: 'web-v5', id: `${seed}-${n}-${k}` };
      return isFailed
        ? { ...labels, result: 'failed', code: 5400, extraCode: -10015 }
        : { ...labels, result: 'ok' };
    });
    const body = JSON.stringify(records);
    while (!(await isAccepted(url, body))) await sleep(100);
    accepted.attempts += records.length;
    accepted.failures += failures;
  };
  const startedAtMs = performance.now();
  const timer = setInterval(() => {
    let due = ((performance.now() - startedAtMs) / 1_000) * requestsPerSecond - requests - heldBack;
    for (; due >= 1; due -= 1) {
      if (underWay.size >= REQUESTS_AT_ONCE) {
        heldBack += 1;
        continue;
      }
      const one = report().finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }, 10);
  return {
    accepted,
    get heldBack() {
      return heldBack;
    },
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

const REGIONS = ['ap-guangzhou', 'ap-singapore', 'eu-frankfurt'] as const;

async function isAccepted(url: string, body: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.status === 202;
  } catch {
    return false;
  }
}

async function spoolBytes(agentUrl: string): Promise<number> {
  const text = await (await fetch(`${agentUrl}/metrics`)).text();
  return Number(/^roomwatch_agent_spool_bytes (\d+)/m.exec(text)?.[1]);
}

/** Of this month and its neighbours, as a run may cross a month's edge. */
async function countedBy(port: number): Promise<SoakTotals> {
  const day = 86_400_000;
  const months = [-1, 0, 1].map((shift) => new Date(Date.now() + shift * day).toISOString().slice(0, 7));
  const totals: SoakTotals = { attempts: 0, failures: 0 };
  for (const month of new Set(months)) {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/services/${SERVICE}/months/${month}`);
    if (response.status === 404) continue;
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const reading = (await response.json()) as { attempts: number; failures: Record<string, number> };
    totals.attempts += reading.attempts;
    totals.failures += Object.values(reading.failures).reduce((sum, n) => sum + n, 0);
  }
  return totals;
}
