import { readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { frameText, readBatch } from '../../../agent/spool/batch-record.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { batchSchema } from '../../../protocol/frame.ts';
import { LIMITS } from '../../../protocol/limits.ts';
import {
  deliverable,
  entriesOf,
  FAILED,
  HandClock,
  OK,
  openSpool,
  report,
  Snapshot,
  temporaryFolder,
} from './spool-folder.ts';

let folder: string;
let clock: HandClock;
let spool: Spool;

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = new HandClock();
  const { nowMs, monotonicMs } = clock;
  spool = await openSpool(folder, { nowMs, monotonicMs, services: ['acme', 'globex'] });
});

afterEach(async () => {
  await spool.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

async function batches(of = spool) {
  return (await entriesOf(of)).filter((entry) => entry.kind === 'batch').map(readBatch);
}

/** What a kill -9 leaves: the files of now, without what closing would add. */
async function crashAndReopen(options: Parameters<typeof openSpool>[1] = {}): Promise<void> {
  const snapshot = Snapshot.take(folder);
  await spool.close();
  snapshot.restore();
  const { nowMs, monotonicMs } = clock;
  spool = await openSpool(folder, { nowMs, monotonicMs, services: ['acme', 'globex'], ...options });
}

describe('sealing', () => {
  it('folds equal outcomes of a minute into one cell', async () => {
    for (let i = 0; i < 3; i++) spool.accept({ ...OK, n: 1 }, clock.ms);
    spool.accept({ ...FAILED, n: 2 }, clock.ms + 59_999);
    spool.accept({ ...FAILED, n: 4 }, clock.ms + 60_000);
    await spool.commit();
    await spool.seal();
    const [batch] = await batches();
    const minute = clock.ms / 60_000;
    expect(batch?.cells).toEqual([
      { ...OK, minute, n: 3 },
      { ...FAILED, minute, n: 2 },
      { ...FAILED, minute: minute + 1, n: 4 },
    ]);
    expect(batch).toMatchObject({ seq: 1, minute, lost: {}, clockOffsetMs: null });
  });

  it('makes frames that the protocol accepts', async () => {
    await report(spool, 3);
    await spool.seal();
    const [entry] = await entriesOf(spool);
    expect(batchSchema.safeParse(JSON.parse(frameText(entry!, 7)))).toMatchObject({
      success: true,
      data: { epoch: 7, seq: 1 },
    });
  });

  it('says once in a minute that all services are alive, with an empty batch if need be', async () => {
    await spool.tick();
    await spool.tick();
    clock.ms += 59_999;
    await spool.tick();
    expect(spool.lastSealed).toBe(1);
    clock.ms += 1;
    await spool.tick();
    expect((await batches()).map((batch) => [batch.alive, batch.cells.length])).toEqual([
      [['acme', 'globex'], 0],
      [['acme', 'globex'], 0],
    ]);
  });

  it('names only the services with outcomes in the other batches of a minute', async () => {
    await spool.tick();
    await report(spool, 1, { service: 'globex' });
    await spool.tick();
    expect((await batches()).map((batch) => batch.alive)).toEqual([['acme', 'globex'], ['globex']]);
  });

  it('numbers batches without gaps over a restart', async () => {
    for (let n = 0; n < 3; n++) {
      await report(spool, 1);
      await spool.seal();
    }
    await crashAndReopen();
    await report(spool, 1);
    await spool.seal();
    expect((await batches()).map((batch) => batch.seq)).toEqual([1, 2, 3, 4]);
  });

  it('does not wait for the second to end when 64 KiB of cells are open', async () => {
    for (let i = 0; i < 1_000; i++) spool.accept({ ...OK, region: `region-${i}`, n: 1 }, clock.ms);
    await spool.commit();
    expect(spool.lastSealed).toBeGreaterThan(0);
    await spool.seal();
    const all = await batches();
    expect(all.flatMap((batch) => batch.cells)).toHaveLength(1_000);
    for (const batch of all) {
      expect(JSON.stringify(batch).length).toBeLessThan(LIMITS.framePayloadBytes);
      expect(batch.cells.length).toBeLessThanOrEqual(LIMITS.cellsPerBatch);
    }
  });

  it('keeps every frame within the limit with the longest labels of the widest characters', async () => {
    const label = (i: number) => `${i}-`.padEnd(21, '漢').padEnd(64, '"');
    for (let i = 0; i < 2_000; i++) {
      spool.accept(
        { ...FAILED, region: label(i), platform: label(i), code: label(i).slice(0, 64), n: 1 },
        clock.ms,
      );
    }
    await spool.commit();
    await spool.seal();
    const frames = (await entriesOf(spool)).map((entry) => Buffer.byteLength(frameText(entry, 1)));
    expect(Math.max(...frames)).toBeLessThan(LIMITS.framePayloadBytes);
    expect((await deliverable(spool)).counted).toBe(2_000);
  });

  it('splits a count that is more than one cell may have', async () => {
    for (let i = 0; i < 3; i++) spool.accept({ ...OK, n: 500_000_000 }, clock.ms);
    await spool.commit();
    await spool.seal();
    expect((await batches())[0]?.cells.map((cell) => cell.n)).toEqual([1_000_000_000, 500_000_000]);
  });
});

describe('the clock correction', () => {
  it('moves outcomes by the offset and says so in the batch', async () => {
    spool.clockOffsetMs = 3_600_000;
    await report(spool, 1);
    await spool.seal();
    const [batch] = await batches();
    const minute = clock.ms / 60_000 + 60;
    expect(batch).toMatchObject({ clockOffsetMs: 3_600_000, minute });
    expect(batch?.cells[0]?.minute).toBe(minute);
  });

  it('never mixes outcomes of two corrections in one batch', async () => {
    await report(spool, 1);
    spool.clockOffsetMs = 0;
    await report(spool, 2);
    spool.clockOffsetMs = -7_200_000;
    await report(spool, 4);
    await spool.seal();
    const sums = (await batches()).map((batch) => [batch.clockOffsetMs, batch.cells.map((cell) => cell.n)]);
    expect(sums).toEqual([
      [null, [1]],
      [0, [2]],
      [-7_200_000, [4]],
    ]);
  });
});

describe('what was confirmed', () => {
  it('survives a crash before it was sealed', async () => {
    await report(spool, 5);
    await crashAndReopen();
    expect(await deliverable(spool)).toEqual({ counted: 5, lost: 0 });
  });

  it('is sealed once, however often the process dies right after starting', async () => {
    await report(spool, 5);
    for (let i = 0; i < 4; i++) await crashAndReopen();
    expect(await deliverable(spool)).toEqual({ counted: 5, lost: 0 });
  });

  it('keeps the digest of a batch whose record is lost and rebuilt from the journal', async () => {
    await report(spool, 5);
    spool.accept({ ...FAILED, n: 2 }, clock.ms + 60_000);
    await report(spool, 5);
    const journalled = Snapshot.take(folder);
    await spool.seal();
    const before = (await batches())[0]?.digest;
    await spool.close();
    journalled.restore();
    spool = await openSpool(folder, { nowMs: clock.nowMs, services: ['acme'] });
    expect((await batches())[0]).toMatchObject({ seq: 1, digest: before });
  });
});

describe('ids', () => {
  it('count once, also across a crash and after the journal that held them is gone', async () => {
    expect(await report(spool, 1, { id: 'a' })).toBe('accepted');
    expect(await report(spool, 1, { id: 'a' })).toBe('repeated');
    await crashAndReopen();
    expect(await report(spool, 1, { id: 'a' })).toBe('repeated');
    await crashAndReopen();
    await crashAndReopen();
    expect(await report(spool, 1, { id: 'a' })).toBe('repeated');
    expect(await deliverable(spool)).toEqual({ counted: 1, lost: 0 });
  });

  it('are remembered for a day of a clock that nobody sets, also across a start', async () => {
    const DAY_MS = 86_400_000;
    await report(spool, 1, { id: 'a' });
    clock.setBy(30 * DAY_MS);
    await report(spool, 1, { id: 'b' });
    expect(await report(spool, 1, { id: 'a' })).toBe('repeated');
    await spool.seal();
    await crashAndReopen();
    clock.setBy(30 * DAY_MS);
    await crashAndReopen();
    expect(await report(spool, 1, { id: 'a' })).toBe('repeated');
    clock.ms += 2 * DAY_MS;
    await report(spool, 1, { id: 'c' });
    expect(await report(spool, 1, { id: 'a' })).toBe('accepted');
  });

  it('of one service say nothing about another', async () => {
    await report(spool, 1, { id: 'a', service: 'acme' });
    expect(await report(spool, 1, { id: 'a', service: 'globex' })).toBe('accepted');
  });

  it('are told apart before they are on disk', async () => {
    const first = spool.accept({ ...OK, n: 1 }, clock.ms, 'a');
    const second = spool.accept({ ...OK, n: 1 }, clock.ms, 'a');
    await spool.commit();
    expect([first, second]).toEqual(['accepted', 'repeated']);
  });
});

describe('services', () => {
  it('that report for the first time are remembered', async () => {
    await report(spool, 1, { service: 'initech' });
    await crashAndReopen();
    expect(spool.services).toEqual(['acme', 'globex', 'initech']);
  });

  it('are at most a thousand', async () => {
    for (let i = 0; i < LIMITS.servicesPerAgent - 2; i++)
      spool.accept({ ...OK, service: `s${i}`, n: 1 }, clock.ms);
    expect(spool.accept({ ...OK, service: 'one-too-many', n: 1 }, clock.ms)).toBe('too-many-services');
    expect(spool.accept({ ...OK, service: 'acme', n: 1 }, clock.ms)).toBe('accepted');
    await spool.commit();
  });
});

describe('acknowledged batches', () => {
  it('are kept for ten minutes, for a daemon that went back in time', async () => {
    await spool.close();
    spool = await openSpool(folder, { nowMs: clock.nowMs, settings: { segmentBytes: 1 } });
    for (let n = 0; n < 10; n++) {
      await report(spool, 1);
      await spool.seal();
    }
    spool.acknowledge(10);
    // Acknowledgements of ten seconds share a mark.
    clock.ms += 10 * 60_000 + 10_000;
    await spool.tick();
    expect(spool.firstRetained).toBe(1);
    clock.ms += 1;
    await spool.tick();
    // The batch of the later minute is not acknowledged.
    expect(spool.firstRetained).toBe(11);
  });

  it('of a quiet agent are dropped too: a segment is closed after ten minutes', async () => {
    for (let minute = 0; minute < 60; minute++) {
      await spool.tick();
      spool.acknowledge(spool.lastSealed);
      clock.ms += 60_000;
    }
    expect(spool.lastSealed).toBe(60);
    expect(spool.firstRetained).toBeGreaterThan(60 - 25);
    expect(spool.firstRetained).toBeLessThanOrEqual(60 - 10);
  });

  it('are kept for ten minutes whatever the clock is set to meanwhile', async () => {
    await spool.close();
    const { nowMs, monotonicMs } = clock;
    spool = await openSpool(folder, { nowMs, monotonicMs, settings: { segmentBytes: 1 } });
    for (let n = 0; n < 10; n++) {
      await report(spool, 1);
      await spool.seal();
    }
    spool.acknowledge(10);
    clock.setBy(3_600_000);
    await spool.tick();
    expect(spool.firstRetained).toBe(1);
    clock.setBy(-7_200_000);
    clock.ms += 10 * 60_000 + 10_001;
    await spool.tick();
    expect(spool.firstRetained).toBe(11);
  });

  it('are known as such after a crash a few seconds later, also when the clock was set back', async () => {
    await report(spool, 1);
    await spool.tick();
    clock.ms += 6_000;
    clock.setBy(-3_600_000);
    spool.acknowledge(spool.lastSealed);
    const { acked } = spool;
    await spool.tick();
    await crashAndReopen();
    expect(spool.acked).toBe(acked);
  });

  it('are kept up to 64 MiB, whatever their age', async () => {
    await spool.close();
    spool = await openSpool(folder, {
      nowMs: clock.nowMs,
      settings: { segmentBytes: 1, retainBytes: 1_000 },
    });
    for (let n = 0; n < 10; n++) {
      await report(spool, 1);
      await spool.seal();
    }
    spool.acknowledge(10);
    await spool.tick();
    expect(spool.firstRetained).toBeGreaterThan(5);
    expect(spool.firstRetained).toBeLessThan(10);
  });

  it('do not hold up the rest while the store is further back than what is kept', async () => {
    await spool.close();
    const settings = { segmentBytes: 500, retainBytes: 1 };
    spool = await openSpool(folder, { nowMs: clock.nowMs, settings });
    for (let n = 0; n < 20; n++) {
      await report(spool, 1);
      await spool.tick();
      spool.acknowledge(spool.lastSealed);
      clock.ms += 20_000;
    }
    await spool.tick();
    const { firstRetained } = spool;
    expect(firstRetained).toBeGreaterThan(5);
    spool.acknowledge(2);
    await expect(spool.tick()).resolves.toBeUndefined();
    clock.ms += 20_000;
    await spool.tick();
    await spool.close();
    spool = await openSpool(folder, { nowMs: clock.nowMs, settings });
    expect(spool.acked).toBe(2);
  });

  it('count as such after a restart', async () => {
    await report(spool, 1);
    await spool.seal();
    spool.acknowledge(1);
    await spool.close();
    spool = await openSpool(folder, { nowMs: clock.nowMs });
    expect(spool.acked).toBe(1);
  });
});

describe('a change of identity', () => {
  it('seals anew what is not counted, and only that, from seq 1', async () => {
    for (const n of [1, 20, 300]) {
      await report(spool, n);
      await spool.seal();
    }
    await report(spool, 4_000);
    const { producerId } = spool;
    await spool.reidentify(1);
    expect(spool.producerId).not.toBe(producerId);
    expect(await deliverable(spool)).toEqual({ counted: 4_320, lost: 0 });
    expect(spool.firstRetained).toBe(1);
    expect((await batches()).map((batch) => batch.seq)).toEqual([1, 2, 3]);
    await report(spool, 50_000, { id: 'x' });
    await crashAndReopen();
    expect(await deliverable(spool)).toEqual({ counted: 54_320, lost: 0 });
    expect(await report(spool, 1, { id: 'x' })).toBe('repeated');
  });

  it('keeps nothing twice: what is counted or copied is not set aside as well', async () => {
    await report(spool, 1);
    await spool.reidentify(0);
    expect((await readdir(folder)).sort()).toEqual(['ids', 'identity.json', 'lock', spool.producerId].sort());
  });
});

describe('one directory', () => {
  it('serves one process', async () => {
    await expect(openSpool(folder)).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
    await spool.close();
    spool = await openSpool(folder);
  });

  it('is never written again by the one that has closed it: it may be another one’s', async () => {
    await report(spool, 1);
    await spool.close();
    const successor = await openSpool(folder, { nowMs: clock.nowMs, services: ['acme'] });
    clock.ms += 120_000;
    await expect(spool.seal()).rejects.toMatchObject({ code: 'SPOOL_CLOSED' });
    await expect(spool.tick()).rejects.toMatchObject({ code: 'SPOOL_CLOSED' });
    await expect(report(spool, 7)).rejects.toThrow();
    await report(successor, 100);
    await successor.close();
    spool = await openSpool(folder, { nowMs: clock.nowMs, services: ['acme'] });
    expect(await deliverable(spool)).toEqual({ counted: 101, lost: 0 });
  });

  it('is taken over from a process that is gone', async () => {
    await spool.close();
    const dead = { pid: 4_194_304, startedAt: 'never', host: hostname() };
    await writeFile(join(folder, 'lock'), JSON.stringify(dead));
    spool = await openSpool(folder);
    expect(spool.refusal()).toBeUndefined();
  });
});
