import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliverable, openSpool, report, Snapshot, temporaryFolder } from './spool-folder.ts';

/** Small segments, so that a small spool has several. */
const settings = { segmentBytes: 1_200 };
const SEALED = [1, 20, 300, 4_000, 50_000, 600_000];
const UNSEALED = [7_000_000, 80_000_000];
const TOTAL = sum([...SEALED, ...UNSEALED]);
const LOG = '/var/log/rooms.ndjson';
const LAST_OFFSET = SEALED.length + UNSEALED.length - 1;

let folder: string;
let snapshot: Snapshot;

beforeAll(async () => {
  folder = await temporaryFolder();
  const spool = await openSpool(folder, { settings });
  const reportTo = async (offset: number, n: number) => {
    spool.setPosition(LOG, positionAt(offset));
    await report(spool, n);
  };
  for (const [index, n] of SEALED.entries()) {
    await reportTo(index, n);
    await spool.seal();
  }
  for (const [index, n] of UNSEALED.entries()) await reportTo(SEALED.length + index, n);
  // As a crash leaves it: the last two reports are in the journal only.
  snapshot = Snapshot.take(folder);
  await spool.close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

async function openDamaged(change?: { name: string; bytes: Buffer | undefined }) {
  snapshot.restore(change);
  const startedAtMs = performance.now();
  // What the agent's metric of lost outcomes counts.
  let metric = 0;
  const on = {
    lost: ({ outcomes }: { outcomes: number }) => {
      metric += outcomes;
    },
  };
  const spool = await openSpool(folder, { settings, on });
  const { producerId } = spool;
  const result = { ...(await deliverable(spool)), producerId, metric, offset: spool.position(LOG)?.offset };
  // The link counts what is gone as a whole, as it tells the daemon; see `Sender`.
  const isGone = spool.firstOffered < spool.firstRetained;
  if (isGone) result.metric += spool.beforeRetained - spool.countedBefore(spool.firstOffered);
  const tookMs = performance.now() - startedAtMs;
  await spool.close();
  return { ...result, tookMs };
}

/** Everything is counted or declared lost, and no line of a followed file is read again. */
function isExact(found: Awaited<ReturnType<typeof openDamaged>>): boolean {
  const { counted, lost, metric, offset } = found;
  return counted + lost === TOTAL && metric === lost && offset === LAST_OFFSET;
}

function positionAt(offset: number) {
  return { inode: 1, bornAtMs: 0, offset, headBytes: 0, headCrc: 0, contentCrc: 0, writtenAtMs: 0 };
}

function flip(name: string, offset: number): { name: string; bytes: Buffer } {
  const bytes = Buffer.from(snapshot.bytes(name));
  bytes[offset]! ^= 0x55;
  return { name, bytes };
}

describe('a spool of which the disk did not keep everything', () => {
  it('counts everything after a crash without damage', async () => {
    expect(await openDamaged()).toMatchObject({ counted: TOTAL, lost: 0, offset: LAST_OFFSET });
  });

  it('starts after a flip of any byte, as itself, and declares what is lost to the single outcome', {
    timeout: 120_000,
  }, async () => {
    const { producerId } = await openDamaged();
    // One byte damages one record, so no more than its outcomes may be lost.
    const records = new Set([0, ...SEALED, ...UNSEALED]);
    const wrong: string[] = [];
    let worstMs = 0;
    let losses = 0;
    for (const name of snapshot.names) {
      for (let offset = 0; offset < snapshot.bytes(name).length; offset++) {
        const found = await openDamaged(flip(name, offset));
        const isOneRecord = isExact(found) && records.has(found.lost);
        if (!isOneRecord || found.producerId !== producerId) {
          wrong.push(`${name} byte ${offset}: ${JSON.stringify(found)} of ${TOTAL}`);
        }
        worstMs = Math.max(worstMs, found.tookMs);
        if (found.lost > 0) losses += 1;
      }
    }
    expect(wrong).toEqual([]);
    expect(worstMs).toBeLessThan(2_000);
    // Else this test would prove nothing.
    expect(losses).toBeGreaterThan(100);
  });

  it('starts with any file cut at any byte, and declares what is lost to the single outcome', {
    timeout: 120_000,
  }, async () => {
    const { producerId } = await openDamaged();
    const wrong: string[] = [];
    let worstMs = 0;
    let losses = 0;
    for (const name of snapshot.names) {
      const bytes = snapshot.bytes(name);
      for (let length = 0; length < bytes.length; length++) {
        const found = await openDamaged({ name, bytes: bytes.subarray(0, length) });
        worstMs = Math.max(worstMs, found.tookMs);
        if (found.lost > 0) losses += 1;
        if (!isExact(found) || found.producerId !== producerId) {
          wrong.push(`${name} cut to ${length}: ${JSON.stringify(found)} of ${TOTAL}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(worstMs).toBeLessThan(2_000);
    expect(losses).toBeGreaterThan(100);
  });

  it('starts without any one of its files, and declares what is lost to the single outcome', async () => {
    for (const name of snapshot.names) {
      const found = await openDamaged({ name, bytes: undefined });
      expect(found, name).toSatisfy(isExact);
    }
  });

  it('starts after a run of bytes was overwritten, over several records too, and declares what is lost', {
    timeout: 60_000,
  }, async () => {
    const run = fc.record({
      file: fc.nat(),
      from: fc.nat(),
      length: fc.integer({ min: 1, max: 700 }),
      by: fc.constantFrom(0x00, 0xff, 0x41),
    });
    await fc.assert(
      fc.asyncProperty(run, async ({ file, from, length, by }) => {
        const name = snapshot.names[file % snapshot.names.length]!;
        const bytes = Buffer.from(snapshot.bytes(name));
        const start = from % bytes.length;
        bytes.fill(by, start, Math.min(bytes.length, start + length));
        expect(await openDamaged({ name, bytes })).toSatisfy(isExact);
      }),
      { numRuns: 400 },
    );
  });

  it('starts after damage in many places, and never counts what was not accepted', {
    timeout: 60_000,
  }, async () => {
    const places = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 2, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(places, async (damages) => {
        snapshot.restore();
        const files = new Map<string, Buffer>();
        for (const [file, place, value] of damages) {
          const name = snapshot.names[file % snapshot.names.length]!;
          const bytes = files.get(name) ?? Buffer.from(snapshot.bytes(name));
          bytes[place % bytes.length] = value;
          files.set(name, bytes);
        }
        for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
        const spool = await openSpool(folder, { settings });
        const { counted } = await deliverable(spool);
        expect(counted).toBeLessThanOrEqual(TOTAL);
        await report(spool, 1);
        await spool.seal();
        expect((await deliverable(spool)).counted).toBe(counted + 1);
        await spool.close();
      }),
      { numRuns: 150 },
    );
  });
});
