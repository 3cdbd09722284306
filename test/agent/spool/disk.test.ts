import { rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
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
  expect(synced).toEqual([join(folder, 'a', 'b'), join(folder, 'a'), folder]);
  synced.length = 0;
  await makeDirectory(disk, path);
  expect(synced).toEqual([dirname(path)]);
});

it('a directory may be given relative to the working directory', async () => {
  await makeDirectory(disk, relative(process.cwd(), join(folder, 'a', 'b')));
  expect(synced).toEqual([join(folder, 'a'), folder]);
});
