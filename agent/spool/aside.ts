import { copyFile, link, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Disk, makeDirectory } from './disk.ts';
import { SPOOL_BOUNDS } from './limits.ts';

/**
 * What is kept for a person to look at and nothing reads again: damaged segments, rejected batches, folders of
 * identities that this spool was copied from. Files are bounded; folders, which may be as large as a spool, count
 * towards its limit. All of it is the first to go when the spool or the disk is full.
 */

/** Keeps a file under another name, oldest out beyond the bound. It must not stand in the way of mending. */
export async function setFileAside(disk: Disk, path: string, aside: string, name: string): Promise<void> {
  const kept = join(aside, name);
  try {
    await makeDirectory(disk, aside);
    await rm(kept, { force: true });
    // Not every file system knows links, and a full one has no room for a copy.
    await link(path, kept).catch(() => copyFile(path, kept));
    await disk.syncDirectory(aside);
  } catch {
    return;
  }
  await boundFiles(aside);
}

/**
 * Takes a file out of the way that cannot be read, and so cannot be copied: perhaps another day, or by another
 * program. Where it cannot be moved it stays.
 */
export async function moveFileAside(disk: Disk, path: string, aside: string, name: string): Promise<void> {
  try {
    await makeDirectory(disk, aside);
    await rename(path, join(aside, name));
    await disk.syncDirectory(aside);
    await disk.syncDirectory(dirname(path));
  } catch {
    return;
  }
  await boundFiles(aside);
}

async function boundFiles(aside: string): Promise<void> {
  let bytes = 0;
  for (const file of await newestFirst(aside, 'file')) {
    bytes += file.size;
    if (bytes > SPOOL_BOUNDS.asideBytes) await rm(file.path, { force: true });
  }
}

export async function setFolderAside(disk: Disk, path: string, aside: string, name: string): Promise<void> {
  await makeDirectory(disk, aside);
  await rm(join(aside, name), { recursive: true, force: true });
  await rename(path, join(aside, name));
  await disk.syncDirectory(aside);
  const folders = await newestFirst(aside, 'folder');
  for (const { path: old } of folders.slice(SPOOL_BOUNDS.asideFolders))
    await rm(old, { recursive: true, force: true });
}

/** Of the folders, with all that is in them. */
export async function asideFolderBytes(aside: string): Promise<number> {
  const entries = await readdir(aside, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.parentPath !== aside);
  const sizes = files.map(async ({ parentPath, name }) => {
    const found = await stat(join(parentPath, name)).catch(() => undefined);
    return found?.size ?? 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** @returns false when there was nothing to clear */
export async function clearAside(disk: Disk, aside: string): Promise<boolean> {
  const names = await readdir(aside).catch(() => []);
  for (const name of names) await rm(join(aside, name), { recursive: true, force: true });
  if (names.length > 0) await disk.syncDirectory(aside);
  return names.length > 0;
}

async function newestFirst(aside: string, kind: 'file' | 'folder') {
  const found: { path: string; size: number; changedAtMs: number }[] = [];
  for (const entry of await readdir(aside, { withFileTypes: true })) {
    if (entry.isFile() !== (kind === 'file')) continue;
    const path = join(aside, entry.name);
    const { size, ctimeMs } = await stat(path);
    found.push({ path, size, changedAtMs: ctimeMs });
  }
  return found.sort((a, b) => b.changedAtMs - a.changedAtMs);
}
