import { statSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from '../../../agent/spool/disk.ts';
import { deliverable, openSpool, report, Snapshot, temporaryFolder } from './spool-folder.ts';

interface Bad {
  readonly isBad: (path: string) => boolean;
  /** Bytes that cannot be read; all when left out. */
  readonly from?: number;
  readonly to?: number;
  /** Not even its size can be read. */
  readonly isBadInode?: boolean;
}

function failed(): Error {
  return Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
}

/** The real disk with bad sectors. */
function diskWith({ isBad, from = 0, to = Number.POSITIVE_INFINITY, isBadInode = false }: Bad): Disk {
  return {
    ...realDisk,
    read: async (path) => {
      if (!isBad(path)) return realDisk.read(path);
      if (isBadInode) throw failed();
      const file = await realDisk.read(path);
      return {
        ...file,
        read: async (into, offset, length, position) => {
          if (position < to && position + length > from) throw failed();
          return file.read(into, offset, length, position);
        },
      };
    },
  };
}

const settings = { segmentBytes: 1_200 };
const AMOUNTS = [1, 20, 300, 4_000, 50_000, 600_000, 7_000_000, 80_000_000];
const TOTAL = AMOUNTS.reduce((sum, n) => sum + n, 0);

let folder: string;
let snapshot: Snapshot;
let producerId: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Six batches in some segments, and two reports in the journal alone. */
async function fill(): Promise<void> {
  const spool = await openSpool(folder, { settings });
  for (const [index, n] of AMOUNTS.entries()) {
    await report(spool, n, { id: `id-${n}` });
    if (index < 6) await spool.seal();
  }
  snapshot = Snapshot.take(folder);
  producerId = spool.producerId;
  await spool.close();
}

async function openWith(bad: Bad) {
  snapshot.restore();
  const spool = await openSpool(folder, { settings, disk: diskWith(bad) });
  const found = { ...(await deliverable(spool)), producerId: spool.producerId };
  await spool.close();
  return found;
}

describe('a disk that cannot read', () => {
  it('any one of the files: the spool starts, as itself, and declares what is lost to the single outcome', async () => {
    await fill();
    let losses = 0;
    for (const name of snapshot.names) {
      for (const isBadInode of [false, true]) {
        const isBad = (path: string) => path === join(folder, name);
        const found = await openWith({ isBad, isBadInode });
        expect({ name, total: found.counted + found.lost }).toEqual({ name, total: TOTAL });
        expect(found.producerId).toBe(producerId);
        if (found.lost > 0) losses += 1;
      }
    }
    expect(losses).toBeGreaterThan(2);
  });

  it('a segment at all: it is set aside as it is, for another day', async () => {
    await fill();
    for (const kind of ['batch', 'intake']) {
      const name = snapshot.names.find((one) => basename(one).startsWith(kind))!;
      const isBad = (path: string) => path === join(folder, name);
      await openWith({ isBad });
      const kept = join(folder, 'aside', `${producerId.slice(0, 8)}-${basename(name)}`);
      expect(await readFile(kept)).toEqual(snapshot.bytes(name));
    }
  });

  it('its header: the batches in it are counted all the same', async () => {
    await fill();
    const isBad = (path: string) => basename(path).startsWith('batch');
    snapshot.restore();
    let isFirst = true;
    const disk = diskWith({ isBad, to: 64 });
    const once: Disk = {
      ...disk,
      read: (path) => {
        if (!isBad(path) || !isFirst) return realDisk.read(path);
        isFirst = false;
        return disk.read(path);
      },
    };
    const spool = await openSpool(folder, { settings, disk: once });
    expect(await deliverable(spool)).toEqual({ counted: TOTAL, lost: 0 });
    await spool.close();
  });

  it('a sector: what is in that block is lost, and not the segment', async () => {
    let spool = await openSpool(folder);
    for (let n = 0; n < 400; n++) {
      await report(spool, 1);
      await spool.seal();
    }
    await spool.close();
    const isBad = (path: string) => basename(path).startsWith('batch');
    const [name] = (await readdir(join(folder, spool.producerId))).filter(isBad);
    const { size: bytes, ino } = await stat(join(folder, spool.producerId, name!));
    // What is written anew in its place is on other sectors.
    const isFile = (path: string) => statSync(path).ino === ino;
    expect(bytes).toBeGreaterThan(64 * 1024);
    spool = await openSpool(folder, { disk: diskWith({ isBad: isFile, from: 50_000, to: 50_512 }) });
    const { counted, lost } = await deliverable(spool);
    expect(counted + lost).toBe(400);
    expect(lost).toBeGreaterThan(0);
    // A block, and a record that begins before it.
    expect(lost).toBeLessThanOrEqual(Math.ceil(4096 / (bytes / 400)) + 1);
    await spool.close();
  });
});
