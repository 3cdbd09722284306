import { appendFile, copyFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let path: string;
let peer: Peer;
let agent: RunningAgent;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder, 'entries.log');
  peer = await startPeer();
});

afterEach(async () => {
  await agent.stop(0);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<AgentOptions> = {}): Promise<void> {
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    follow: [path],
    ...options,
  });
}

/** Lines that count 10^first, 10^(first+1), ...: a sum tells which of them were counted, and how often. */
function lines(first: number, count = 1): string {
  return Array.from(
    { length: count },
    (_, i) => `${JSON.stringify({ result: 'ok', count: 10 ** (first + i) })}\n`,
  ).join('');
}

async function counted(sum: number): Promise<void> {
  await waitFor(
    `${sum} outcomes`,
    async () => {
      await agent.spool.seal();
      await agent.flush(1_000);
      if (peer.totals().ok > sum) throw new Error(`counted ${peer.totals().ok}`);
      return peer.totals().ok === sum;
    },
    { withinMs: 8_000 },
  );
}

describe('a followed file', () => {
  it('is read from its beginning, and on as it grows', async () => {
    await writeFile(path, lines(0, 2));
    await start();
    await counted(11);
    await appendFile(path, lines(2));
    await counted(111);
  });

  it('may appear later', async () => {
    await start();
    await writeFile(path, lines(0));
    await counted(1);
  });

  it('gives a line when it is complete, not before', async () => {
    const line = lines(1);
    await writeFile(path, lines(0) + line.slice(0, 9));
    await start();
    await counted(1);
    await appendFile(path, line.slice(9));
    await counted(11);
  });

  it('with bad lines loses those alone', async () => {
    await writeFile(path, `${lines(0)}{"result":\n\nnot json\n${'x'.repeat(100_000)}\n${lines(1)}`);
    await start();
    await counted(11);
    expect(agent.metrics.total('outcomesRejected')).toBe(3);
  });

  it('is gone on with where it was left, after a stop and after a crash', async () => {
    await writeFile(path, lines(0));
    await start();
    await counted(1);
    await agent.stop(1_000);
    await appendFile(path, lines(1));
    await start();
    await counted(11);
  });

  it('that was renamed is read to its end, and then the new one', async () => {
    await writeFile(path, lines(0));
    await start();
    await counted(1);
    await rename(path, `${path}.1`);
    // The writer has the old file open for a while.
    await appendFile(`${path}.1`, lines(1));
    await writeFile(path, lines(2));
    await counted(111);
    await appendFile(path, lines(3));
    await counted(1_111);
  });

  it('that was renamed while the agent was down is read to its end, and all that came after it', async () => {
    await writeFile(path, lines(0));
    await start();
    await counted(1);
    await agent.stop(1_000);
    await appendFile(path, lines(1));
    await rename(path, `${path}.2`);
    await waitAMoment();
    await writeFile(`${path}.1`, lines(2));
    await waitAMoment();
    await writeFile(path, lines(3));
    await start();
    await counted(1_111);
    await agent.stop(1_000);
    await start();
    await appendFile(path, lines(4));
    await counted(11_111);
  });

  it('that was copied and cut is read from its beginning', async () => {
    await writeFile(path, lines(0, 3));
    await start();
    await counted(111);
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    await waitFor('the cut to be seen', async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return true;
    });
    await appendFile(path, lines(3));
    await counted(1_111);
  });

  it('that was cut and has grown longer than before is known by its first bytes', async () => {
    await writeFile(path, lines(0, 2));
    await start();
    await counted(11);
    await writeFile(path, lines(2, 4));
    await counted(111_111);
  });

  it('that ends inside a line when it is renamed gives that line as far as it goes', async () => {
    await writeFile(path, lines(0) + lines(1).trimEnd());
    await start();
    await counted(1);
    await rename(path, `${path}.1`);
    await writeFile(path, lines(2));
    await counted(111);
  });
});

/** Files written in one tick of the file system's clock could not be put in order. */
function waitAMoment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
