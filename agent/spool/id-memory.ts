import { hash } from 'node:crypto';

const GENERATIONS = 8;

/**
 * Remembers ids for a bounded time and number, so that a repeated report counts once.
 *
 * An id is kept as eight bytes of its hash: a million ids take about 20 MiB. Two different ids among a million
 * have the same eight bytes with a probability of 1 in 37 million; the second outcome would then be taken for
 * a repeat. Ids are forgotten by generations, an eighth at a time.
 */
export class IdMemory {
  readonly #capacity: number;
  readonly #spanMs: number;
  readonly #generations: Generation[] = [];

  constructor({ count, spanMs }: { count: number; spanMs: number }) {
    this.#capacity = Math.ceil(count / GENERATIONS);
    this.#spanMs = spanMs;
  }

  /** @param key eight bytes, see `idKey` */
  has(key: Buffer): boolean {
    return this.#generations.some((generation) => generation.has(key));
  }

  add(key: Buffer, nowMs: number): void {
    let newest = this.#generations.at(-1);
    const isOld = newest !== undefined && nowMs - newest.sinceMs >= this.#spanMs / GENERATIONS;
    if (!newest || newest.count >= this.#capacity || isOld) {
      newest = new Generation(nowMs);
      this.#generations.push(newest);
      this.forget(nowMs);
    }
    newest.add(key);
  }

  forget(nowMs: number): void {
    // One generation more than the span asks for, because the oldest counts from its beginning.
    const isTooOld = () => nowMs - this.#generations[0]!.sinceMs > this.#spanMs * (1 + 1 / GENERATIONS);
    while (this.#generations.length > GENERATIONS + 1 || (this.#generations.length > 0 && isTooOld())) {
      this.#generations.shift();
    }
  }
}

/** Open addressing over pairs of 32 bits, at most half full; grows by doubling. 0/0 marks a free slot. */
class Generation {
  readonly sinceMs: number;
  #slots: Uint32Array;
  count = 0;

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
    this.#slots = new Uint32Array(2 * 1_024);
  }

  has(key: Buffer): boolean {
    const [high, low] = pairOf(key);
    const slot = this.#slotOf(high, low);
    return this.#slots[slot] !== 0 || this.#slots[slot + 1] !== 0;
  }

  add(key: Buffer): void {
    if (this.count * 4 >= this.#slots.length) this.#grow();
    const [high, low] = pairOf(key);
    const slot = this.#slotOf(high, low);
    if (this.#slots[slot] === 0 && this.#slots[slot + 1] === 0) this.count += 1;
    this.#slots[slot] = high;
    this.#slots[slot + 1] = low;
  }

  #slotOf(high: number, low: number): number {
    const pairs = this.#slots.length / 2;
    for (let pair = low % pairs; ; pair = (pair + 1) % pairs) {
      const slot = pair * 2;
      const [a, b] = [this.#slots[slot], this.#slots[slot + 1]];
      if ((a === high && b === low) || (a === 0 && b === 0)) return slot;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      const [high, low] = [old[at]!, old[at + 1]!];
      if (high === 0 && low === 0) continue;
      const slot = this.#slotOf(high, low);
      this.#slots[slot] = high;
      this.#slots[slot + 1] = low;
    }
  }
}

function pairOf(key: Buffer): [number, number] {
  const [high, low] = [key.readUInt32LE(0), key.readUInt32LE(4)];
  return high === 0 && low === 0 ? [0, 1] : [high, low];
}

/** Eight bytes that stand for an id of a service; the same id of another service is another outcome. */
export function idKey(service: string, id: string): Buffer {
  return hash('sha256', `${service}\u0000${id}`, 'buffer').subarray(0, 8);
}
