import { type Disk, isErrno, type ReadFile } from './disk.ts';

export interface Content {
  /** As long as the file; zeros where the disk would not give what it holds. */
  readonly bytes: Buffer;
  /** `lost`: none of it could be read. */
  readonly status: 'whole' | 'holes' | 'lost' | 'absent';
}

/** What a disk reads as one, and what one bad sector takes with it at the least. */
const BLOCK_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

/**
 * Reads a file around what the disk cannot read, so that a bad sector costs the records in it and not the file: they
 * are found damaged, like any others.
 * @param room gives a buffer of at least so many bytes, which the content is then a view into
 * @throws the file system's error, other than EIO and ENOENT
 */
export async function readAround(
  disk: Disk,
  path: string,
  room: (bytes: number) => Buffer = Buffer.alloc,
): Promise<Content> {
  let file: ReadFile;
  try {
    file = await disk.read(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { bytes: NOTHING, status: 'absent' };
    if (isErrno(error, 'EIO')) return { bytes: NOTHING, status: 'lost' };
    throw error;
  }
  try {
    const bytes = room(file.size).subarray(0, file.size);
    const { end, unread } = await fill(file, bytes);
    const status = unread === 0 ? 'whole' : unread < end ? 'holes' : 'lost';
    return { bytes: bytes.subarray(0, end), status };
  } finally {
    await file.close();
  }
}

/**
 * Leaves out more and more of a run of bad blocks, as a disk may try each for many seconds.
 * @returns where the file ended, and how many of the bytes ahead of that are left out
 */
async function fill(file: ReadFile, bytes: Buffer): Promise<{ end: number; unread: number }> {
  let unread = 0;
  let mostBytes = bytes.length;
  let leftOutBytes = BLOCK_BYTES;
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(mostBytes, bytes.length - at);
    try {
      const got = await file.read(bytes, at, length, at);
      if (got === 0) return { end: at, unread };
      at += got;
      leftOutBytes = BLOCK_BYTES;
    } catch (error) {
      if (!isErrno(error, 'EIO')) throw error;
      if (length > BLOCK_BYTES) {
        mostBytes = BLOCK_BYTES;
        continue;
      }
      const end = Math.min(bytes.length, at + leftOutBytes);
      bytes.fill(0, at, end);
      unread += end - at;
      at = end;
      leftOutBytes *= 2;
    }
  }
  return { end: bytes.length, unread };
}
