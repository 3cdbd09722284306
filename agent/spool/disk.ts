import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat, statfs, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The few things the spool asks of a file system; a test wraps it to make them fail. */
export interface Disk {
  /** Creates a file that must not exist yet. */
  create(path: string): Promise<DiskFile>;
  /** Opens a file whose content is replaced from its beginning; creates it if there is none. */
  overwrite(path: string): Promise<OverwrittenFile>;
  /** Opens a file to be read; rejects with ENOENT where there is none. */
  read(path: string): Promise<ReadFile>;
  /** Deletes a file, if there is one. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and deletions in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Of the file system that a path is on. */
  space(path: string): Promise<Space>;
}

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface DiskFile {
  /** Writes all of it or rejects. */
  write(bytes: Buffer): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface OverwrittenFile {
  /** Over the file's first bytes; what lies behind them stays. In the kernel's memory when it resolves, not on disk. */
  write(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface ReadFile {
  readonly size: number;
  /** @returns how many bytes of `into` were filled, from `offset` on; 0 at the end of the file */
  read(into: Buffer, offset: number, length: number, position: number): Promise<number>;
  close(): Promise<void>;
}

export const realDisk: Disk = {
  async create(path) {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    return {
      write: (bytes) => writeAll(file, bytes),
      datasync: () => file.datasync(),
      close: () => file.close(),
    };
  },
  async overwrite(path) {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    return { write: (bytes) => writeAll(file, bytes, 0), close: () => file.close() };
  },
  async read(path) {
    const file = await open(path, constants.O_RDONLY);
    try {
      const { size } = await file.stat();
      return {
        size,
        read: async (...args) => (await file.read(...args)).bytesRead,
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  },
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(path) {
    const directory = await open(path, constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  async space(path) {
    const { bavail, blocks, bsize } = await statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
};

/** @param position  in the file; left out = behind what was written last */
async function writeAll(file: FileHandle, bytes: Buffer, position?: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done;
    done += (await file.write(bytes, done, bytes.length - done, at)).bytesWritten;
  }
}

/** Replaces a file as a whole: after a crash it has the old content or the new, never a mixture. */
export async function replaceFile(disk: Disk, path: string, content: Buffer): Promise<void> {
  const temporary = `${path}.tmp`;
  await disk.remove(temporary);
  const file = await disk.create(temporary);
  try {
    await file.write(content);
    await file.datasync();
  } catch (error) {
    await disk.remove(temporary);
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await disk.syncDirectory(dirname(path));
}

export async function removeFile(disk: Disk, path: string): Promise<void> {
  await disk.remove(path);
  await disk.syncDirectory(dirname(path));
}

/** Makes it and what is missing above it, all of it durable. */
export async function makeDirectory(disk: Disk, path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // One above it is missing. Not left to `recursive`, which tries for ever where nothing can be made, as in /proc.
    const isAboveMissing = isErrno(error, 'ENOENT') && !(await isThere(dirname(path)));
    if (!isAboveMissing) {
      if (!isErrno(error, 'EEXIST') || !(await stat(path)).isDirectory()) throw error;
    } else {
      await makeDirectory(disk, dirname(path));
      await mkdir(path, { mode: 0o700 });
    }
  }
  // Also when it was there: the process that made it may have crashed before it was durable.
  await disk.syncDirectory(dirname(path));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export async function cutFile(disk: Disk, path: string, length: number): Promise<void> {
  await truncate(path, length);
  const file = await open(path, constants.O_RDWR);
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.syncDirectory(dirname(path));
}

/** Puts content over the beginning of a file and cuts the rest; needs no space. */
export async function overwriteFile(path: string, content: Buffer): Promise<void> {
  const file = await open(path, constants.O_RDWR);
  try {
    await writeAll(file, content, 0);
    await file.truncate(content.length);
    await file.datasync();
  } finally {
    await file.close();
  }
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
