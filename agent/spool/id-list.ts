import { ID_BYTES, type IdKey } from './id-key.ts';

/** Ids in order, as the journal has them: eight bytes each. */
export class IdList {
  #pairs = new Int32Array(2 * 16);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(high: number, low: number): void {
    const at = 2 * this.#size;
    if (at === this.#pairs.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[at] = high;
    this.#pairs[at + 1] = low;
    this.#size += 1;
  }

  bytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#size * ID_BYTES);
    for (let at = 0; at < 2 * this.#size; at += 1) bytes.writeInt32LE(this.#pairs[at]!, 4 * at);
    return bytes;
  }
}

/** Visits what an `IdList` gave; one object for all of them. */
export function forEachIdKey(ids: Buffer, visit: (key: IdKey) => void): void {
  const key = { high: 0, low: 0 };
  for (let at = 0; at + ID_BYTES <= ids.length; at += ID_BYTES) {
    key.high = ids.readInt32LE(at);
    key.low = ids.readInt32LE(at + 4);
    visit(key);
  }
}
