import type { IdKey } from './id-key.ts';

const PAIRS_MIN = 256;

/** Open addressing over pairs of 32 bits, at most half full; grows by doubling. 0/0 marks a free slot. */
export class IdSet {
  #slots: Int32Array;
  #size = 0;

  /** @param expected ids for which it need not grow */
  constructor(expected = 0) {
    let pairs = PAIRS_MIN;
    while (pairs < 2 * expected) pairs *= 2;
    this.#slots = new Int32Array(2 * pairs);
  }

  get size(): number {
    return this.#size;
  }

  has(high: number, low: number): boolean {
    return !this.#isFree(slotOf(this.#slots, high, taken(high, low)));
  }

  /** @returns whether it was not there */
  add(high: number, low: number): boolean {
    if (this.#size * 4 >= this.#slots.length) this.#grow();
    const lower = taken(high, low);
    const slot = slotOf(this.#slots, high, lower);
    if (!this.#isFree(slot)) return false;
    this.#size += 1;
    this.#slots[slot] = high;
    this.#slots[slot + 1] = lower;
    return true;
  }

  /**
   * Adds those of the keys [from, to) that `isNew` has 1 for, and sets it to 0 for those that were there.
   * @param keys  pairs of high and low
   */
  addAll(keys: Int32Array, from: number, to: number, isNew: Uint8Array): void {
    while ((this.#size + to - from) * 4 > this.#slots.length) this.#grow();
    const slots = this.#slots;
    let added = 0;
    for (let i = from; i < to; i += 1) {
      if (isNew[i] === 0) continue;
      const high = keys[2 * i]!;
      const low = taken(high, keys[2 * i + 1]!);
      const slot = slotOf(slots, high, low);
      if (slots[slot] !== 0 || slots[slot + 1] !== 0) {
        isNew[i] = 0;
        continue;
      }
      slots[slot] = high;
      slots[slot + 1] = low;
      added += 1;
    }
    this.#size += added;
  }

  /** @returns whether it was there */
  delete(high: number, low: number): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = slotOf(this.#slots, high, taken(high, low));
    if (this.#isFree(hole)) return false;
    // What was put off to a later slot because of this one moves up, or it would no longer be found.
    for (let slot = (hole + 2) & mask; !this.#isFree(slot); slot = (slot + 2) & mask) {
      const first = (slots[slot + 1]! << 1) & mask;
      if (((slot - first) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot]!;
      slots[hole + 1] = slots[slot + 1]!;
      hole = slot;
    }
    slots[hole] = 0;
    slots[hole + 1] = 0;
    this.#size -= 1;
    return true;
  }

  /** Keeps its room. */
  clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }

  /** In no order; the key is good until the next call. */
  forEach(visit: (key: IdKey) => void): void {
    const key = { high: 0, low: 0 };
    for (let slot = 0; slot < this.#slots.length; slot += 2) {
      if (this.#isFree(slot)) continue;
      key.high = this.#slots[slot]!;
      key.low = this.#slots[slot + 1]!;
      visit(key);
    }
  }

  #isFree(slot: number): boolean {
    return this.#slots[slot] === 0 && this.#slots[slot + 1] === 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      const [high, low] = [old[at]!, old[at + 1]!];
      if (high === 0 && low === 0) continue;
      const slot = slotOf(this.#slots, high, low);
      this.#slots[slot] = high;
      this.#slots[slot + 1] = low;
    }
  }
}

/** Where a key is, or the free slot where it belongs. */
function slotOf(slots: Int32Array, high: number, low: number): number {
  // A power of two, so that the rest is a mask.
  const mask = slots.length - 1;
  for (let slot = (low << 1) & mask; ; slot = (slot + 2) & mask) {
    const a = slots[slot];
    const b = slots[slot + 1];
    if ((a === high && b === low) || (a === 0 && b === 0)) return slot;
  }
}

/** The lower half as it is kept: a key of zeros would be a free slot. */
function taken(high: number, low: number): number {
  return high === 0 && low === 0 ? 1 : low;
}
