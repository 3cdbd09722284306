import { crc32 } from 'node:zlib';
import { SPOOL_BOUNDS } from './limits.ts';

/**
 * One record of a spool file:
 *
 *     len u32 | crc32 u32 | type u8 | flags u8 | seq u64 | wallMs u64 | payload
 *
 * Little-endian. `len` is the length of the whole record; the crc covers everything but itself, the length
 * and the number included: a record moved or renumbered by a failing disk must not pass.
 */
export const RECORD_TYPES = { batch: 1, skip: 2, intake: 3, commit: 4, ids: 5 } as const;
export type RecordType = (typeof RECORD_TYPES)[keyof typeof RECORD_TYPES];

export interface SpoolRecord {
  readonly type: RecordType;
  readonly seq: number;
  readonly wallMs: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 26;
const LAST_TYPE = RECORD_TYPES.ids;
const TWO_32 = 2 ** 32;

export function encodeRecord({ type, seq, wallMs, payload }: SpoolRecord): Buffer {
  const length = HEADER_BYTES + payload.length;
  if (length > SPOOL_BOUNDS.recordBytes) {
    throw new RangeError(`a record of ${length} bytes exceeds ${SPOOL_BOUNDS.recordBytes}`);
  }
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt8(type, 8);
  bytes.writeUInt8(0, 9);
  writeUint64(bytes, seq, 10);
  writeUint64(bytes, wallMs, 18);
  payload.copy(bytes, HEADER_BYTES);
  bytes.writeUInt32LE(checksum(bytes, 0, length), 4);
  return bytes;
}

export type RecordAt =
  | { readonly status: 'record'; readonly record: SpoolRecord; readonly end: number }
  /** Nothing follows. */
  | { readonly status: 'end' }
  /** What follows is shorter than it says: a write that was cut off, never confirmed to anybody. */
  | { readonly status: 'torn' }
  | { readonly status: 'damaged' };

/** The record at `offset`; its payload is a view into `bytes`. */
export function recordAt(bytes: Buffer, offset: number): RecordAt {
  const left = bytes.length - offset;
  if (left === 0) return { status: 'end' };
  if (left < HEADER_BYTES) return { status: 'torn' };
  const length = bytes.readUInt32LE(offset);
  if (length < HEADER_BYTES || length > SPOOL_BOUNDS.recordBytes) return { status: 'damaged' };
  if (length > left) return { status: 'torn' };
  if (bytes.readUInt32LE(offset + 4) !== checksum(bytes, offset, offset + length)) {
    return { status: 'damaged' };
  }
  const type = bytes.readUInt8(offset + 8);
  if (type < 1 || type > LAST_TYPE) return { status: 'damaged' };
  const record = {
    type: type as RecordType,
    seq: readUint64(bytes, offset + 10),
    wallMs: readUint64(bytes, offset + 18),
    payload: bytes.subarray(offset + HEADER_BYTES, offset + length),
  };
  return { status: 'record', record, end: offset + length };
}

/**
 * Where the next sound record begins after damage, or -1. The cheap tests on length, type and flags come
 * first: the checksum is computed for few of the offsets tried, so a whole segment takes milliseconds.
 */
export function nextRecordOffset(bytes: Buffer, from: number): number {
  for (let offset = from; offset + HEADER_BYTES <= bytes.length; offset++) {
    const type = bytes.readUInt8(offset + 8);
    if (type < 1 || type > LAST_TYPE || bytes.readUInt8(offset + 9) !== 0) continue;
    if (recordAt(bytes, offset).status === 'record') return offset;
  }
  return -1;
}

export function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % TWO_32, offset);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), offset + 4);
}

export function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * TWO_32;
}

function checksum(bytes: Buffer, start: number, end: number): number {
  return crc32(bytes.subarray(start + 8, end), crc32(bytes.subarray(start, start + 4)));
}
