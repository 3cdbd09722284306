import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import { LineSplitter } from './line-splitter.ts';

/** As many first bytes tell a file from another that got its inode. */
const HEAD_BYTES = 256;
/** Files of the folder among which a rotated one is looked for. */
const SIBLINGS_MAX = 1_000;

export interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** First bytes of the file, at most HEAD_BYTES. */
  head: Buffer;
  offset: number;
  splitter: LineSplitter;
  grewAtMs: number;
}

/** What log rotation puts after a name: .1, -20261123, .2026-11-23T02:00. Compressed files are not read. */
const ROTATED_SUFFIX = /^[.-]\d[\d.:T-]*$/;

/** The oldest rotated file of a path that was written after `file`, when a rotation was missed. */
export async function rotatedAfter(path: string, file: OpenFile): Promise<string | undefined> {
  const { mtimeMs } = await file.handle.stat();
  const name = basename(path);
  const later = (await siblingsOf(path)).filter(
    (one) =>
      one.name.startsWith(name) &&
      ROTATED_SUFFIX.test(one.name.slice(name.length)) &&
      one.mtimeMs > mtimeMs &&
      one.inode !== file.inode,
  );
  return later.sort((a, b) => a.mtimeMs - b.mtimeMs)[0]?.path;
}

/** The other files of a file's folder. */
export async function siblingsOf(path: string) {
  const names = (await readdir(dirname(path)).catch(() => [])).slice(0, SIBLINGS_MAX);
  const found: { name: string; path: string; inode: number; mtimeMs: number }[] = [];
  for (const name of names) {
    if (name === basename(path)) continue;
    const sibling = join(dirname(path), name);
    const info = await stat(sibling).catch(() => undefined);
    if (info?.isFile()) found.push({ name, path: sibling, inode: info.ino, mtimeMs: info.mtimeMs });
  }
  return found;
}

export async function openFile(path: string, clock: Clock): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const { ino } = await handle.stat();
  const grewAtMs = clock.monotonicMs();
  return { handle, inode: ino, head: Buffer.alloc(0), offset: 0, splitter: new LineSplitter(), grewAtMs };
}

export async function seekTo(file: OpenFile, offset: number): Promise<OpenFile> {
  file.offset = offset;
  file.splitter = new LineSplitter(offset);
  file.head = await readHead(file.handle, Math.min(offset, HEAD_BYTES));
  return file;
}

export async function isSame(file: OpenFile, saved: FilePosition): Promise<boolean> {
  if (file.inode !== saved.inode) return false;
  const { size } = await file.handle.stat();
  if (size < saved.offset) return false;
  const head = await readHead(file.handle, saved.headBytes);
  return head.length === saved.headBytes && crc32(head) === saved.headCrc;
}

export async function wasCut(file: OpenFile): Promise<boolean> {
  const { size } = await file.handle.stat();
  if (size < file.offset) return true;
  return !(await readHead(file.handle, file.head.length)).equals(file.head);
}

async function readHead(handle: FileHandle, bytes: number): Promise<Buffer> {
  const head = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(head, 0, bytes, 0);
  return head.subarray(0, bytesRead);
}

export function positionOf(file: OpenFile, offset: number): FilePosition {
  const head = file.head.subarray(0, Math.min(offset, HEAD_BYTES));
  return { inode: file.inode, offset, headBytes: head.length, headCrc: crc32(head) };
}

/** Takes note of the first bytes as they are read. */
export function growHead(file: OpenFile, bytes: Buffer): void {
  if (file.head.length < HEAD_BYTES) file.head = Buffer.concat([file.head, bytes]).subarray(0, HEAD_BYTES);
}
