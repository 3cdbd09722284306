import type { BatchLog } from './batch-log.ts';
import { batchEntry, readBatch, type SpoolEntry, skipEntry } from './batch-record.ts';
import { SPOOL_BOUNDS } from './limits.ts';

/** Seals entries anew, numbered on from the end of another log. */
export async function copyEntries(
  from: BatchLog,
  fromSeq: number,
  to: BatchLog,
  nowMs: number,
): Promise<void> {
  for (let seq = Math.max(fromSeq, from.firstRetained); seq <= from.lastSealed; ) {
    const entries = await from.read(seq, SPOOL_BOUNDS.groupBytes);
    const copies: SpoolEntry[] = [];
    let [next, before] = [to.lastSealed + 1, to.after];
    for (const entry of entries) {
      const copy = renumber(entry, next, { before, sealedAtMs: nowMs });
      copies.push(copy);
      next += 1;
      before += copy.outcomes;
    }
    await to.append(...(copies as [SpoolEntry, ...SpoolEntry[]]));
    seq = entries.at(-1)!.to + 1;
  }
}

function renumber(entry: SpoolEntry, seq: number, place: { before: number; sealedAtMs: number }): SpoolEntry {
  if (entry.kind === 'skip') {
    const { reason } = JSON.parse(entry.text) as { reason: string };
    return skipEntry({ from: seq, to: seq, reason, outcomes: entry.outcomes }, place);
  }
  const { minute, clockOffsetMs, cells, alive, lost } = readBatch(entry);
  return batchEntry({ seq, minute, clockOffsetMs, cells, alive, lost }, place);
}
