import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { StoreFault } from '../errors.ts';

/*
 * LMDB maps its file into memory and trusts it: a file that is something else, or was cut short while it was
 * copied, ends the process with a signal instead of an error. So its two meta pages are looked at first.
 *
 *     page 0, and again at page 1:  24 magic u32 | 28 version u32 | 48 page size u32 | 144 last page u64 | 152 transaction u64
 */
const MAGIC = 0xbeefc0de;
const META_BYTES = 160;
/** What the last transaction allocated and freed again is not written; a file may lack that much at its end. */
const UNWRITTEN_BYTES = 1024 * 1024;

/** @throws StoreFault STORE_DAMAGED when the file is there, not empty, and cannot be a whole LMDB file */
export function assertBooks(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const first = readMeta(file, 0);
    const second = first && readMeta(file, first.pageBytes);
    if (!first || !second) throw damaged(path, 'is not an LMDB file');
    const newest = second.transaction > first.transaction ? second : first;
    const bytes = (newest.lastPage + 1) * newest.pageBytes;
    if (size + UNWRITTEN_BYTES < bytes) throw damaged(path, `has ${size} bytes of ${bytes}`);
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, position: number) {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(file, bytes, 0, META_BYTES, position) < META_BYTES) return null;
  const isLittle = endianness() === 'LE';
  const u32 = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const u64 = (at: number) => Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  if (u32(24) !== MAGIC) return null;
  return { pageBytes: u32(48), lastPage: u64(144), transaction: u64(152) };
}

function damaged(path: string, what: string): StoreFault {
  return new StoreFault(
    'STORE_DAMAGED',
    `${path} ${what}; restore it from a backup, or move it away to start anew`,
  );
}
