import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let mounted: string;
let peer: Peer;
let agent: RunningAgent;

beforeEach(async () => {
  folder = await temporaryFolder();
  mounted = join(folder, 'disk');
  await mkdir(mounted);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mounted], { stdio: 'pipe' });
  } catch (error) {
    throw new Error('this test mounts a tmpfs of 8 MiB; run it as root', { cause: error });
  }
  peer = await startPeer();
  peer.refusal = { status: 503 };
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(mounted, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
    backoff: { baseMs: 20, maxMs: 200 },
    connection: { replayBatchesPerSecond: 100_000 },
  });
});

afterEach(async () => {
  await agent.stop(0);
  await peer.stop();
  execFileSync('umount', ['-l', mounted], { stdio: 'pipe' });
  await rm(folder, { recursive: true, force: true });
});

/** @returns whether the agent said 202 */
async function report(records: readonly object[]): Promise<boolean> {
  const url = `http://127.0.0.1:${agent.ports.http}/v1/outcomes`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(records) });
  const body = (await response.json()) as { repeatFrom?: number };
  expect(body.repeatFrom).toBeUndefined();
  expect([202, 429, 503]).toContain(response.status);
  return response.status === 202;
}

/** So varied that a report takes about 60 KiB of the spool. */
function varied(round: number): object[] {
  return Array.from({ length: 400 }, (_, code) => ({
    result: 'failed',
    region: `region-${round % 3}`,
    code: round * 1_000 + code,
  }));
}

it('a file system of 8 MiB costs the oldest outcomes, each of them declared, when the daemon is away for long', {
  timeout: 120_000,
}, async () => {
  let accepted = 0;
  for (let round = 0; round < 160; round += 1) {
    const records = varied(round);
    while (!(await report(records))) await sleep(100);
    accepted += records.length;
  }
  // Others fill up what is left, and go again.
  const others = join(mounted, 'others.log');
  await writeFile(others, Buffer.alloc(8 * 1024 * 1024)).catch(() => {});
  const refused = await Promise.all(Array.from({ length: 20 }, (_, i) => report(varied(1_000 + i))));
  accepted += refused.filter(Boolean).length * 400;
  await rm(others);
  await waitFor('a report to be taken again', () => report([{ result: 'ok' }]));
  accepted += 1;

  peer.refusal = undefined;
  await waitFor('a connection', () => agent.isConnected);
  await agent.spool.seal();
  expect(await agent.flush(30_000)).toBe(true);
  const { ok, failed, lost } = peer.totals();
  expect(ok + failed + lost).toBe(accepted);
  expect(lost).toBeGreaterThan(0);
  expect(agent.metrics.total('outcomesLost')).toBe(lost);
  // What is newest is what is kept, and it is not little.
  expect(ok).toBe(1);
  expect(failed).toBeGreaterThan(10_000);
});
