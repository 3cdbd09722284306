import type { IdHash } from '../../sla/lines/id-hash.ts';
import type { OutcomeLabels } from '../labels.ts';

/** Neighbours in the columns: those in [from, to). */
export interface HashedRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Outcomes with ids that were hashed where they were read, in columns: an object for each would be much to collect.
 * Cleared and used again, the columns are not even to be made anew.
 */
export class HashedOutcomes {
  readonly labels: OutcomeLabels[] = [];
  /** By the agent's clock, not yet corrected. */
  startedAtMs = new Float64Array(FIRST_ROOM);
  counts = new Int32Array(FIRST_ROOM);
  /** The two halves of each id's hash. */
  a = new Int32Array(FIRST_ROOM);
  b = new Int32Array(FIRST_ROOM);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(labels: OutcomeLabels, { at, count }: { at: number; count: number }, id: IdHash): void {
    const index = this.#length;
    if (index === this.counts.length) this.#grow();
    this.labels[index] = labels;
    this.startedAtMs[index] = at;
    this.counts[index] = count;
    this.a[index] = id.a;
    this.b[index] = id.b;
    this.#length = index + 1;
  }

  clear(): void {
    this.#length = 0;
    // Or labels that nobody else has any more would be kept.
    this.labels.length = 0;
  }

  #grow(): void {
    const room = 2 * this.counts.length;
    const { startedAtMs, counts, a, b } = this;
    this.startedAtMs = new Float64Array(room);
    this.startedAtMs.set(startedAtMs);
    [this.counts, this.a, this.b] = [counts, a, b].map((column) => {
      const larger = new Int32Array(room);
      larger.set(column);
      return larger;
    }) as [typeof counts, typeof a, typeof b];
  }
}

const FIRST_ROOM = 1_024;
