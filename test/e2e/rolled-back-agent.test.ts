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

async function start(services = ['acme'], token: () => Promise<string> = async () => TOKEN): Promise<void> {
  agent = await startAgent({
    server: `ws://127.0.0.1:${edge.port}`,
    token,
    spoolDirectory: folder,
    services,
    backoff: { baseMs: 20, maxMs: 100, longMs: 300 },
  });
}

async function take(n: number, service = 'acme'): Promise<void> {
  agent.receiver.receive({ result: 'ok', count: n, service }, 'library');
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

  it('when it has sealed more since than one of its services holds, and the other holds less', async () => {
    const services = ['acme', 'globex'];
    await start(services);
    await take(1, 'globex');
    await deliver();
    await take(4_000);
    const snapshot = Snapshot.take(folder);
    for (let i = 0; i < 5; i++) {
      await take(1_000_000);
      await deliver();
    }
    const { producerId } = agent.spool;
    await agent.stop(0);
    expect(await attempts()).toBe(5_004_000);

    snapshot.restore();
    let connect: () => void = () => {};
    const mayConnect = new Promise<void>((resolve) => {
      connect = resolve;
    });
    await start(services, async () => {
      await mayConnect;
      return TOKEN;
    });
    for (let i = 0; i < 10; i++) {
      await take(7);
      await agent.spool.seal();
    }
    connect();
    await waitFor('a new identity', () => agent.spool.producerId !== producerId);
    await deliver();
    expect(await attempts()).toBe(5_004_070);
  });
});
