import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBatch } from '../../../agent/spool/batch-record.ts';
import { realDisk } from '../../../agent/spool/disk.ts';
import type { SpoolOptions } from '../../../agent/spool/parts.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { deliverable, entriesOf, HandClock, OK, openSpool, report, temporaryFolder } from './spool-folder.ts';

let folder: string;
let clock: HandClock;
let spool: Spool;
let losses: { from: number; to: number; reason: string; outcomes: number }[];

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = new HandClock();
  losses = [];
});

afterEach(async () => {
  await spool.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

async function open(settings: SpoolOptions['settings'], directory = folder): Promise<void> {
  const on = { lost: (gap: (typeof losses)[number]) => void losses.push(gap) };
  const { nowMs, monotonicMs } = clock;
  spool = await openSpool(directory, { nowMs, monotonicMs, settings, on } as Partial<SpoolOptions>);
}

/** An outage: a batch a second with a few regions each, none acknowledged. */
async function outage(seconds: number): Promise<number> {
  for (let second = 0; second < seconds; second++) {
    for (let region = 0; region < 20; region++) {
      spool.accept({ ...OK, region: `region-${region}`, n: 1 }, clock.ms);
    }
    await spool.commit();
    await spool.tick();
    clock.ms += 1_000;
  }
  return seconds * 20;
}

/** A tick gives up a few segments and goes on at the next. */
async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await spool.tick();
}

const KIB = 1024;
const DAY_MS = 86_400_000;

describe('at its limit the spool', () => {
  it('for its age gives up what is old, also when the connection ended with it in flight', async () => {
    await open({ segmentBytes: 8 * KIB, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    for (let minute = 0; minute < 66; minute++) {
      for (let region = 0; region < 20; region++)
        spool.accept({ ...OK, region: `region-${region}`, n: 1 }, clock.ms);
      await spool.commit();
      await spool.tick();
      if (minute === 1) {
        spool.setInFlight(2);
        spool.setInFlight(null);
      }
      clock.ms += 60_000;
    }
    expect(losses.map(({ reason, from }) => [reason, from])[0]).toEqual(['spool-age', 1]);
    // Nothing of the last fifty minutes.
    expect(Math.max(...losses.map(({ to }) => to))).toBeLessThan(66 - 50);
  });

  it.each(['memory', 'disk'])(
    'gives up nothing that is being read from %s in order to be sent',
    async (from) => {
      const settings = { segmentBytes: 64 * KIB, maxBytes: 256 * KIB, minFreeBytes: 0 };
      await open(settings);
      while (spool.bytes < 512 * KIB) {
        for (let region = 0; region < 20; region++)
          spool.accept({ ...OK, region: `region-${region}`, n: 1 }, clock.ms);
        await spool.commit();
        await spool.seal();
      }
      await spool.markSendable(spool.lastSealed);
      if (from === 'disk') {
        // After a start no batch is in memory.
        await spool.close();
        await open(settings);
      }
      // Connected; as the sender does, and in the same moment the tick that keeps to the limit.
      spool.setInFlight(0);
      const [read] = await Promise.all([spool.entriesFrom(1, 32 * KIB), spool.tick()]);
      await settle();
      const firstGivenUp = Math.min(...losses.map(({ from }) => from));
      expect(losses.length).toBeGreaterThan(0);
      expect(firstGivenUp).toBeGreaterThan(read.at(-1)!.to);
    },
  );

  it('reads nothing from memory while it gives up what is on disk', async () => {
    let mayGoOn: () => void = () => {};
    let held: Promise<void> | undefined;
    const disk = {
      ...realDisk,
      space: async (path: string) => {
        await held;
        return realDisk.space(path);
      },
    };
    spool = await openSpool(folder, { nowMs: clock.nowMs, monotonicMs: clock.monotonicMs, disk });
    await report(spool, 1);
    await spool.seal();
    spool.setInFlight(0);
    held = new Promise((resolve) => {
      mayGoOn = resolve;
    });
    const ticking = spool.tick();
    const turns = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    };
    await turns();
    let isRead = false;
    const reading = spool.entriesFrom(1, KIB).then((entries) => {
      isRead = true;
      return entries;
    });
    await turns();
    const wasRead = isRead;
    mayGoOn();
    await ticking;
    expect(wasRead).toBe(false);
    expect(await reading).toHaveLength(1);
  });

  it('first merges what was never sent, and loses nothing', async () => {
    await open({ segmentBytes: 64 * KIB, maxBytes: 512 * KIB, minFreeBytes: 0 });
    const reported = await outage(600);
    expect(spool.bytes).toBeLessThanOrEqual(512 * KIB + 64 * KIB);
    expect(await deliverable(spool)).toEqual({ counted: reported, lost: 0 });
    expect(losses).toEqual([]);
    expect(spool.refusal()).toBeUndefined();
    // Numbers stay as they were: what merging frees is a skip of nothing.
    const entries = await entriesOf(spool);
    let next = 1;
    for (const { from, to } of entries) {
      expect(from).toBe(next);
      next = to + 1;
    }
    expect(next).toBe(spool.lastSealed + 1);
  });

  it('keeps the mark of every minute when it merges', async () => {
    await open({ segmentBytes: 64 * KIB, maxBytes: 512 * KIB, minFreeBytes: 0 });
    await outage(600);
    const batches = (await entriesOf(spool)).filter(({ kind }) => kind === 'batch').map(readBatch);
    const marked = new Set(batches.filter(({ alive }) => alive.includes('acme')).map(({ minute }) => minute));
    expect(marked.size).toBe(10);
  });

  it('never merges what may have been sent: the daemon knows its digest', async () => {
    await open({ segmentBytes: 64 * KIB, maxBytes: 1_300 * KIB, minFreeBytes: 0 });
    await outage(30);
    const sendable = await spool.markSendable(30);
    const digests = async () => {
      const entries = (await entriesOf(spool)).filter(({ kind }) => kind === 'batch');
      return entries.map((entry) => [entry.from, readBatch(entry).digest]);
    };
    const before = await digests();
    await outage(600);
    expect((await digests()).slice(0, 30)).toEqual(before);
    const entries = await entriesOf(spool);
    expect(entries.filter(({ from, kind }) => from <= sendable && kind === 'skip')).toEqual([]);
    expect(entries.filter(({ kind }) => kind === 'skip').length).toBeGreaterThan(0);
  });

  it('merges also after a file of its marks was damaged, though nothing that may have been sent by then', async () => {
    await open({ segmentBytes: 64 * KIB, maxBytes: 1_300 * KIB, minFreeBytes: 0 });
    let reported = await outage(30);
    await spool.markSendable(30);
    await spool.close();
    const state = join(folder, spool.producerId, 'state-0.json');
    const bytes = await readFile(state);
    bytes[20]! ^= 1;
    await writeFile(state, bytes);
    await open({ segmentBytes: 64 * KIB, maxBytes: 1_300 * KIB, minFreeBytes: 0 });
    const sealed = spool.lastSealed;
    // The mark is written again, and so is what the damage left of it.
    reported += await report(spool, 1, { service: 'globex' }).then(() => 1);
    await spool.close();
    await open({ segmentBytes: 64 * KIB, maxBytes: 1_300 * KIB, minFreeBytes: 0 });
    reported += await outage(600);
    expect(await deliverable(spool)).toEqual({ counted: reported, lost: 0 });
    const skips = (await entriesOf(spool)).filter(({ kind }) => kind === 'skip');
    expect(skips.length).toBeGreaterThan(0);
    expect(skips.filter(({ from }) => from <= sealed)).toEqual([]);
  });

  it('then gives up the oldest as one skip, and says how many outcomes that were', async () => {
    await open({ segmentBytes: 8 * KIB, maxBytes: 64 * KIB, minFreeBytes: 0 });
    await spool.markSendable(1_000_000);
    const reported = await outage(200);
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported);
    expect(lost).toBeGreaterThan(0);
    expect(losses.reduce((sum, gap) => sum + gap.outcomes, 0)).toBe(lost);
    expect(new Set(losses.map(({ reason }) => reason))).toEqual(new Set(['spool-full']));
    const skips = (await entriesOf(spool)).filter(({ kind }) => kind === 'skip');
    expect(skips).toHaveLength(1);
    expect(spool.bytes).toBeLessThanOrEqual(64 * KIB + 16 * KIB);
  });

  it('gives up only what was not acknowledged, and counts only that', async () => {
    await open({ segmentBytes: 8 * KIB, maxBytes: 64 * KIB, minFreeBytes: 0 });
    await spool.markSendable(1_000_000);
    await outage(10);
    spool.acknowledge(5);
    const reported = 10 * 20 + (await outage(200));
    const pending = (await entriesOf(spool)).filter(({ to }) => to > 5);
    expect(pending[0]?.from).toBe(6);
    expect(pending.reduce((sum, { outcomes }) => sum + outcomes, 0)).toBe(reported - 5 * 20);
  });

  it('gives up what is older than the age limit', async () => {
    await open({ segmentBytes: 4 * KIB, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    const reported = await outage(60);
    clock.ms += 3_600_000;
    const later = await outage(30);
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported + later);
    expect(lost).toBeGreaterThan(reported / 2);
    expect(counted).toBeGreaterThanOrEqual(later);
    expect(new Set(losses.map(({ reason }) => reason))).toEqual(new Set(['spool-age']));
  });

  it('gives up nothing younger for the age of what it gave up before', async () => {
    await open({ segmentBytes: 8 * KIB, maxBytes: 128 * KIB, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    await spool.markSendable(1_000_000);
    const reported = await outage(200);
    const given = losses.reduce((sum, gap) => sum + gap.outcomes, 0);
    expect(given).toBeGreaterThan(0);
    // The last twenty seconds are younger than the limit.
    clock.ms += 3_600_000 - 20_000;
    for (let i = 0; i < 8; i++) await settle();
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported);
    expect(lost).toBeGreaterThan(given);
    expect(counted).toBeGreaterThanOrEqual(20 * 20);
  });

  it('gives up nothing because the clock was set forward, whenever that was', async () => {
    const settings = { segmentBytes: 4 * KIB, minFreeBytes: 0 };
    await open(settings);
    let reported = await outage(60);
    clock.setBy(40 * DAY_MS);
    reported += await outage(60);
    await spool.close();
    clock.setBy(40 * DAY_MS);
    await open(settings);
    // A device without a battery for its clock has that long to find the daemon.
    clock.ms += 6 * 3_600_000 - 200_000;
    reported += await outage(60);
    expect(await deliverable(spool)).toEqual({ counted: reported, lost: 0 });
    // And then it keeps nothing for ever.
    clock.ms += 200_000;
    await settle();
    expect((await deliverable(spool)).lost).toBeGreaterThan(1_000);
  });

  it('gives up what is older than the age limit also by a clock that was set back', async () => {
    await open({ segmentBytes: 4 * KIB, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    await outage(60);
    clock.setBy(-40 * DAY_MS);
    await spool.close();
    await open({ segmentBytes: 4 * KIB, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    clock.ms += 3_500_000;
    await settle();
    expect(losses).toEqual([]);
    clock.ms += 100_001;
    await settle();
    expect((await deliverable(spool)).lost).toBeGreaterThan(600);
  });

  it('declares what it gives up once: a skip that was acknowledged is not joined with the next one', async () => {
    await open({ segmentBytes: 2_000, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    let reported = await outage(20);
    // Begins the segment that ends the last one.
    clock.ms += 60_000;
    await spool.tick();
    clock.ms += 3_601_000;
    await settle();
    const [first] = await entriesOf(spool);
    expect(first).toMatchObject({ kind: 'skip', outcomes: reported });
    spool.acknowledge(first!.to);
    reported += await outage(20);
    clock.ms += 3_601_000;
    await settle();
    const pending = (await entriesOf(spool)).filter(({ to }) => to > spool.acked);
    expect(pending[0]?.from).toBe(first!.to + 1);
    expect(first!.outcomes + pending.reduce((sum, { outcomes }) => sum + outcomes, 0)).toBe(reported);
    const skipped = pending.filter(({ kind }) => kind === 'skip');
    const declared = skipped.reduce((sum, { outcomes }) => sum + outcomes, first!.outcomes);
    expect(losses.reduce((sum, gap) => sum + gap.outcomes, 0)).toBe(declared);
  });

  it('gives up batches in segments however small', async () => {
    await open({ segmentBytes: 1, maxAgeMs: 3_600_000, minFreeBytes: 0 });
    for (let n = 0; n < 30; n++) {
      await report(spool, 1);
      await spool.tick();
      clock.ms += 1_000;
    }
    clock.ms += 60_000;
    await spool.tick();
    clock.ms += 3_601_000;
    await settle();
    const entries = await entriesOf(spool);
    expect(entries[0]).toMatchObject({ kind: 'skip', to: 30, outcomes: 30 });
    expect(entries.slice(1).every(({ outcomes }) => outcomes === 0)).toBe(true);
    expect(await deliverable(spool)).toEqual({ counted: 0, lost: 30 });
  });

  it('survives a restart with everything in its place', async () => {
    await open({ segmentBytes: 8 * KIB, maxBytes: 64 * KIB, minFreeBytes: 0 });
    await spool.markSendable(1_000_000);
    const reported = await outage(200);
    await spool.close();
    await open({ segmentBytes: 8 * KIB, maxBytes: 64 * KIB, minFreeBytes: 0 });
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported);
  });
});

/** Seconds of outcomes with ids, which a perfect daemon acknowledges at once. @returns seconds of refusal */
async function reportWithIds(seconds: number, perSecond: number): Promise<number> {
  let refused = 0;
  for (let second = 0; second < seconds; second++) {
    if (spool.refusal()) refused += 1;
    else {
      for (let i = 0; i < perSecond; i++) spool.accept({ ...OK, n: 1 }, clock.ms, `${clock.ms}-${i}`);
      await spool.commit();
    }
    await spool.tick();
    spool.acknowledge(spool.lastSealed);
    clock.ms += 1_000;
  }
  return refused;
}

describe('the ids of outcomes that were counted', () => {
  it('never fill a spool: they take an eighth of its limit at most', async () => {
    await open({ maxBytes: 1024 * KIB, minFreeBytes: 0 });
    expect(await reportWithIds(200, 2_000)).toBe(0);
    expect(losses).toEqual([]);
    expect(await folderBytes(join(folder, 'ids'))).toBeLessThanOrEqual(128 * KIB);
  });

  it('go before a batch is merged or given up, and are known until a restart all the same', async () => {
    await open({ segmentBytes: 8 * KIB, maxBytes: 256 * KIB, minFreeBytes: 0 });
    const id = `${clock.ms}-0`;
    await reportWithIds(10, 1_000);
    expect(await folderBytes(join(folder, 'ids'))).toBeGreaterThan(0);
    await outage(400);
    expect(await folderBytes(join(folder, 'ids'))).toBe(0);
    expect(await report(spool, 1, { id })).toBe('repeated');
  });

  it('of the newest reports survive a restart of a small spool', async () => {
    await open({ maxBytes: 1024 * KIB, minFreeBytes: 0 });
    await reportWithIds(100, 2_000);
    const id = `${clock.ms - 1_000}-0`;
    await spool.close();
    await open({ maxBytes: 1024 * KIB, minFreeBytes: 0 });
    expect(await report(spool, 1, { id })).toBe('repeated');
  });
});

async function folderBytes(path: string): Promise<number> {
  const sizes = (await readdir(path)).map(async (name) => (await stat(join(path, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

describe('a full disk', () => {
  // A file system of its own, as a user's disk is: needs the right to mount.
  let mounted: string;

  beforeEach(async () => {
    mounted = join(folder, 'disk');
    await mkdir(mounted);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mounted], { stdio: 'pipe' });
    } catch (error) {
      throw new Error('this test mounts a tmpfs of 2 MiB; run it as root', { cause: error });
    }
  });

  afterEach(async () => {
    await spool.close().catch(() => {});
    execFileSync('umount', ['-l', mounted], { stdio: 'pipe' });
  });

  it('refuses what it cannot keep, and takes outcomes again when there is room, without a restart', async () => {
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 0 }, join(mounted, 'spool'));
    let accepted = await outage(5);
    await writeFile(join(mounted, 'others.log'), Buffer.alloc(4 * 1024 * KIB)).catch(() => {});
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      for (let region = 0; region < 20; region++)
        spool.accept({ ...OK, region: `r-${region}`, n: 1 }, clock.ms);
      await spool.commit().then(
        () => {
          accepted += 20;
        },
        (error: { code: string }) => {
          expect(error.code).toBe('SPOOL_WRITE_FAILED');
          refused += 20;
        },
      );
      await spool.tick().catch(() => {});
      clock.ms += 1_000;
    }
    expect(refused).toBeGreaterThan(0);
    expect(losses).toEqual([]);
    await rm(join(mounted, 'others.log'));
    expect(await report(spool, 1)).toBe('accepted');
    await spool.tick();
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(accepted + 1);
    await spool.close();
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 0 }, join(mounted, 'spool'));
    const again = await deliverable(spool);
    expect(again.counted + again.lost).toBe(accepted + 1);
  });

  it('that others fill up costs the oldest batches, not the newest, and not the program', async () => {
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 128 * KIB }, join(mounted, 'spool'));
    await spool.markSendable(1_000_000);
    let accepted = await outage(200);
    await writeFile(join(mounted, 'others.log'), Buffer.alloc(4 * 1024 * KIB)).catch(() => {});
    for (let i = 0; i < 100; i++) {
      clock.ms += 1_000;
      await spool.tick().catch(() => {});
      if (spool.refusal() !== undefined) continue;
      await report(spool, 1).then(
        () => {
          accepted += 1;
        },
        () => {},
      );
    }
    await spool.tick();
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(accepted);
    expect(losses.reduce((sum, gap) => sum + gap.outcomes, 0)).toBe(lost);
    expect(lost).toBeGreaterThan(0);
    expect(counted).toBeGreaterThan(20);
  });

  it('that others fill up costs no outcome when giving them up would not free it', async () => {
    const directory = join(mounted, 'spool');
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 1_024 * KIB }, directory);
    await spool.markSendable(1_000_000);
    let reported = await outage(20);
    // Several files of ids, of which the oldest could be given up.
    for (; reported < 20_400; reported += 1_000) {
      for (let i = 0; i < 1_000; i++) spool.accept({ ...OK, n: 1 }, clock.ms, `${reported + i}`);
      await spool.commit();
    }
    // What is left is far less than the reserve, and the spool a few hundred KiB.
    const { freeBytes } = await realDisk.space(directory);
    await writeFile(join(mounted, 'others.log'), Buffer.alloc(freeBytes - 300 * KIB));
    await settle();
    expect(spool.refusal()).toBe('disk-full');
    expect(losses).toEqual([]);
    await rm(join(mounted, 'others.log'));
    await spool.tick();
    expect(spool.refusal()).toBeUndefined();
    // Nor an id, which the senders whom it refuses will repeat.
    await spool.close();
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 1_024 * KIB }, directory);
    expect(spool.accept({ ...OK, n: 1 }, clock.ms, '400')).toBe('repeated');
    expect(await deliverable(spool)).toEqual({ counted: reported, lost: 0 });
  });

  it('does not hold up what is sent, though every batch sent must be marked first', async () => {
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 0 }, join(mounted, 'spool'));
    await spool.markSendable(1);
    await spool.markSendable(300);
    await outage(20);
    await writeFile(join(mounted, 'others.log'), Buffer.alloc(4 * 1024 * KIB)).catch(() => {});
    for (const seq of [1_000, 2_000, 3_000])
      expect(await spool.markSendable(seq)).toBeGreaterThanOrEqual(seq);
    expect((await spool.entriesFrom(1, 1))[0]?.from).toBe(1);
    await rm(join(mounted, 'others.log'));
  });

  it('is not reached: the reserve, half of a small one, is kept free by giving up the oldest', async () => {
    await open({ segmentBytes: 64 * KIB, minFreeBytes: 64 * 1024 * KIB }, join(mounted, 'spool'));
    await spool.markSendable(1_000_000);
    const reported = await outage(600);
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported);
    expect(lost).toBeGreaterThan(0);
    expect(new Set(losses.map(({ reason }) => reason))).toEqual(new Set(['disk-full']));
  });

  it('is not filled by ids, whatever the spool’s own limit', async () => {
    await open({}, join(mounted, 'spool'));
    expect(await reportWithIds(200, 1_000)).toBe(0);
    expect(await folderBytes(join(mounted, 'spool', 'ids'))).toBeLessThanOrEqual(256 * KIB);
    expect(losses).toEqual([]);
  });

  it('without room for a copy keeps the old identity and its limits, says why, and goes on when there is room', async () => {
    const maxBytes = 1_400 * KIB;
    await open({ segmentBytes: 64 * KIB, maxBytes, minFreeBytes: 0 }, join(mounted, 'spool'));
    await spool.markSendable(1_000_000);
    let reported = await outage(600);
    const { producerId } = spool;
    await expect(spool.reidentify(0)).rejects.toMatchObject({ code: 'SPOOL_NO_ROOM' });
    expect(spool.fault).toMatch(/no room to copy it.*; free the disk/);
    reported += await outage(100);
    expect(spool.producerId).toBe(producerId);
    expect(spool.bytes).toBeLessThanOrEqual(maxBytes + 64 * KIB);
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(reported);
    expect(await readdir(join(mounted, 'spool'))).toHaveLength(4);

    execFileSync('mount', ['-o', 'remount,size=4m', mounted], { stdio: 'pipe' });
    await spool.reidentify(0);
    expect(spool.producerId).not.toBe(producerId);
    expect(spool.fault).toBeUndefined();
    expect(await deliverable(spool)).toEqual({ counted, lost });
  });
});
