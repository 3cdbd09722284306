import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { machineName } from '../../../agent/spool/identity.ts';
import type { Gap } from '../../../agent/spool/segment-content.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { deliverable, OK, openSpool, report, Snapshot, temporaryFolder } from './spool-folder.ts';

let folder: string;
const open: Spool[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const spool of open.splice(0)) await spool.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

async function spoolAt(name: string, options: Parameters<typeof openSpool>[1] = {}): Promise<Spool> {
  const spool = await openSpool(join(folder, name), options);
  open.push(spool);
  return spool;
}

async function makeOriginal(options: Parameters<typeof openSpool>[1] = {}): Promise<string> {
  const spool = await spoolAt('original', options);
  const content = { offset: 10, headBytes: 0, headCrc: 0, contentCrc: 0 };
  const position = { inode: 1, bornAtMs: 0, writtenAtMs: 0, ...content };
  spool.setPosition('/var/log/entries', position);
  await report(spool, 7, { id: 'a', service: 'initech' });
  await spool.close();
  return spool.producerId;
}

describe('a copied spool', () => {
  it('gets an identity of its own, leaves its batches to the original, and declares them lost from here', async () => {
    const producerId = await makeOriginal();
    await cp(join(folder, 'original'), join(folder, 'copy'), { recursive: true });
    const foreign: string[] = [];
    const copy = await spoolAt('copy', {
      on: { copied: (identity) => void foreign.push(identity.producerId) },
    });
    expect(foreign).toEqual([producerId]);
    expect(copy.producerId).not.toBe(producerId);
    await copy.seal();
    expect(await deliverable(copy)).toEqual({ counted: 0, lost: 7 });
    expect(await readdir(join(folder, 'copy', 'aside'))).toEqual([producerId]);
    const original = await spoolAt('original');
    expect(original.producerId).toBe(producerId);
    expect(await deliverable(original)).toEqual({ counted: 7, lost: 0 });
  });

  it('still knows the ids, the services and how far files were read', async () => {
    await makeOriginal();
    await cp(join(folder, 'original'), join(folder, 'copy'), { recursive: true });
    const copy = await spoolAt('copy');
    expect(await report(copy, 7, { id: 'a', service: 'initech' })).toBe('repeated');
    expect(copy.services).toEqual(['acme', 'initech']);
    expect(copy.position('/var/log/entries')).toMatchObject({ offset: 10 });
  });

  it('says once how many outcomes were not delivered, also when nothing had sealed them yet', async () => {
    const spool = await spoolAt('original');
    await report(spool, 20);
    await spool.seal();
    await report(spool, 300);
    await spool.seal();
    spool.acknowledge(1);
    await spool.tick();
    await report(spool, 4_000);
    const files = Snapshot.take(join(folder, 'original'));
    await spool.close();
    files.restore();
    const lost: Gap[] = [];
    const on = { lost: (gap: Gap) => void lost.push(gap) };
    const copy = await spoolAt('original', { hostId: 'elsewhere', on });
    expect(lost).toEqual([{ from: 1, to: 1, reason: 'spool-copied', outcomes: 4_300 }]);
    await copy.close();
    const again = await spoolAt('original', { hostId: 'elsewhere', on });
    expect(lost).toHaveLength(1);
    expect(await deliverable(again)).toEqual({ counted: 0, lost: 4_300 });
  });

  it('declares nothing when all of it was acknowledged', async () => {
    const spool = await spoolAt('original');
    await report(spool, 20);
    await spool.seal();
    spool.acknowledge(spool.lastSealed);
    await spool.close();
    const copy = await spoolAt('original', { hostId: 'elsewhere' });
    expect(await deliverable(copy)).toEqual({ counted: 0, lost: 0 });
  });

  it('counts what it was copied from towards its limit, and lets go of that first', async () => {
    const settings = { maxBytes: 1024 * 1024, minFreeBytes: 0 };
    const spool = await spoolAt('original', { settings });
    for (let n = 0; n < 900; n++) {
      spool.accept({ ...OK, region: String(n).padEnd(64, '-'), n: 1 }, Date.now());
    }
    await spool.commit();
    await spool.close();
    const old = spool.bytes;
    let lost = 0;
    const on = {
      lost: ({ outcomes }: Gap) => {
        lost += outcomes;
      },
    };
    const copy = await spoolAt('original', { settings, on, hostId: 'elsewhere' });
    expect(copy.bytes).toBeGreaterThan(old / 2);
    lost = 0;
    for (let n = 0; copy.bytes <= settings.maxBytes; n++) {
      copy.accept({ ...OK, region: String(n).padEnd(64, '-'), n: 1 }, Date.now());
      if (n % 500 === 0) await copy.commit();
    }
    await copy.tick();
    expect(copy.bytes).toBeLessThan(settings.maxBytes);
    expect(await readdir(join(folder, 'original', 'aside'))).toEqual([]);
    expect(lost).toBe(0);
  });

  it('is told by another host too', async () => {
    const producerId = await makeOriginal({ hostId: 'one' });
    expect((await spoolAt('original', { hostId: 'two' })).producerId).not.toBe(producerId);
  });

  it('is not what a restart finds', async () => {
    const producerId = await makeOriginal({ hostId: 'one' });
    expect((await spoolAt('original', { hostId: 'one' })).producerId).toBe(producerId);
  });
});

describe('the name of a machine', () => {
  it('is its id alone, so that renaming it or making its container anew changes nothing', async () => {
    const [empty, id] = [join(folder, 'empty'), join(folder, 'machine-id')];
    await writeFile(empty, '\n');
    await writeFile(id, '0123456789abcdef\n');
    expect(await machineName([join(folder, 'missing'), empty, id])).toBe('0123456789abcdef');
  });

  it('is its host name when it has no id', async () => {
    expect(await machineName([join(folder, 'missing')])).toBe(hostname());
  });
});
