import type { HashedOutcomes, HashedRange } from './hashed-outcomes.ts';
import { type IdKey, IdKeys } from './id-key.ts';
import type { IdMemory } from './id-memory.ts';

/** Ids of columns that are looked up in one go. */
const CLAIMED_TOGETHER = 4_096;

/** Claims the ids that outcomes are reported with: who has claimed one counts, who comes later repeats. */
export class IdClaims {
  readonly #memory: IdMemory;
  readonly #monotonicMs: () => number;
  readonly #keys = new IdKeys();
  /** Of the ids being claimed together: pairs of high and low, and whether each was not known. */
  readonly #pairs = new Int32Array(2 * CLAIMED_TOGETHER);
  readonly #areNew = new Uint8Array(CLAIMED_TOGETHER);

  constructor(memory: IdMemory, monotonicMs: () => number) {
    this.#memory = memory;
    this.#monotonicMs = monotonicMs;
  }

  /** @returns what stands for the id; undefined when it is claimed already */
  claim(service: string, id: string): IdKey | undefined {
    const key = this.#keys.of(service, id);
    return this.#memory.claim(key, this.#monotonicMs()) ? key : undefined;
  }

  /**
   * Claims those of the outcomes [from, to), in order.
   * @param each  told of every outcome; `key` is undefined when its id is claimed already, and else good until the
   *              next call
   */
  claimAll(
    { labels, a, b }: HashedOutcomes,
    { from, to }: HashedRange,
    each: (index: number, key: IdKey | undefined) => void,
  ): void {
    const pairs = this.#pairs;
    const key = { high: 0, low: 0 };
    for (let start = from; start < to; start += CLAIMED_TOGETHER) {
      const length = Math.min(CLAIMED_TOGETHER, to - start);
      for (let i = 0; i < length; i += 1) {
        const at = start + i;
        const { high, low } = this.#keys.ofHash(labels[at]!.service, a[at]!, b[at]!);
        pairs[2 * i] = high;
        pairs[2 * i + 1] = low;
      }
      this.#memory.claimAll(pairs, length, { nowMs: this.#monotonicMs(), isNew: this.#areNew });
      for (let i = 0; i < length; i += 1) {
        key.high = pairs[2 * i]!;
        key.low = pairs[2 * i + 1]!;
        each(start + i, this.#areNew[i] === 1 ? key : undefined);
      }
    }
  }

  /** Takes back what was claimed and is not, and will not be, on disk. */
  forget(ids: Buffer): void {
    this.#memory.forget(ids);
  }
}
