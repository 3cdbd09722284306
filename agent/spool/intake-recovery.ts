import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cell } from '../../protocol/frame.ts';
import { moveFileAside } from './aside.ts';
import type { Disk } from './disk.ts';
import { readHighWater } from './high-water.ts';
import { decodeCommit, decodeGroup, type IntakeTotals, outcomesIn } from './intake-record.ts';
import { readAround } from './read-around.ts';
import { RECORD_TYPES } from './record.ts';
import { scanSegment, segmentOrdinal } from './segment.ts';

/** What the journal says belongs to one batch. */
export interface JournalledBatch {
  readonly cells: Cell[];
  readonly clockOffsetMs: number | null;
  /** Accepted outcomes whose record is damaged. */
  lost: number;
}

export interface JournalSegment {
  readonly path: string;
  readonly ordinal: number;
  /** Highest batch that the segment's groups belong to; once that is sealed, the segment is not needed. */
  readonly lastOpenSeq: number;
  readonly bytes: number;
  /** Eight bytes each, to be kept when the segment goes. */
  readonly ids: Buffer;
}

export interface RecoveredJournal {
  readonly segments: JournalSegment[];
  readonly nextOrdinal: number;
  readonly nextNumber: number;
  /** undefined when there was no journal. */
  readonly totals: IntakeTotals | undefined;
  /** By seq, in order; batches that were sealed long ago included. */
  readonly batches: ReadonlyMap<number, JournalledBatch>;
  /** Outcomes accepted before the first group of a seq, for every seq in `batches` and the open one. */
  readonly acceptedBefore: ReadonlyMap<number, number>;
}

/**
 * Reads the intake journal of an earlier process. Its size is bounded by what is not sealed yet and one
 * segment, so it is read whole. A group that was damaged is lost, and counted by the totals that follow it, or by
 * the high-water mark when it was the last.
 */
export async function recoverJournal(
  disk: Disk,
  { directory, aside }: { readonly directory: string; readonly aside: string },
): Promise<RecoveredJournal> {
  const batches = new Map<number, JournalledBatch>();
  const acceptedBefore = new Map<number, number>();
  const files: (Omit<JournalSegment, 'ids'> & { ids: Buffer[] })[] = [];
  let totals: IntakeTotals | undefined;
  let counted: number | undefined;
  let number = 0;
  let nextOrdinal = 1;

  let last: { batch: JournalledBatch; cells: number; outcomes: number; ids: Buffer[] } | undefined;

  const settle = (next: IntakeTotals, ownOutcomes: number) => {
    // The first totals ever read say where counting begins.
    const before = next.accepted - ownOutcomes;
    // A group whose write failed was refused to its sender, who reports again, but the file may hold it.
    if (last && counted !== undefined && before === counted - last.outcomes && last.outcomes > 0) {
      last.batch.cells.length -= last.cells;
      last.ids.pop();
      last = undefined;
      counted = before;
    }
    const missing = before - (counted ?? before);
    if (!acceptedBefore.has(next.openSeq)) {
      acceptedBefore.set(next.openSeq, counted ?? before);
    }
    if (missing > 0) batchOf(batches, next.openSeq, null).lost += missing;
    counted = Math.max(next.accepted, counted ?? 0);
    totals = next;
  };

  for (const name of (await readdir(directory)).sort()) {
    const ordinal = segmentOrdinal('intake', name);
    if (ordinal === undefined) continue;
    nextOrdinal = ordinal + 1;
    const path = join(directory, name);
    const { bytes, status } = await readAround(disk, path);
    const { records } = scanSegment(bytes);
    if (records.length === 0) {
      if (status !== 'holes' && status !== 'lost') await rm(path, { force: true });
      else await moveFileAside(disk, path, aside, `${basename(directory).slice(0, 8)}-${name}`);
      continue;
    }
    const ids: Buffer[] = [];
    let lastOpenSeq = 0;
    for (const { record } of records) {
      // A number that was already read is the second copy after a failed write.
      if (record.type === RECORD_TYPES.intake && record.seq > number) {
        const group = decodeGroup(record);
        number = record.seq;
        settle(group.totals, outcomesIn(group));
        lastOpenSeq = group.totals.openSeq;
        ids.push(group.ids);
        const batch = batchOf(batches, group.totals.openSeq, group.clockOffsetMs);
        for (const cell of group.cells) batch.cells.push(cell);
        last = { batch, cells: group.cells.length, outcomes: outcomesIn(group), ids };
      } else if (record.type === RECORD_TYPES.commit && record.seq >= number) {
        const next = decodeCommit(record);
        number = record.seq;
        settle(next, 0);
        lastOpenSeq = next.openSeq;
      }
    }
    files.push({ path, ordinal, lastOpenSeq, bytes: bytes.length, ids });
  }
  const highWater = await readHighWater(disk, directory);
  if (highWater && highWater.number > number) {
    number = highWater.number;
    settle(highWater.totals, 0);
  }
  // Only now: the ids of a refused group are taken back by what the next file says.
  const segments = files.map((file) => ({ ...file, ids: Buffer.concat(file.ids) }));
  return { segments, nextOrdinal, nextNumber: number + 1, totals, batches, acceptedBefore };
}

function batchOf(
  batches: Map<number, JournalledBatch>,
  openSeq: number,
  clockOffsetMs: number | null,
): JournalledBatch {
  let batch = batches.get(openSeq);
  // A batch that begins with damage takes the correction of its first sound group.
  if (!batch || (batch.cells.length === 0 && clockOffsetMs !== batch.clockOffsetMs)) {
    batch = { cells: batch?.cells ?? [], lost: batch?.lost ?? 0, clockOffsetMs };
    batches.set(openSeq, batch);
  }
  return batch;
}
