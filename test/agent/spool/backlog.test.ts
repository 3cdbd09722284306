import { rm } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILED, openSpool, temporaryFolder } from './spool-folder.ts';

const MIB = 1024 * 1024;
const BACKLOG_BYTES = 64 * MIB;

let folder: string;
let batches = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  let nowMs = Date.UTC(2026, 10, 1);
  const spool = await openSpool(folder, { nowMs: () => nowMs });
  while (spool.bytes < BACKLOG_BYTES) {
    for (let i = 0; i < 700; i++) spool.accept({ ...FAILED, region: `region-${i}`, n: 1 }, nowMs);
    await spool.commit();
    await spool.seal();
    nowMs += 1_000;
  }
  batches = spool.lastSealed;
  await spool.close();
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is held, not what waits to be collected. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('a backlog of many segments', () => {
  it('neither slows the start nor fills the memory, which hold an index of the segments alone', async () => {
    const before = usedBytes();
    const startedAtMs = performance.now();
    const spool = await openSpool(folder);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    expect(usedBytes() - before).toBeLessThan(24 * MIB);
    let read = 0;
    let most = 0;
    for (let seq = 1; seq <= spool.lastSealed; ) {
      const entries = await spool.entriesFrom(seq, 256 * 1024);
      read += entries.length;
      seq = entries.at(-1)!.to + 1;
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(read).toBe(batches);
    // One read buffer of a segment, however many there are.
    expect(most).toBeLessThan(40 * MIB);
    await spool.close();
  });
});
