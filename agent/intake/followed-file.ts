import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import { type Content, GzipContent, PlainContent } from './content.ts';
import { LineSplitter } from './line-splitter.ts';

/** As many first bytes are looked at, to see at once that a file is another one. */
const HEAD_BYTES = 256;
/** Of a file that has the right inode, so much is read again at a start to see that it is the one that was read. */
const REREAD_BYTES = 256 * 1024 * 1024;
export const CHUNK_BYTES = 256 * 1024;

export interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly inode: number;
  /** By the file system's clock; 0 = not known. */
  readonly bornAtMs: number;
  /** On the disk, when that was last looked at. */
  sizeBytes: number;
  readonly isCompressed: boolean;
  readonly content: Content;
  /** First bytes of the content, at most HEAD_BYTES. */
  head: Buffer;
  /** Of its first `bytes`. */
  headCrc: { readonly bytes: number; readonly crc: number } | undefined;
  /** Bytes read, and their CRC. */
  offset: number;
  crc: number;
  /** End of the last line that is durable, as far as this process knows. */
  taken: { readonly offset: number; readonly crc: number };
  splitter: LineSplitter;
  /** By the monotonic clock. */
  grewAtMs: number;
  /** When that was last looked at, by the file system's clock. Compressors leave a file the time of the one they read. */
  writtenAtMs: number;
}

/** A path cannot be followed until somebody does what the message says; no restart is needed then. */
export class UnfollowableError extends Error {
  readonly code = 'FILE_UNFOLLOWABLE';
  readonly path: string;

  constructor(path: string, fault: string, cause?: unknown) {
    super(`${path} ${fault}`, { cause });
    this.path = path;
  }
}

/** @param error  of the file system, other than that there is no such file */
export function unfollowable(path: string, error: unknown): UnfollowableError {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new UnfollowableError(
        path,
        `cannot be read by this user (${code}); let it read the file and search its folders, e.g. by a group`,
        error,
      );
    case 'ENXIO':
      return new UnfollowableError(path, NO_FILE.other, error);
    default:
      return new UnfollowableError(path, `cannot be opened (${code ?? message}); correct that`, error);
  }
}

const NO_FILE = {
  directory: 'is a directory; name the file in it that grows',
  fifo: 'is a FIFO; read it with roomwatch-agent --stdin',
  other: 'is a socket or a device; name a file that grows',
} as const;

/** @throws UnfollowableError for what is no file; a path that leads nowhere may lead to one later */
export async function assertFile(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info) refuseOthers(path, info);
}

function refuseOthers(path: string, info: Stats): void {
  if (info.isFile()) return;
  const kind = info.isDirectory() ? 'directory' : info.isFIFO() ? 'fifo' : 'other';
  throw new UnfollowableError(path, NO_FILE[kind]);
}

/** Opening a FIFO would wait for its writer, and hold one of the four threads of the pool until one comes. */
const WITHOUT_WAITING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * @returns undefined when there is no such file
 * @throws UnfollowableError
 */
export async function openFile(
  path: string,
  clock: Clock,
  isCompressed = false,
): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, WITHOUT_WAITING);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw unfollowable(path, error);
  }
  try {
    const info = await handle.stat();
    refuseOthers(path, info);
    return {
      path,
      handle,
      inode: info.ino,
      bornAtMs: (await keepsBirths(dirname(await realpath(path).catch(() => path)))) ? info.birthtimeMs : 0,
      sizeBytes: info.size,
      isCompressed,
      content: isCompressed ? new GzipContent(handle) : new PlainContent(handle),
      head: Buffer.alloc(0),
      headCrc: undefined,
      offset: 0,
      crc: 0,
      taken: { offset: 0, crc: 0 },
      splitter: new LineSplitter(),
      grewAtMs: clock.monotonicMs(),
      writtenAtMs: info.mtimeMs,
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Where the time of birth is not kept, 0 or the time of the last change is told in its place. A folder that was just
 * made tells nothing: its times are equal either way, so one above it on the same file system is asked.
 */
async function keepsBirths(folder: string): Promise<boolean> {
  const { birthtimeMs, ctimeMs, dev } = await stat(folder);
  if (birthtimeMs > 0 && birthtimeMs !== ctimeMs) return true;
  const above = dirname(folder);
  if (birthtimeMs <= 0 || above === folder || (await stat(above)).dev !== dev) return false;
  return keepsBirths(above);
}

/** `damaged`: it cannot be read as far as it was read before, and what can be read of that is the same. */
export type Recognised = 'same' | 'other' | 'damaged';

/**
 * Tells whether a file begins with all that was read up to a position: rotation and compression change its name
 * and inode, and another file can get its inode. If so the file is set to go on from there, else it is closed.
 * @param signal  aborted: the answer is `other`
 */
export async function recognise(
  file: OpenFile,
  position: FilePosition,
  signal: AbortSignal,
): Promise<Recognised> {
  let recognised: Recognised = 'other';
  try {
    recognised = await compare(file, position, signal);
  } finally {
    if (recognised !== 'same') await closeFile(file);
  }
  return recognised;
}

async function compare(file: OpenFile, position: FilePosition, signal: AbortSignal): Promise<Recognised> {
  const { content, isCompressed, handle } = file;
  const { offset, headBytes, headCrc, contentCrc } = position;
  if (!isCompressed && (await handle.stat()).size < offset) return 'other';
  let head: Buffer = Buffer.alloc(0);
  while (head.length < headBytes) {
    const bytes = await content.read(head.length, headBytes - head.length);
    if (typeof bytes === 'string') return 'damaged';
    if (bytes.length === 0) return 'other';
    head = Buffer.concat([head, bytes]);
  }
  if (crc32(head) !== headCrc) return 'other';
  if (!isSameInode(file, position) || offset <= REREAD_BYTES) {
    const crc = await crcUpTo(content, offset, signal);
    if (crc === 'damaged') return 'damaged';
    if (crc !== contentCrc) return 'other';
  }
  file.head = head;
  goBackTo(file, position);
  return 'same';
}

/** @param position  in this file, which may have been read further since */
export function goBackTo(file: OpenFile, { offset, contentCrc }: FilePosition): void {
  file.taken = { offset, crc: contentCrc };
  rewindTo(file, file.taken);
}

/** @param end  of a line */
export function rewindTo(file: OpenFile, { offset, crc }: { offset: number; crc: number }): void {
  file.offset = offset;
  file.crc = crc;
  file.splitter = new LineSplitter(offset);
  // It grows as they are read again.
  file.head = file.head.subarray(0, offset);
}

/** Whether it is the file that was read, by what the file system says: another one may have got the inode. */
export function isSameInode({ inode, bornAtMs, isCompressed }: OpenFile, position: FilePosition): boolean {
  if (isCompressed || inode !== position.inode) return false;
  return bornAtMs === position.bornAtMs || bornAtMs === 0 || position.bornAtMs === 0;
}

export async function closeFile(file: OpenFile): Promise<void> {
  file.content.rewind();
  await file.handle.close();
}

/** @returns undefined when the content ends before `end` */
async function crcUpTo(
  content: Content,
  end: number,
  signal: AbortSignal,
): Promise<number | 'damaged' | undefined> {
  let crc = 0;
  for (let offset = 0; offset < end; ) {
    if (signal.aborted) return undefined;
    const bytes = await content.read(offset, Math.min(CHUNK_BYTES, end - offset));
    if (typeof bytes === 'string') return 'damaged';
    if (bytes.length === 0) return undefined;
    crc = crc32(bytes, crc);
    offset += bytes.length;
  }
  return crc;
}

/** Takes note of how far the file is written; @returns whether it was cut, so that what was read is not there */
export async function wasCut(file: OpenFile): Promise<boolean> {
  if (file.isCompressed) return false;
  const { size, mtimeMs } = await file.handle.stat();
  file.sizeBytes = size;
  if (size < file.offset) return true;
  file.writtenAtMs = mtimeMs;
  const head = await file.content.read(0, file.head.length);
  return typeof head === 'string' || !head.equals(file.head);
}

/** Bytes on the disk that are not read yet; all of a compressed file until it is read to its end. */
export function unreadBytes({ sizeBytes, offset, isCompressed }: OpenFile): number {
  return isCompressed ? sizeBytes : Math.max(0, sizeBytes - offset);
}

/** @param end  of a line, and the CRC of the content up to there */
export function positionOf(file: OpenFile, end: { offset: number; crc: number }): FilePosition {
  const head = file.head.subarray(0, Math.min(end.offset, HEAD_BYTES));
  // The same for every line but the first few.
  if (file.headCrc?.bytes !== head.length) file.headCrc = { bytes: head.length, crc: crc32(head) };
  return {
    inode: file.inode,
    bornAtMs: file.bornAtMs,
    offset: end.offset,
    headBytes: head.length,
    headCrc: file.headCrc.crc,
    contentCrc: end.crc,
    writtenAtMs: file.writtenAtMs,
  };
}

/** Takes note of the first bytes as they are read. */
export function growHead(file: OpenFile, bytes: Buffer): void {
  if (file.head.length < HEAD_BYTES) file.head = Buffer.concat([file.head, bytes]).subarray(0, HEAD_BYTES);
}
