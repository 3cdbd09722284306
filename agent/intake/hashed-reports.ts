import type { IdHash } from '../../sla/lines/id-hash.ts';
import type { OutcomeLabels } from '../labels.ts';
import { HashedOutcomes, type HashedRange } from '../spool/hashed-outcomes.ts';

/** Reports added while others are being taken: 8 MB of them at most, and as many of the others. */
const MOST = 2 ** 18;
/** Of a range: taken in about a millisecond. */
const RANGE = 2_000;

/** Reports with ids on their way to the spool: while some are taken, others are added. */
export class HashedReports {
  #filling = new HashedOutcomes();
  #taking = new HashedOutcomes();
  /** Of those that are being taken: not handed to the spool, or refused by the disk. */
  #ranges: HashedRange[] = [];

  /** Reports that wait to be handed to the spool. */
  get length(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from, this.#filling.length);
  }

  /** @returns false when there is no room */
  add(labels: OutcomeLabels, measures: { at: number; count: number }, id: IdHash): boolean {
    if (this.#filling.length === MOST) return false;
    this.#filling.add(labels, measures, id);
    return true;
  }

  /** Those that were added first. Whoever takes a range out of `ranges` puts it back when the disk refused it. */
  first(): { readonly outcomes: HashedOutcomes; readonly ranges: HashedRange[] } {
    if (this.#ranges.length === 0) {
      this.#taking.clear();
      [this.#filling, this.#taking] = [this.#taking, this.#filling];
      const { length } = this.#taking;
      for (let from = 0; from < length; from += RANGE)
        this.#ranges.push({ from, to: Math.min(length, from + RANGE) });
    }
    return { outcomes: this.#taking, ranges: this.#ranges };
  }
}
