import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { startProgram } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { isQuick, number, percentile, printTable } from './lib/report.ts';

/**
 * From the first failed entry of an outage to the mail in the SMTP server's hands: a real agent, the real daemon on
 * Redis, default settings, each service at 100 entries a second with an hour of such traffic behind it. Outages of
 * every entry begin at random moments of the minute and of the window, each in a service of its own. Prints figures;
 * asserts nothing.
 *
 * Three of the seconds are the contract's: of 30,000 entries in five minutes 300 must fail before it is 1 %.
 */
const ENTRIES_PER_SECOND = 100;
const OUTAGES = isQuick ? 10 : 100;
/** Outages begin spread over this time: a whole window of the contract and some more. */
const OVER_MS = isQuick ? 30_000 : 320_000;
const SLICE_MS = 100;
/** Working entries before the outage. */
const LEAD_MS = 3_000;
const GIVE_UP_MS = 60_000;
const TOKEN = 'notify-bench-notify-bench';

console.log(`${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`);
const folder = await mkdtemp(join(tmpdir(), 'roomwatch-notify-'));
const redis = await startRedis({ aof: true });
const sink = await startMailSink();
const [daemonPort, agentPort] = [await freePort(), await freePort()];
await writeFile(
  join(folder, 'roomwatch.yaml'),
  JSON.stringify({
    listen: { port: daemonPort },
    store: { url: redis.url },
    tokens: [{ name: 'edge', token: TOKEN, role: 'agent' }],
    alerting: {
      receivers: [
        {
          ...{ name: 'on-call', type: 'email', host: '127.0.0.1', port: sink.port, tls: 'none' },
          ...{ from: 'roomwatch@example.org', to: ['on-call@example.org'] },
        },
      ],
    },
  }),
);
const daemon = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml'], { cwd: folder });
await waitFor('the daemon', async () => (await fetch(`http://127.0.0.1:${daemonPort}/readyz`)).ok, {
  withinMs: 30_000,
});
const args = ['--server', `ws://127.0.0.1:${daemonPort}`, '--service', 'outage-0'];
args.push('--listen', `127.0.0.1:${agentPort}`, '--spool', join(folder, 'spool'));
const agent = startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: TOKEN } });
await waitFor('the agent', async () => (await fetch(`http://127.0.0.1:${agentPort}/healthz`)).ok);

const random = seededRandom(1);
const startMs = Date.now() + 1_000 + LEAD_MS;
const outages = Array.from({ length: OUTAGES }, (_, i) => ({
  service: `outage-${i}`,
  atMs: startMs + random.integer(0, OVER_MS),
}));
const waits = await Promise.all(outages.map(({ service, atMs }) => outage(service, atMs)));
await agent.kill('SIGTERM');
await daemon.kill('SIGTERM');
await sink.stop();
await redis.stop();
await rm(folder, { recursive: true, force: true });

const told = waits.filter((waitMs) => waitMs !== null);
const seconds = (waitMs: number) => number(waitMs / 1_000);
printTable([
  ['outages', 'mailed', 'p50 s', 'p95 s', 'p99 s', 'most s'],
  [
    ...[String(OUTAGES), String(told.length)],
    ...[0.5, 0.95, 0.99, 1].map((share) => seconds(percentile(told, share))),
  ],
]);
process.exit(told.length === OUTAGES ? 0 : 1);

/** @returns from the first failed entry to its mail, null when none came */
async function outage(service: string, atMs: number): Promise<number | null> {
  await sleep(atMs - LEAD_MS - Date.now());
  await post(hourBefore(service));
  let firstFailedAtMs: number | null = null;
  for (let sliceMs = Date.now(); Date.now() - atMs < GIVE_UP_MS; sliceMs += SLICE_MS) {
    await sleep(sliceMs - Date.now());
    const isFailing = Date.now() >= atMs;
    const entry = isFailing ? { result: 'failed', cause: 'provider' } : { result: 'ok' };
    const now = Date.now();
    if (isFailing) firstFailedAtMs ??= now;
    const count = (ENTRIES_PER_SECOND * SLICE_MS) / 1_000;
    await post(Array.from({ length: count }, () => ({ service, at: now, region: 'eu', ...entry })));
    const mail = sink.mails.find(({ mail: { text = '' } }) =>
      text.includes(`[critical] ${service}: room entry is failing`),
    );
    if (mail && firstFailedAtMs !== null) return mail.atMs - firstFailedAtMs;
  }
  return null;
}

/** The traffic of the hour before up to now, a minute in each record. */
function hourBefore(service: string): object[] {
  const nowMs = Date.now();
  const minute = Math.floor(nowMs / 60_000);
  return Array.from({ length: 61 }, (_, i) => {
    const at = (minute - 60 + i) * 60_000;
    const seconds = Math.min(60, (nowMs - at) / 1_000);
    const count = Math.max(1, Math.round(ENTRIES_PER_SECOND * seconds));
    return { service, at, result: 'ok', region: 'eu', count };
  });
}

async function post(outcomes: readonly object[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${agentPort}/v1/outcomes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(outcomes),
  });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`${response.status} ${text}`);
}
