import { LIMITS } from '../../protocol/limits.ts';
import { Tally } from '../tally.ts';
import { batchEntry, readBatch, type SpoolEntry, skipEntry } from './batch-record.ts';
import { SPOOL_BOUNDS } from './limits.ts';

/**
 * Folds runs of batches that were sealed in the same minute under the same clock correction into one each; the
 * numbers they leave free become a skip that loses nothing. Only for batches that were never sent: afterwards
 * the same seq has another digest. Batches of different minutes stay apart, because each carries the marks
 * that an agent was alive in its own.
 * @param entries contiguous, in order
 * @returns entries over the same range with the same outcomes
 */
export function mergeEntries(entries: readonly SpoolEntry[]): SpoolEntry[] {
  const merged: SpoolEntry[] = [];
  let run: Run | undefined;
  const flush = () => {
    if (run) merged.push(...run.close());
    run = undefined;
  };
  for (const entry of entries) {
    if (entry.kind === 'skip') {
      flush();
      merged.push(entry);
      continue;
    }
    if (!run?.take(entry)) {
      flush();
      run = new Run(entry);
    }
  }
  flush();
  return merged;
}

class Run {
  readonly #first: SpoolEntry;
  readonly #batch: ReturnType<typeof readBatch>;
  readonly #tally = new Tally();
  readonly #alive: Set<string>;
  readonly #lost: Record<string, number>;
  #to: number;
  #sealedAtMs: number;

  constructor(first: SpoolEntry) {
    this.#first = first;
    this.#batch = readBatch(first);
    for (const cell of this.#batch.cells) this.#tally.add(cell);
    this.#alive = new Set(this.#batch.alive);
    this.#lost = { ...this.#batch.lost };
    this.#to = first.to;
    this.#sealedAtMs = first.sealedAtMs;
  }

  /** @returns false when the batch belongs to another run */
  take(entry: SpoolEntry): boolean {
    const batch = readBatch(entry);
    const isSame = batch.minute === this.#batch.minute && batch.clockOffsetMs === this.#batch.clockOffsetMs;
    // The bound is on the sum, as if no cell were shared: cheap, and the result surely fits a frame.
    const fits =
      this.#tally.cells + batch.cells.length <= LIMITS.cellsPerBatch &&
      this.#tally.bytes + entry.text.length <= 2 * SPOOL_BOUNDS.openBytes;
    if (!isSame || !fits) return false;
    for (const cell of batch.cells) this.#tally.add(cell);
    for (const service of batch.alive) this.#alive.add(service);
    for (const [reason, n] of Object.entries(batch.lost)) this.#lost[reason] = (this.#lost[reason] ?? 0) + n;
    this.#to = entry.to;
    this.#sealedAtMs = entry.sealedAtMs;
    return true;
  }

  close(): SpoolEntry[] {
    const { from, before } = this.#first;
    if (this.#to === from) return [this.#first];
    const { minute, clockOffsetMs } = this.#batch;
    const batch = batchEntry(
      {
        seq: from,
        minute,
        clockOffsetMs,
        cells: this.#tally.take(),
        alive: [...this.#alive],
        lost: this.#lost,
      },
      { before, sealedAtMs: this.#sealedAtMs },
    );
    const freed = { from: from + 1, to: this.#to, reason: 'merged', outcomes: 0 };
    const after = { before: before + batch.outcomes, sealedAtMs: this.#sealedAtMs };
    return [batch, skipEntry(freed, after)];
  }
}
