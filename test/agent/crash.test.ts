import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

/** Set ROOMWATCH_CRASHES=1000 for the long form. */
const CRASHES = Number(process.env.ROOMWATCH_CRASHES ?? 15);
const SEED = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);

let folder: string;
let peer: Peer;
let port: number;
let agent: RunningProgram;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  port = await freePort();
});

afterEach(async () => {
  await agent.kill('SIGKILL');
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(): void {
  const args = ['--server', peer.url, '--service', 'acme', '--listen', `127.0.0.1:${port}`];
  args.push('--spool', join(folder, 'spool'));
  agent = startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: 'token' } });
}

/** @returns whether the agent said 202 */
async function report(records: object): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/outcomes`, {
      method: 'POST',
      body: JSON.stringify(records),
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    return response.status === 202;
  } catch {
    return false;
  }
}

describe('an agent that is killed', () => {
  it('has on disk what it had just confirmed', async () => {
    start();
    const ids = ['a', 'b'];
    await waitFor('a 202', () => report(ids.map((id) => ({ result: 'ok', id, count: 5 }))));
    await agent.kill('SIGKILL');
    start();
    await waitFor('ten outcomes', () => peer.totals().ok === 10);
    await waitFor('the repeat to be known', () => report({ result: 'ok', id: 'a', count: 5 }));
    await report({ result: 'ok', id: 'c', count: 1 });
    await waitFor('one more', () => peer.totals().ok >= 11);
    expect(peer.totals().ok).toBe(11);
  });

  it(`loses nothing and counts nothing twice, ${CRASHES} times over (seed ${SEED})`, {
    timeout: 60_000 + CRASHES * 3_000,
  }, async () => {
    const random = seededRandom(SEED);
    start();
    let confirmed = 0;
    let next = 0;
    let isOver = false;
    const reporters = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const id = `id-${next++}`;
        const count = 1 + (next % 7);
        while (!(await report({ result: 'ok', id, count }))) await sleep(5);
        confirmed += count;
      }
    });
    for (let crash = 0; crash < CRASHES; crash++) {
      // Mostly under load, sometimes while it is still starting.
      const target = confirmed + (random.next() < 0.8 ? random.integer(1, 200) : 0);
      await waitFor('reports', () => confirmed >= target, { everyMs: 1, withinMs: 20_000 });
      await sleep(random.integer(0, 300));
      if (random.next() < 0.3) peer.close(1012);
      await agent.kill('SIGKILL');
      start();
    }
    isOver = true;
    await Promise.all(reporters);
    await waitFor('everything that was confirmed', () => peer.totals().ok >= confirmed, { withinMs: 30_000 });
    expect(peer.totals()).toEqual({ ok: confirmed, failed: 0, lost: 0 });
    expect(confirmed).toBeGreaterThan(CRASHES * 10);
  });

  it('by SIGTERM delivers what it has and exits with 0', async () => {
    start();
    await waitFor('a 202', () => report({ result: 'ok', count: 3 }));
    await waitFor('a connection', () => peer.hellos.length > 0);
    await agent.kill('SIGTERM');
    expect(await agent.exited).toEqual({ code: 0, signal: null });
    expect(peer.totals().ok).toBe(3);
  });
});
