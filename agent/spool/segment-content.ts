import { type EntryRange, encodeEntry, entryRange, skipEntry } from './batch-record.ts';
import type { SpoolRecord } from './record.ts';
import { scanSegment } from './segment.ts';

/** Batches from..to are lost or given up, with so many outcomes. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly outcomes: number;
}

/** A batch or skip in a segment; its payload is a view into the segment's bytes. */
export interface Place extends EntryRange {
  readonly record: SpoolRecord;
}

/** What a segment should hold: its range, and the outcomes counted before it and after it. */
export interface SegmentRange {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly before: number;
  readonly after: number;
}

/**
 * Finds the entries of a segment, and stands a skip for each that is missing. How many outcomes were in it is
 * what the next sound entry, or the next segment, says were counted before.
 * @returns places that cover the whole range, in order
 */
export function completeSegment(
  bytes: Buffer,
  range: SegmentRange,
  nowMs: number,
): { places: Place[]; gaps: Gap[]; isDamaged: boolean } {
  const places: Place[] = [];
  const gaps: Gap[] = [];
  let next = range.firstSeq;
  let counted = range.before;
  const fill = (to: number, countedThere: number) => {
    const outcomes = Math.max(0, countedThere - counted);
    const gap = { from: next, to, reason: 'spool-damaged', outcomes };
    const skip = skipEntry(gap, { before: counted, sealedAtMs: nowMs });
    gaps.push(gap);
    places.push({ ...skip, record: encodeEntry(skip) });
  };
  const scan = scanSegment(bytes);
  for (const { record } of scan.records) {
    const found = entryRange(record);
    // Numbers below are second copies after a failed write; numbers above belong to the next segment.
    if (!found || found.from < next || found.to > range.lastSeq) continue;
    if (found.from > next) fill(found.from - 1, found.before);
    places.push({ ...found, record });
    next = found.to + 1;
    counted = found.before + found.outcomes;
  }
  if (next <= range.lastSeq) fill(range.lastSeq, range.after);
  return { places, gaps, isDamaged: scan.isDamaged };
}

/** Index of the place that holds `seq` or what follows it. */
export function placeOf(places: readonly Pick<Place, 'to'>[], seq: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]!.to < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
