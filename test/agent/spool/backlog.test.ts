import { rm } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILED, openSpool, temporaryFolder } from './spool-folder.ts';

const MIB = 1024 * 1024;
/** Set ROOMWATCH_BACKLOG_MIB=1024 for the long form: the most that a spool holds by default. */
const BACKLOG_MIB = Number(process.env.ROOMWATCH_BACKLOG_MIB ?? 64);

let folder: string;
let batches = 0;

beforeAll(
  async () => {
    folder = await temporaryFolder();
    let nowMs = Date.UTC(2026, 10, 1);
    const spool = await openSpool(folder, { nowMs: () => nowMs });
    while (spool.bytes < BACKLOG_MIB * MIB) {
      for (let i = 0; i < 700; i++) spool.accept({ ...FAILED, region: `region-${i}`, n: 1 }, nowMs);
      await spool.commit();
      await spool.seal();
      nowMs += 1_000;
    }
    batches = spool.lastSealed;
    await spool.close();
  },
  60_000 + BACKLOG_MIB * 1_000,
);

afterAll(() => rm(folder, { recursive: true, force: true }));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is held, not what waits to be collected. */
function usedBytes(): number {
  // A second time: what the first one freed of buffers is given back on the side, and at the next one at the latest.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('a backlog of many segments', () => {
  it('neither slows the start nor fills the memory, which hold an index of the segments alone', {
    timeout: 30_000 + BACKLOG_MIB * 1_000,
  }, async () => {
    const before = usedBytes();
    const startedAtMs = performance.now();
    const spool = await openSpool(folder);
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeLessThan(2_000);
    const heldBytes = usedBytes() - before;
    expect(heldBytes).toBeLessThan(24 * MIB);
    let read = 0;
    let most = 0;
    for (let seq = 1; seq <= spool.lastSealed; ) {
      const entries = await spool.entriesFrom(seq, 256 * 1024);
      read += entries.length;
      seq = entries.at(-1)!.to + 1;
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(read).toBe(batches);
    const figures = [spool.bytes, heldBytes, most].map((bytes) => `${(bytes / MIB).toFixed(1)} MiB`);
    process.stderr.write(
      `backlog ${figures[0]}: started in ${tookMs.toFixed(0)} ms, held ${figures[1]}, buffers ${figures[2]}\n`,
    );
    // One read buffer of a segment, however many there are.
    expect(most).toBeLessThan(64 * MIB);
    await spool.close();
  });
});
