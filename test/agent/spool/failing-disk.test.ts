import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from '../../../agent/spool/disk.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { deliverable, openSpool, report, Snapshot, temporaryFolder } from './spool-folder.ts';

type Operation = 'create' | 'write' | 'datasync' | 'overwrite';

/** The real disk, of which chosen operations fail; and after a failed fsync the file is watched. */
class FailingDisk implements Disk {
  /** Operations to come that fail. */
  failing: Operation[] = [];
  readonly retriedFiles: string[] = [];
  created = 0;

  async create(path: string) {
    this.#fail('create');
    this.created += 1;
    const file = await realDisk.create(path);
    let hasFailed = false;
    return {
      write: async (bytes: Buffer) => {
        if (hasFailed) this.retriedFiles.push(path);
        this.#fail('write');
        await file.write(bytes);
      },
      datasync: async () => {
        if (hasFailed) this.retriedFiles.push(path);
        try {
          this.#fail('datasync');
        } catch (error) {
          hasFailed = true;
          throw error;
        }
        await file.datasync();
      },
      close: () => file.close(),
    };
  }

  async overwrite(path: string) {
    this.#fail('overwrite');
    const file = await realDisk.overwrite(path);
    return {
      write: async (bytes: Buffer) => {
        this.#fail('overwrite');
        await file.write(bytes);
      },
      close: () => file.close(),
    };
  }

  read = realDisk.read;
  space = realDisk.space;
  /** What fails a sync of a directory; told its path. */
  failsSync: (path: string) => boolean = () => false;

  remove = realDisk.remove;

  async syncDirectory(path: string) {
    if (this.failsSync(path)) throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
    await realDisk.syncDirectory(path);
  }

  #fail(operation: Operation): void {
    if (this.failing[0] !== operation) return;
    this.failing.shift();
    throw Object.assign(new Error(`EIO: i/o error, ${operation}`), { code: 'EIO' });
  }
}

let folder: string;
let disk: FailingDisk;
let spool: Spool;

beforeEach(async () => {
  folder = await temporaryFolder();
  disk = new FailingDisk();
  spool = await openSpool(folder, { disk });
});

afterEach(async () => {
  disk.failing = [];
  await spool.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the disk has, as another process would find it. */
async function afterCrash(): Promise<{ counted: number; lost: number }> {
  const snapshot = Snapshot.take(folder);
  disk.failing = [];
  await spool.close();
  snapshot.restore();
  spool = await openSpool(folder, { disk });
  return deliverable(spool);
}

describe('a disk that fails', () => {
  it('once: the report goes to a new file, and the failed one is not touched again', async () => {
    await report(spool, 1);
    const { created } = disk;
    disk.failing = ['datasync'];
    await report(spool, 20);
    await report(spool, 300);
    expect(disk.failing).toEqual([]);
    expect(disk.created).toBe(created + 1);
    expect(disk.retriedFiles).toEqual([]);
    // The failed file holds the second report too; it counts once.
    expect(await afterCrash()).toEqual({ counted: 321, lost: 0 });
  });

  it('twice: the report is refused, and what was refused is not counted although the file holds it', async () => {
    await report(spool, 1);
    disk.failing = ['datasync', 'datasync'];
    await expect(report(spool, 20, { id: 'a' })).rejects.toMatchObject({ code: 'SPOOL_WRITE_FAILED' });
    expect(await report(spool, 300)).toBe('accepted');
    expect(await afterCrash()).toEqual({ counted: 301, lost: 0 });
    expect(await report(spool, 20, { id: 'a' })).toBe('accepted');
  });

  it('for a group fails those that wait behind it: a repeat in them was not confirmed', async () => {
    await report(spool, 1);
    disk.failing = ['datasync', 'create'];
    const first = report(spool, 20, { id: 'a' });
    const second = report(spool, 20, { id: 'a' });
    const results = await Promise.allSettled([first, second]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await report(spool, 20, { id: 'a' })).toBe('accepted');
    expect(await afterCrash()).toEqual({ counted: 21, lost: 0 });
  });

  it('to keep the high-water mark: reports are taken all the same, and the mark is tried again', async () => {
    disk.failing = ['overwrite', 'overwrite'];
    await report(spool, 1);
    await report(spool, 20);
    expect(disk.failing).toEqual([]);
    await report(spool, 300);
    const snapshot = Snapshot.take(folder);
    const [journal] = snapshot.names.filter((name) => name.includes('intake'));
    await spool.close();
    snapshot.restore({ name: journal!, bytes: undefined });
    spool = await openSpool(folder, { disk });
    expect(await deliverable(spool)).toEqual({ counted: 0, lost: 321 });
  });

  it('while a batch is sealed: the batch keeps its number and content, and later outcomes go to the next', async () => {
    await report(spool, 4_000);
    await spool.seal();
    await report(spool, 1);
    disk.failing = ['datasync', 'create'];
    await expect(spool.seal()).rejects.toMatchObject({ code: 'SPOOL_WRITE_FAILED' });
    await report(spool, 20);
    await spool.seal();
    expect(spool.lastSealed).toBe(3);
    expect(await deliverable(spool)).toEqual({ counted: 4_021, lost: 0 });
    expect(await afterCrash()).toEqual({ counted: 4_021, lost: 0 });
  });

  it('while a batch is sealed, and then the process dies: the batch exists in one version', async () => {
    await report(spool, 4_000);
    await spool.seal();
    await report(spool, 1);
    // The failed file holds batch 2 in full.
    disk.failing = ['datasync', 'create'];
    await spool.seal().catch(() => {});
    await report(spool, 20);
    expect(await afterCrash()).toEqual({ counted: 4_021, lost: 0 });
    expect(spool.lastSealed).toBe(3);
  });

  it('while a new identity is adopted: the old one goes on, and nothing is lost', async () => {
    await report(spool, 7);
    await spool.seal();
    const { producerId } = spool;
    const isAdopted = () => !readFileSync(join(folder, 'identity.json'), 'utf8').includes(producerId);
    let failures = 0;
    // Once the file names the new identity, and before that is durable.
    disk.failsSync = (path) => path === folder && failures === 0 && isAdopted() && ++failures > 0;
    await expect(spool.reidentify(0)).rejects.toThrow('EIO');
    expect(failures).toBe(1);
    await report(spool, 20);
    expect(await afterCrash()).toEqual({ counted: 27, lost: 0 });
    expect(spool.producerId).toBe(producerId);
  });
});
