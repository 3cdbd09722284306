import { rm } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Disk, makeDirectory, realDisk } from '../../../agent/spool/disk.ts';
import { temporaryFolder } from './spool-folder.ts';

let folder: string;
const synced: string[] = [];
const disk: Disk = {
  ...realDisk,
  syncDirectory: async (path) => {
    await realDisk.syncDirectory(path);
    synced.push(path);
  },
};

beforeEach(async () => {
  folder = await temporaryFolder();
  synced.length = 0;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('a directory survives a power cut with every one above it that was made for it', async () => {
  const path = join(folder, 'a', 'b', 'c');
  await makeDirectory(disk, path);
  expect(synced).toEqual([folder, join(folder, 'a'), join(folder, 'a', 'b')]);
  synced.length = 0;
  await makeDirectory(disk, path);
  expect(synced).toEqual([dirname(path)]);
});

it('a directory may be given relative to the working directory', async () => {
  await makeDirectory(disk, relative(process.cwd(), join(folder, 'a', 'b')));
  expect(synced.map((path) => resolve(path))).toEqual([folder, join(folder, 'a')]);
});

it('a directory that cannot be made is said so, also where the system answers as if one above it were missing', async () => {
  await expect(makeDirectory(disk, '/proc/roomwatch/spool')).rejects.toMatchObject({ code: 'ENOENT' });
});
