import { MINUTE_MS } from '../../sla/facts.ts';
import { Tally } from '../tally.ts';
import type { BatchLog } from './batch-log.ts';
import { batchEntry, skipEntry } from './batch-record.ts';
import type { JournalledBatch, RecoveredJournal } from './intake-recovery.ts';

/** A batch that the journal still knew, or a range that it did not. */
export type Repair =
  | { readonly kind: 'resealed'; readonly seq: number; readonly outcomes: number; readonly lost: number }
  | { readonly kind: 'skipped'; readonly from: number; readonly to: number; readonly outcomes: number };

/**
 * Seals what the journal of an earlier process holds beyond the last batch, each under the seq that it was
 * journalled for. At once and unchanged, because such a batch may have been sealed and sent before its record
 * was damaged: then the daemon knows its digest, and this one must be the same. Numbers of which the journal
 * knows no more are skipped, with the outcomes that its totals tell.
 */
export async function reconcile(
  batches: BatchLog,
  journal: RecoveredJournal,
  nowMs: number,
): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const skipTo = async (to: number, countedThere: number) => {
    const from = batches.lastSealed + 1;
    if (to < from) return;
    const outcomes = Math.max(0, countedThere - batches.after);
    const skip = { from, to, reason: 'spool-damaged', outcomes };
    await batches.append(skipEntry(skip, { before: batches.after, sealedAtMs: nowMs }));
    repairs.push({ kind: 'skipped', from, to, outcomes });
  };

  const { totals } = journal;
  if (!totals) return repairs;
  const journalled = new Set([...journal.batches.keys(), totals.openSeq]);
  const seqs = [...journalled].sort((a, b) => a - b).filter((seq) => seq > batches.lastSealed);
  for (const seq of seqs) {
    const { cells, clockOffsetMs, lost: missing } = journal.batches.get(seq) ?? NOTHING;
    const acceptedBefore = journal.acceptedBefore.get(seq) ?? batches.after;
    await skipTo(seq - 1, acceptedBefore);
    // What the journal misses may begin in batches that were sealed, where it was counted, or even before all that
    // the journal still has.
    const lost = Math.max(0, missing + acceptedBefore - batches.after);
    if (cells.length === 0 && lost === 0) continue;
    const tally = new Tally();
    for (const cell of cells) tally.add(cell);
    const entry = batchEntry(
      {
        seq,
        minute: Math.floor((nowMs + (clockOffsetMs ?? 0)) / MINUTE_MS),
        clockOffsetMs,
        alive: tally.services(),
        cells: tally.take(),
        lost: lost > 0 ? { 'spool-damaged': lost } : {},
      },
      { before: batches.after, sealedAtMs: nowMs },
    );
    await batches.append(entry);
    repairs.push({ kind: 'resealed', seq, outcomes: entry.outcomes, lost });
  }
  return repairs;
}

const NOTHING: JournalledBatch = { cells: [], clockOffsetMs: null, lost: 0 };
