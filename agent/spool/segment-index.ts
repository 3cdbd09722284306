import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { entryRange } from './batch-record.ts';
import { type Disk, isErrno } from './disk.ts';
import { readAround } from './read-around.ts';
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
  /** When this process first saw it, by the monotonic clock, and how old it was then by the wall clock. */
  readonly seenAtMs: number;
  readonly seenAgeMs: number;
}

/** What the two clocks say. */
export interface Instant {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/**
 * The segments of a directory in order, from their headers alone. Half-written replacements, and segments
 * whose range is covered by a later one, are deleted; one in which nothing can be read is set aside.
 */
export async function indexSegments(
  directory: string,
  options: {
    readonly disk: Disk;
    readonly instant: Instant;
    readonly setAside: (path: string, ordinal: number) => Promise<void>;
  },
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
    const segment = await indexSegment(path, ordinal, options);
    if (segment === 'unreadable') {
      await options.setAside(path, ordinal);
      continue;
    }
    if (segment === 'empty') {
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

async function indexSegment(
  path: string,
  ordinal: number,
  { disk, instant: { nowMs, monotonicMs } }: { readonly disk: Disk; readonly instant: Instant },
): Promise<Segment | 'empty' | 'unreadable'> {
  const found = await readHeader(disk, path);
  if (found) {
    const { header, size } = found;
    const seenAgeMs = Math.max(0, nowMs - header.createdAtMs);
    return { path, ordinal, bytes: size, ...rangeOf(header), seenAtMs: monotonicMs, seenAgeMs };
  }
  // The header is damaged; the first record says where the segment began, or what is left of it.
  const { bytes, status } = await readAround(disk, path);
  const first = scanSegment(bytes)
    .records.map(({ record }) => entryRange(record))
    .find((range) => range !== undefined);
  if (!first) return status === 'holes' || status === 'lost' ? 'unreadable' : 'empty';
  const { from: firstSeq, before } = first;
  const seen = { createdAtMs: nowMs, seenAtMs: monotonicMs, seenAgeMs: 0 };
  return { path, ordinal, firstSeq, before, isMerged: false, bytes: bytes.length, ...seen };
}

/** @returns undefined when it is damaged, or cannot be read */
async function readHeader(
  disk: Disk,
  path: string,
): Promise<{ header: SegmentHeader; size: number } | undefined> {
  try {
    const file = await disk.read(path);
    try {
      const head = Buffer.alloc(Math.min(file.size, SEGMENT_HEADER_BYTES));
      await file.read(head, 0, head.length, 0);
      const header = decodeSegmentHeader(head);
      return header && { header, size: file.size };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, 'EIO')) return undefined;
    throw error;
  }
}

export function rangeOf({ firstSeq, before, createdAtMs, isMerged }: SegmentHeader) {
  return { firstSeq, before, createdAtMs, isMerged };
}
