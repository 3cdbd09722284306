import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { entryRange } from './batch-record.ts';
import { isErrno } from './disk.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  scanSegment,
  segmentOrdinal,
} from './segment.ts';

/** What is known of a segment of batches without reading it. Its last seq is the next one's first, less one. */
export interface Segment {
  readonly path: string;
  readonly ordinal: number;
  readonly firstSeq: number;
  readonly before: number;
  readonly createdAtMs: number;
  readonly isMerged: boolean;
  readonly bytes: number;
}

/**
 * The segments of a directory in order, from their headers alone. Half-written replacements, and segments
 * whose range is covered by a later one, are deleted.
 */
export async function indexSegments(
  directory: string,
  nowMs: number,
): Promise<{ segments: Segment[]; nextOrdinal: number }> {
  const names = (await readdir(directory)).sort();
  const segments: Segment[] = [];
  let nextOrdinal = 1;
  for (const name of names) {
    const ordinal = segmentOrdinal('batch', name);
    if (ordinal === undefined) {
      // Half-written replacements of a process that was killed.
      if (/^batch-.*\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
      continue;
    }
    nextOrdinal = ordinal + 1;
    const path = join(directory, name);
    const segment = await indexSegment(path, ordinal, nowMs);
    if (!segment) {
      await rm(path, { force: true });
      continue;
    }
    while (segments.length > 0 && segments.at(-1)!.firstSeq >= segment.firstSeq) {
      await rm(segments.pop()!.path, { force: true });
    }
    segments.push(segment);
  }
  return { segments, nextOrdinal };
}

async function indexSegment(path: string, ordinal: number, nowMs: number): Promise<Segment | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, SEGMENT_HEADER_BYTES));
    await file.read(head, 0, head.length, 0);
    const header = decodeSegmentHeader(head);
    if (header) return { path, ordinal, bytes: size, ...rangeOf(header) };
  } finally {
    await file.close();
  }
  // The header is damaged; the first record says where the segment began, or what is left of it.
  const bytes = await readDamaged(path);
  const first = scanSegment(bytes)
    .records.map(({ record }) => entryRange(record))
    .find((range) => range !== undefined);
  if (!first) return undefined;
  const { from: firstSeq, before } = first;
  return { path, ordinal, firstSeq, before, createdAtMs: nowMs, isMerged: false, bytes: bytes.length };
}

export function rangeOf({ firstSeq, before, createdAtMs, isMerged }: SegmentHeader) {
  return { firstSeq, before, createdAtMs, isMerged };
}

/** A file that cannot be read at all is as good as empty: what it held is lost, and said to be. */
export async function readDamaged(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EIO')) return Buffer.alloc(0);
    throw error;
  }
}
