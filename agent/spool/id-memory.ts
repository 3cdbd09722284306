import { IdHash } from '../../sla/lines/id-hash.ts';

const GENERATIONS = 8;
export const ID_BYTES = 8;

/** 64 bits that stand for an id of a service. */
export interface IdKey {
  /** Unsigned integers of 32 bits. */
  high: number;
  low: number;
}

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
  readonly #generations: { readonly sinceMs: number; readonly ids: IdSet }[] = [];

  constructor({ count, spanMs }: { count: number; spanMs: number }) {
    this.#capacity = Math.ceil(count / GENERATIONS);
    this.#spanMs = spanMs;
  }

  has(key: IdKey): boolean {
    for (const { ids } of this.#generations) if (ids.has(key)) return true;
    return false;
  }

  add(key: IdKey, nowMs: number): void {
    let newest = this.#generations.at(-1);
    const isOld = newest !== undefined && nowMs - newest.sinceMs >= this.#spanMs / GENERATIONS;
    if (!newest || newest.ids.size >= this.#capacity || isOld) {
      newest = { sinceMs: nowMs, ids: new IdSet() };
      this.#generations.push(newest);
      this.forget(nowMs);
    }
    newest.ids.add(key);
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
export class IdSet {
  #slots = new Uint32Array(2 * 256);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: IdKey): boolean {
    const slot = this.#slotOf(key.high, lowOf(key));
    return this.#slots[slot] !== 0 || this.#slots[slot + 1] !== 0;
  }

  add(key: IdKey): void {
    if (this.#size * 4 >= this.#slots.length) this.#grow();
    const low = lowOf(key);
    const slot = this.#slotOf(key.high, low);
    if (this.#slots[slot] !== 0 || this.#slots[slot + 1] !== 0) return;
    this.#size += 1;
    this.#slots[slot] = key.high;
    this.#slots[slot + 1] = low;
  }

  /** All of them, eight bytes each, in no order. */
  bytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#size * ID_BYTES);
    let end = 0;
    for (let slot = 0; slot < this.#slots.length; slot += 2) {
      const [high, low] = [this.#slots[slot]!, this.#slots[slot + 1]!];
      if (high === 0 && low === 0) continue;
      bytes.writeUInt32LE(high, end);
      bytes.writeUInt32LE(low, end + 4);
      end += ID_BYTES;
    }
    return bytes;
  }

  #slotOf(high: number, low: number): number {
    const slots = this.#slots;
    // A power of two, so that the rest is a mask.
    const mask = slots.length - 1;
    for (let slot = (low << 1) & mask; ; slot = (slot + 2) & mask) {
      const [a, b] = [slots[slot], slots[slot + 1]];
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

/** A key of zeros would be a free slot. */
function lowOf({ high, low }: IdKey): number {
  return high === 0 && low === 0 ? 1 : low;
}

/** Services whose salt is kept. */
const SALTS_MAX = 1_000;

/** Makes the eight bytes that stand for an id of a service; the same id of another service is another outcome. */
export class IdKeys {
  readonly #hash = new IdHash();
  readonly #salts = new Map<string, IdKey>();

  of(service: string, id: string): IdKey {
    this.#hash.ofText(id);
    return this.ofHash(service, this.#hash);
  }

  /** @param hash of the id's text */
  ofHash(service: string, { a, b }: Pick<IdHash, 'a' | 'b'>): IdKey {
    const { high, low } = this.#salts.get(service) ?? this.#salt(service);
    // Multiplied by something odd, so that no two ids of a service become one.
    return { high: (Math.imul(a, high | 1) ^ low) >>> 0, low: (Math.imul(b, low | 1) ^ high) >>> 0 };
  }

  #salt(service: string): IdKey {
    const hash = new IdHash();
    hash.ofText(service);
    const salt = { high: hash.a, low: hash.b };
    if (this.#salts.size >= SALTS_MAX) this.#salts.clear();
    this.#salts.set(service, salt);
    return salt;
  }
}

export function readIdKey(ids: Buffer, at: number): IdKey {
  return { high: ids.readUInt32LE(at), low: ids.readUInt32LE(at + 4) };
}
