import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { readOutcomeStream } from '../../agent/intake/stdin.ts';
import { silentLog } from '../../agent/log.ts';
import { type Peer, startPeer } from './peer.ts';
import { PoisonedDisk } from './spool/poisoned-disk.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let disk: PoisonedDisk;
let agent: RunningAgent;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  disk = new PoisonedDisk('poison');
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    disk,
  });
});

afterEach(async () => {
  await agent.stop(100);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

function read(input: AsyncIterable<Buffer | string>) {
  const { receiver, spool, metrics } = agent;
  const { signal } = new AbortController();
  return readOutcomeStream(input, { receiver, spool, metrics, clock: systemClock, log: silentLog, signal });
}

/** So many different records that they need several commit groups. */
const distinct = Array.from({ length: 1_500 }, (_, code) => JSON.stringify({ result: 'failed', code }));
const poison = JSON.stringify({ result: 'failed', platform: 'poison' });

describe('outcomes from a stream', () => {
  it('count once each when the disk takes some of their commit groups and refuses others', async () => {
    const input = new PassThrough();
    disk.failures = 2;
    input.end([...distinct, poison, ''].join('\n'));
    expect(await read(input)).toMatchObject({ lines: 1_501, rejected: 0 });
    expect(disk.failures).toBe(0);
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals()).toEqual({ ok: 0, failed: 1_501, lost: 0 });
  });

  it('are taken as far as they were read when the stream breaks off before its portion is full', async () => {
    async function* broken() {
      yield `${distinct[0]}\n${distinct[1]}\n{"result":`;
      throw new Error('the pipe is broken');
    }
    await expect(read(broken())).rejects.toThrow('the pipe is broken');
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().failed).toBe(2);
  });

  it('do not end the process when the stream breaks off while they are written', async () => {
    const unseen: unknown[] = [];
    const see = (reason: unknown) => void unseen.push(reason);
    process.on('unhandledRejection', see);
    // A full portion is written without another look at the stream.
    const chunks = [`${poison}\n`.repeat(10_000)];
    const broken: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          const value = chunks.shift();
          if (value !== undefined) return Promise.resolve({ done: false, value });
          return new Promise((_, reject) => {
            disk.onWrite = () => reject(new Error('the pipe is broken'));
          });
        },
      }),
    };
    await expect(read(broken)).rejects.toThrow('the pipe is broken');
    process.off('unhandledRejection', see);
    expect(unseen).toEqual([]);
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().failed).toBe(10_000);
  });
});
