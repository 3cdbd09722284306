import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { Snapshot, temporaryFolder } from '../agent/spool/spool-folder.ts';
import { type DaemonEdge, TOKEN } from '../support/daemon-edge.ts';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { waitFor } from '../support/wait-for.ts';

const startEdge = edgesOfThisFile();
let folder: string;
let edge: DaemonEdge;
let agent: RunningAgent;

beforeEach(async () => {
  folder = join(await temporaryFolder(), 'spool');
  edge = await startEdge();
});

afterEach(async () => {
  await agent.stop(0);
  await rm(join(folder, '..'), { recursive: true, force: true });
});

async function start(): Promise<void> {
  agent = await startAgent({
    server: `ws://127.0.0.1:${edge.port}`,
    token: async () => TOKEN,
    spoolDirectory: folder,
    services: ['acme'],
    backoff: { baseMs: 20, maxMs: 100, longMs: 300 },
  });
}

async function take(n: number): Promise<void> {
  agent.receiver.receive({ result: 'ok', count: n }, 'library');
  await agent.spool.commit();
}

async function deliver(): Promise<void> {
  await agent.spool.seal();
  expect(await agent.flush(5_000)).toBe(true);
}

const attempts = async () => (await booksOf(edge, 'acme')).tallies[0];

describe('an agent whose disk is put back to a snapshot counts nothing twice', () => {
  for (const [name, further] of [
    ['in the batch that was open then', 0],
    ['in that batch and further ones', 3],
  ] as const) {
    it(`when what it took afterwards was counted ${name}`, async () => {
      await start();
      for (const n of [1, 20, 300]) {
        await take(n);
        await deliver();
      }
      // Accepted and not yet sealed at the instant of the snapshot.
      await take(4_000);
      const snapshot = Snapshot.take(folder);
      await take(50_000);
      await deliver();
      for (let i = 0; i < further; i++) {
        await take(1_000_000);
        await deliver();
      }
      const { producerId } = agent.spool;
      await agent.stop(0);
      const counted = 54_321 + further * 1_000_000;
      expect(await attempts()).toBe(counted);

      snapshot.restore();
      await start();
      expect(agent.spool.producerId).toBe(producerId);
      await waitFor('a new identity', () => agent.spool.producerId !== producerId);
      await take(7);
      await deliver();
      expect(await attempts()).toBe(counted + 7);
    });
  }
});
