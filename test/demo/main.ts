import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import type { Reading } from '../../sla/reading.ts';
import { freePort } from '../support/free-port.ts';
import { type ReceivedMail, startMailSink } from '../support/mail-sink.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { type DemoPlan, planDemo } from './plan.ts';
import { type DemoView, renderDemo, renderLine, type WindowRow } from './view.ts';

const USAGE = `Usage: npm run demo [-- OPTIONS]

Starts the daemon, three agents in three regions with simulated traffic, and a local mail server; replays the month
so far in a quarter of a minute, then an outage begins. Shows the month as it is counted and the mails that went out.
Ctrl-C ends all of it and leaves nothing behind.

  --duration SECONDS   end by itself (default: run until Ctrl-C)
  --plain              one line every few seconds instead of the live view (default where there is no terminal)
  --port N             the daemon's HTTP port (default: a free one)
  --help

Environment: REDIS_URL keeps the books in that Redis instead of the embedded store.
`;

const SERVICE = 'acme';
const REGIONS = ['ap-guangzhou', 'eu-frankfurt', 'na-siliconvalley'] as const;
const TOKEN = 'demo-agents-only';
const TERMINATE_WITHIN_MS = 8_000;

const values = readArguments();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const durationMs = values.duration === undefined ? Number.POSITIVE_INFINITY : Number(values.duration) * 1_000;
if (Number.isNaN(durationMs) || durationMs <= 0) {
  process.stderr.write(`--duration ${values.duration}: give a number of seconds above 0\n`);
  process.exit(2);
}

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort());

process.exit(await runDemo());

function readArguments() {
  try {
    return parseArgs({
      options: {
        duration: { type: 'string' },
        plain: { type: 'boolean', default: false },
        port: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function runDemo(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-demo-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const plan = planDemo(Date.now());
    const mails = await startMailSink();
    undo.push(() => mails.stop());
    const port = values.port === undefined ? await freePort() : Number(values.port);
    const store = storeOf(folder, undo);
    const daemon = await startDaemon({ folder, port, smtpPort: mails.port, plan, store });
    undo.push(() => stop(daemon));
    const agents = await Promise.all(REGIONS.map((region) => startTraffic({ folder, port, region, plan })));
    undo.push(() => Promise.all(agents.map(stop)));

    const url = `http://127.0.0.1:${port}`;
    const isLive = process.stdout.isTTY && !values.plain;
    const untilMs = Date.now() + durationMs;
    if (isLive) {
      process.stdout.write('\x1b[?1049h\x1b[?25l');
      undo.push(async () => process.stdout.write('\x1b[?25h\x1b[?1049l'));
    }
    let last: DemoView | undefined;
    for (let frames = 0; !ended.signal.aborted && Date.now() < untilMs; frames += 1) {
      const dead = [daemon, ...agents].find((program) => !program.isRunning());
      if (dead) throw new Error(`a program of the demo ended by itself:\n${dead.log().slice(-2_000)}`);
      last = await look(url, plan, mails.mails);
      if (isLive) {
        const size = { columns: process.stdout.columns, rows: process.stdout.rows };
        process.stdout.write(`\x1b[H${renderDemo(last, { ...size, colour: !process.env.NO_COLOR })}\x1b[J`);
      } else if (frames % 6 === 0) process.stdout.write(`${renderLine(last)}\n`);
      await sleep(500, undefined, { signal: ended.signal }).catch(() => {});
    }
    if (last && !isLive) process.stdout.write(`${renderLine(last)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`the demo could not go on: ${(error as Error).message}\n`);
    return 1;
  } finally {
    const steps = undo.reverse();
    // The terminal comes back first; the programs get their time to hand over what they hold.
    if (process.stdout.isTTY) steps.splice(1, 0, async () => process.stderr.write('ending the demo ...\n'));
    for (const step of steps) await step();
  }
}

type DemoStore = { readonly directory: string } | { readonly url: string; readonly keyPrefix: string };

/** The embedded store, or a corner of its own in the user's Redis, which is swept afterwards. */
function storeOf(folder: string, undo: (() => Promise<unknown>)[]): DemoStore {
  const url = process.env.REDIS_URL;
  if (!url) return { directory: join(folder, 'books') };
  // A cluster would have to be swept node by node.
  if (!/^rediss?:/.test(url)) throw new Error('REDIS_URL is not a single Redis; give redis:// or rediss://');
  const keyPrefix = `roomwatch-demo-${randomUUID()}:`;
  undo.push(() => sweep(url, keyPrefix));
  return { url, keyPrefix };
}

async function sweep(url: string, keyPrefix: string): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    for await (const keys of redis.scanStream({ match: `${keyPrefix}*`, count: 1_000 })) {
      if (keys.length > 0) await redis.unlink(...(keys as string[]));
    }
  } finally {
    redis.disconnect();
  }
}

async function startDaemon(options: {
  folder: string;
  port: number;
  smtpPort: number;
  plan: DemoPlan;
  store: DemoStore;
}): Promise<RunningProgram> {
  const { folder, port, smtpPort, plan, store } = options;
  // JSON is YAML.
  const config = {
    listen: { host: '127.0.0.1', port },
    store,
    terms: { preset: 'trtc', timeZone: plan.timeZone },
    tokens: [{ name: 'demo', token: TOKEN, services: 'all', role: 'agent' }],
    alerting: {
      receivers: [
        {
          name: 'on-call',
          type: 'email',
          host: '127.0.0.1',
          port: smtpPort,
          tls: 'none',
          from: 'roomwatch@demo.example',
          to: ['on-call@demo.example'],
        },
      ],
    },
  };
  const file = join(folder, 'roomwatch.yaml');
  await writeFile(file, JSON.stringify(config, null, 2));
  const daemon = startProgram('daemon', ['serve', '--config', file], { cwd: folder });
  await waitFor(
    'the daemon to be ready',
    async () => {
      if (!daemon.isRunning()) throw new Error(daemon.log());
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    },
    { withinMs: 15_000 },
  );
  return daemon;
}

async function startTraffic(options: {
  folder: string;
  port: number;
  region: string;
  plan: DemoPlan;
}): Promise<RunningProgram> {
  const { folder, port, region, plan } = options;
  const args = ['simulate', '--server', `ws://127.0.0.1:${port}`, '--service', SERVICE, '--regions', region];
  args.push('--spool', join(folder, `spool-${region}`), '--rate', '20', '--failure-share', '0.001');
  args.push(
    '--from',
    new Date(plan.fromMs).toISOString(),
    '--to',
    'now',
    '--speed',
    String(plan.speed),
    '--live',
  );
  for (const { fromMs, toMs, share } of plan.incidents) {
    args.push('--incident', `${new Date(fromMs).toISOString()}..${new Date(toMs).toISOString()}:${share}`);
  }
  return startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: TOKEN } });
}

async function stop(program: RunningProgram): Promise<void> {
  const patience = sleep(TERMINATE_WITHIN_MS, 'late', { ref: false });
  const ending = program.kill('SIGTERM').then(() => 'ended');
  if ((await Promise.race([ending, patience])) === 'late') await program.kill('SIGKILL');
}

async function look(url: string, plan: DemoPlan, received: readonly ReceivedMail[]): Promise<DemoView> {
  const [reading, windows, services] = await Promise.all([
    getJson<Reading>(`${url}/api/v1/services/${SERVICE}/months/${plan.month}`),
    getJson<{ windows: WindowRow[] }>(
      `${url}/api/v1/services/${SERVICE}/windows?from=${new Date(plan.fromMs).toISOString()}&to=${new Date().toISOString()}`,
    ),
    getJson<{ services: { service: string; agentsConnected: number }[] }>(`${url}/api/v1/services`),
  ]);
  const agentsConnected = services?.services.find((one) => one.service === SERVICE)?.agentsConnected ?? 0;
  const mails = received.map(({ mail }) => ({
    subject: mail.subject ?? '',
    sentAtMs: mail.date?.getTime() ?? Date.now(),
  }));
  return { url, plan, nowMs: Date.now(), reading, windows: windows?.windows ?? [], mails, agentsConnected };
}

/** null until the daemon knows the service */
async function getJson<T>(url: string): Promise<T | null> {
  const response = await fetch(url);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
