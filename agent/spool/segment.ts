import { crc32 } from 'node:zlib';
import { nextRecordOffset, readUint64, recordAt, type SpoolRecord, writeUint64 } from './record.ts';

/**
 * A spool file: a header of 64 bytes, then records.
 *
 *     magic "RWSG" | crc32 over the rest | version u8 | kind u8 | merged u8 | unused u8 | producerId 16 |
 *     firstSeq u64 | before u64 | createdAtMs u64 | 12 unused
 *
 * `before` is the number of outcomes counted before the segment, so that a loss ahead of it can be stated
 * exactly. Files are named kind-ordinal.seg; the ordinal is their order, and a segment's range ends where the
 * next one's begins, whatever else the file may hold.
 */
export type SegmentKind = 'batch' | 'intake' | 'ids';
export interface SegmentHeader {
  readonly kind: SegmentKind;
  readonly producerId: string;
  readonly firstSeq: number;
  readonly before: number;
  readonly createdAtMs: number;
  /** Its batches were merged already; doing it again gains nothing. */
  readonly isMerged: boolean;
}

export const SEGMENT_HEADER_BYTES = 64;
const MAGIC = Buffer.from('RWSG');
const VERSION = 1;
const KINDS: readonly SegmentKind[] = ['batch', 'intake', 'ids'];

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt8(VERSION, 8);
  bytes.writeUInt8(KINDS.indexOf(header.kind), 9);
  bytes.writeUInt8(header.isMerged ? 1 : 0, 10);
  Buffer.from(header.producerId.replaceAll('-', ''), 'hex').copy(bytes, 12);
  writeUint64(bytes, header.firstSeq, 28);
  writeUint64(bytes, header.before, 36);
  writeUint64(bytes, header.createdAtMs, 44);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** @returns undefined when the header is damaged; the records behind it may still be sound */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8, SEGMENT_HEADER_BYTES))) return undefined;
  const kind = KINDS[bytes.readUInt8(9)];
  if (bytes.readUInt8(8) !== VERSION || kind === undefined) return undefined;
  const hex = bytes.toString('hex', 12, 28);
  return {
    kind,
    producerId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    firstSeq: readUint64(bytes, 28),
    before: readUint64(bytes, 36),
    createdAtMs: readUint64(bytes, 44),
    isMerged: bytes.readUInt8(10) === 1,
  };
}

export function segmentName(kind: SegmentKind, ordinal: number): string {
  return `${kind}-${String(ordinal).padStart(10, '0')}.seg`;
}

/** @returns undefined for a name of another kind */
export function segmentOrdinal(kind: SegmentKind, name: string): number | undefined {
  const match = /^(batch|intake|ids)-(\d{10})\.seg$/.exec(name);
  return match?.[1] === kind ? Number(match[2]) : undefined;
}

export interface SegmentScan {
  readonly records: readonly {
    readonly record: SpoolRecord;
    readonly offset: number;
    readonly end: number;
  }[];
  /** Sound records follow a damaged stretch. */
  readonly isDamaged: boolean;
  /** Where the last sound record ends; what follows is torn or damaged to the end of the file. */
  readonly soundEnd: number;
  /** The end of the file holds bytes that are whole but wrong, rather than cut off. */
  readonly hasDamagedEnd: boolean;
}

/** Every sound record of a segment, found anew after each damaged stretch. */
export function scanSegment(bytes: Buffer): SegmentScan {
  const records: { record: SpoolRecord; offset: number; end: number }[] = [];
  let offset = Math.min(SEGMENT_HEADER_BYTES, bytes.length);
  let isDamaged = false;
  for (;;) {
    const found = recordAt(bytes, offset);
    if (found.status === 'record') {
      records.push({ record: found.record, offset, end: found.end });
      offset = found.end;
      continue;
    }
    if (found.status === 'end') return { records, isDamaged, soundEnd: offset, hasDamagedEnd: false };
    // A wrong length looks torn too, so sound records are looked for in either case.
    const next = nextRecordOffset(bytes, offset + 1);
    if (next === -1) {
      return { records, isDamaged, soundEnd: offset, hasDamagedEnd: found.status === 'damaged' };
    }
    isDamaged = true;
    offset = next;
  }
}
