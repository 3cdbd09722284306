import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Spool } from '../../../agent/spool/spool.ts';
import { deliverable, openSpool, report, temporaryFolder } from './spool-folder.ts';

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
  spool.setPosition('/var/log/entries', { inode: 1, offset: 10, headBytes: 0, headCrc: 0 });
  await report(spool, 7, { id: 'a', service: 'initech' });
  await spool.close();
  return spool.producerId;
}

describe('a copied spool', () => {
  it('gets an identity of its own, and its batches stay the original’s to deliver', async () => {
    const producerId = await makeOriginal();
    await cp(join(folder, 'original'), join(folder, 'copy'), { recursive: true });
    const foreign: string[] = [];
    const copy = await spoolAt('copy', {
      on: { copied: (identity) => void foreign.push(identity.producerId) },
    });
    expect(foreign).toEqual([producerId]);
    expect(copy.producerId).not.toBe(producerId);
    await copy.seal();
    expect(await deliverable(copy)).toEqual({ counted: 0, lost: 0 });
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

  it('is told by another host too', async () => {
    const producerId = await makeOriginal({ hostId: 'one' });
    expect((await spoolAt('original', { hostId: 'two' })).producerId).not.toBe(producerId);
  });

  it('is not what a restart finds', async () => {
    const producerId = await makeOriginal({ hostId: 'one' });
    expect((await spoolAt('original', { hostId: 'one' })).producerId).toBe(producerId);
  });
});
