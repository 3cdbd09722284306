import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import type { CommandIo } from '../../server/commands/command.ts';
import { replayCommand } from '../../server/commands/replay.ts';
import { CAUSES } from '../../sla/cause.ts';
import type { Reading } from '../../sla/reading.ts';
import { freePort } from '../support/free-port.ts';
import { startProgram } from '../support/program.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

// 1,000 cases on both stores: ROOMWATCH_CASES=500 npx vitest run test/e2e/replay-equals-daemon.test.ts
const CASES = Number(process.env.ROOMWATCH_CASES ?? 40);
const SEED = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);
const TOKEN = 'equality-token-equality-token';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

for (const store of ['redis', 'embedded'] as const) {
  it(`a replay of ${CASES} random months says what the daemon says after the same outcomes went through an agent, on ${store} (seed ${SEED})`, {
    timeout: 60_000 + CASES * 500,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'roomwatch-equality-'));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const { daemonPort, agentPort, logs } = await startBoth(store, folder);
    const random = seededRandom(SEED);
    const month = lastMonth(Date.now());
    const cases = Array.from({ length: CASES }, (_, k) => ({
      service: `case-${k}`,
      lines: outcomesOf(random, `case-${k}`, month.startMs, month.endMs),
    }));
    for (const { lines } of cases) {
      const response = await fetch(`http://127.0.0.1:${agentPort}/v1/outcomes`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: lines.join('\n'),
      });
      expect(response.status, await response.text()).toBe(202);
    }
    for (const { service, lines } of cases) {
      const file = join(folder, `${service}.ndjson`);
      await writeFile(file, `${lines.join('\n')}\n`);
      const replayed = await replay(['--service', service, '--month', month.name, '--json', file]);
      const read = await waitFor(
        `the daemon to hold the ${replayed.attempts} attempts of ${service}`,
        async () => {
          const url = `http://127.0.0.1:${daemonPort}/api/v1/services/${service}/months/${month.name}`;
          const response = await fetch(url);
          if (!response.ok) throw new Error(`${response.status}`);
          const reading = (await response.json()) as Reading;
          if (reading.attempts !== replayed.attempts) throw new Error(`it holds ${reading.attempts}`);
          return reading;
        },
        { withinMs: 20_000 },
      ).catch(async (error) => {
        const metrics = await (await fetch(`http://127.0.0.1:${agentPort}/metrics`)).text();
        throw new Error(`${error}\n${logs()}\n${metrics.replaceAll(/^#.*\n/gm, '')}`);
      });
      expect(comparable(read), service).toEqual(comparable(replayed));
    }
  });
}

/**
 * What must be equal. A replay cannot know when an agent was alive or what arrived late, is read as of the
 * month's end, and has no earlier months to forecast from.
 */
function comparable(reading: Reading) {
  const { attempts, failures, downtimeMinutes, availability, figures, budget, lines } = reading;
  const { voucherPercent, claim, lostWindows, period, windows } = reading;
  const { down, excluded, remaining, lowVolumeDown } = windows;
  return {
    ...{ attempts, failures, downtimeMinutes, availability, figures, budget, lines, voucherPercent, claim },
    ...{ lostWindows, period, windows: { down, excluded, remaining, lowVolumeDown } },
  };
}

async function startBoth(store: 'redis' | 'embedded', folder: string) {
  const [daemonPort, agentPort] = [await freePort(), await freePort()];
  let where: Record<string, string> = { directory: join(folder, 'books') };
  if (store === 'redis') {
    const redis = await startRedis();
    undo.push(() => redis.stop());
    where = { url: `redis://127.0.0.1:${redis.port}` };
  }
  const config = {
    listen: { port: daemonPort },
    store: where,
    tokens: [{ name: 'edge', token: TOKEN, role: 'agent' }],
  };
  await writeFile(join(folder, 'roomwatch.yaml'), JSON.stringify(config));
  const daemon = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml'], { cwd: folder });
  undo.push(() => daemon.kill('SIGKILL'));
  const args = ['--server', `ws://127.0.0.1:${daemonPort}`, '--service', 'case-0'];
  args.push('--listen', `127.0.0.1:${agentPort}`, '--spool', join(folder, 'spool'));
  const agent = startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: TOKEN } });
  undo.push(() => agent.kill('SIGKILL'));
  await waitFor('the agent to listen', async () => (await fetch(`http://127.0.0.1:${agentPort}/healthz`)).ok);
  const logs = () => `daemon: ${daemon.log().slice(-4_000)}\nagent: ${agent.log().slice(-4_000)}`;
  return { daemonPort, agentPort, logs };
}

async function replay(args: readonly string[]): Promise<Reading> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io: CommandIo = {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env: {},
    now: Date.now,
    signal: new AbortController().signal,
  };
  const [out, err] = [text(stdout), text(stderr)];
  const code = await replayCommand.run(args, io);
  stdout.end();
  stderr.end();
  if (code !== 0) throw new Error(`replay ended with ${code}: ${await err}`);
  return JSON.parse(await out) as Reading;
}

/** The calendar month before the present one, in the contract's zone. */
function lastMonth(nowMs: number): { name: string; startMs: number; endMs: number } {
  const offsetMs = 8 * 3_600_000;
  const here = new Date(nowMs + offsetMs);
  const [year, month] = [here.getUTCFullYear(), here.getUTCMonth()];
  return {
    name: new Date(Date.UTC(year, month - 1, 1)).toISOString().slice(0, 7),
    startMs: Date.UTC(year, month - 1, 1) - offsetMs,
    endMs: Date.UTC(year, month, 1) - offsetMs,
  };
}

/** A few dozen outcomes around a few windows, some of them on the month's very edges, some repeated. */
function outcomesOf(random: Random, service: string, startMs: number, endMs: number): string[] {
  const anchors = Array.from({ length: random.integer(1, 6) }, () => random.integer(startMs, endMs - 1));
  anchors.push(startMs, endMs - 1, startMs - 1, endMs);
  const lines: string[] = [];
  const n = random.integer(1, 60);
  for (let k = 0; k < n; k += 1) {
    const at = random.pick(anchors) + random.integer(-90_000, 90_000);
    const record: Record<string, unknown> = {
      service,
      at: random.next() < 0.5 ? at : new Date(at).toISOString(),
      result: random.next() < 0.8 ? 'ok' : 'failed',
      count: random.pick([1, 1, 5, 99, 100, 1_000]),
    };
    if (record.result === 'failed') {
      if (random.next() < 0.5) record.cause = random.pick(CAUSES);
      else {
        record.platform = random.pick(['web-v5', 'web-v4', 'native', 'carrier-pigeon']);
        record.code = random.pick([5400, 5000, -3301, -7, 123_456]);
        if (random.next() < 0.5) record.extraCode = random.pick([-10_015, 70_001, 0, 7]);
      }
    }
    if (random.next() < 0.3) record.id = `${service}-${k}`;
    lines.push(JSON.stringify(record));
    // An application that repeats a report repeats it as it was.
    if (record.id !== undefined && random.next() < 0.3) lines.push(lines.at(-1)!);
  }
  return lines;
}
