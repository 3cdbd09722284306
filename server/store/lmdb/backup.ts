import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreFault } from '../errors.ts';
import { BOOKS_FILE, openEnvironment } from './environment.ts';
import { forgetOwner } from './owner.ts';

/**
 * Copies the books as they are at one instant, also beside the daemon that writes them: LMDB copies what one read
 * transaction sees. Pages that are free are left out. The copy belongs to nobody, and is on the disk before it has
 * its name.
 * @param to  a directory without books in it; made when it is missing
 * @returns the bytes of the copy
 * @throws StoreFault STORE_MISSING when there is nothing to copy, STORE_UNSUITABLE when there are books in `to`
 */
export async function backUpBooks(directory: string, to: string): Promise<number> {
  const target = join(to, BOOKS_FILE);
  if (existsSync(target)) {
    throw new StoreFault('STORE_UNSUITABLE', `there are books in ${to} already; name another directory`);
  }
  await mkdir(to, { recursive: true });
  const draft = join(to, `.backup-${process.pid}`);
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  try {
    const books = openEnvironment(directory, true);
    try {
      await books.root.backup(join(draft, BOOKS_FILE), true);
    } finally {
      await books.root.close();
    }
    await forgetOwner(draft);
    await flush(join(draft, BOOKS_FILE));
    await rename(join(draft, BOOKS_FILE), target);
    await flush(to);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return (await stat(target)).size;
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
