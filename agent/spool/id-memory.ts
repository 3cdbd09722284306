import { IdHash } from '../../sla/lines/id-hash.ts';

const GENERATIONS = 8;
export const ID_BYTES = 8;

/** 64 bits that stand for an id of a service. */
export interface IdKey {
  /** Integers of 32 bits. */
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
  readonly #generations: Generation[] = [];
  /**
   * For each remainder of ids, a bit for each generation that holds one with it: a new id, as most are, is told from
   * nine tables of megabytes by one look. Made when there is more than one generation.
   */
  #holders: Uint16Array | undefined;

  constructor({ count, spanMs }: { count: number; spanMs: number }) {
    this.#capacity = Math.ceil(count / GENERATIONS);
    this.#spanMs = spanMs;
  }

  has(key: IdKey): boolean {
    const holders = this.#holders?.[holderOf(key)] ?? ALL_PLACES;
    if (holders === 0) return false;
    for (const { ids, place } of this.#generations) if ((holders & place) !== 0 && ids.has(key)) return true;
    return false;
  }

  add(key: IdKey, nowMs: number): void {
    let newest = this.#generations.at(-1);
    const isOld = newest !== undefined && nowMs - newest.sinceMs >= this.#spanMs / GENERATIONS;
    if (!newest || newest.ids.size >= this.#capacity || isOld) {
      this.#forgetFor(nowMs, 1);
      // Who filled one will fill another.
      const expected = newest !== undefined && newest.ids.size >= this.#capacity ? this.#capacity : 0;
      newest = { sinceMs: nowMs, ids: new IdSet(expected), place: this.#freePlace() };
      this.#generations.push(newest);
      if (this.#generations.length === 2) this.#holders = this.#findHolders();
    }
    newest.ids.add(key);
    if (this.#holders) this.#holders[holderOf(key)]! |= newest.place;
  }

  /** Makes room for so many generations, and drops what is too old. */
  #forgetFor(nowMs: number, more: number): void {
    // One generation more than the span asks for, because the oldest counts from its beginning.
    const isTooOld = () => nowMs - this.#generations[0]!.sinceMs > this.#spanMs * (1 + 1 / GENERATIONS);
    while (this.#generations.length + more > PLACES || (this.#generations.length > 0 && isTooOld())) {
      const { place } = this.#generations.shift()!;
      const holders = this.#holders;
      if (holders === undefined) continue;
      for (let at = 0; at < holders.length; at += 1) {
        // Only where it is there: a page that was never written takes no memory.
        if ((holders[at]! & place) !== 0) holders[at]! &= ~place;
      }
    }
  }

  #freePlace(): number {
    const used = this.#generations.reduce((sum, { place }) => sum | place, 0);
    let place = 1;
    while ((used & place) !== 0) place <<= 1;
    return place;
  }

  #findHolders(): Uint16Array {
    const holders = new Uint16Array(HOLDERS);
    for (const { ids, place } of this.#generations) {
      ids.forEach((key) => {
        holders[holderOf(key)]! |= place;
      });
    }
    return holders;
  }
}

interface Generation {
  readonly sinceMs: number;
  readonly ids: IdSet;
  /** Its bit among the holders. */
  readonly place: number;
}

const PLACES = GENERATIONS + 1;
const ALL_PLACES = (1 << PLACES) - 1;
/** Twice as many as ids by default; a power of two. */
const HOLDERS = 2 ** 21;

/** By other bits than those that place a key in its table. */
function holderOf({ high }: IdKey): number {
  return high & (HOLDERS - 1);
}

/** Open addressing over pairs of 32 bits, at most half full; grows by doubling. 0/0 marks a free slot. */
export class IdSet {
  #slots: Int32Array;
  #size = 0;

  /** @param expected ids for which it need not grow */
  constructor(expected = 0) {
    let pairs = SET_PAIRS_MIN;
    while (pairs < 2 * expected) pairs *= 2;
    this.#slots = new Int32Array(2 * pairs);
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps its room, as it will mostly be needed again, unless it was hardly used. */
  clear(): void {
    if (this.#slots.length > 2 * SET_PAIRS_MIN && this.#slots.length > SET_ROOM_MAX * this.#size)
      this.#slots = new Int32Array(2 * SET_PAIRS_MIN);
    else this.#slots.fill(0);
    this.#size = 0;
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

  /** In no order; the key is good until the next call. */
  forEach(visit: (key: IdKey) => void): void {
    const key = { high: 0, low: 0 };
    for (let slot = 0; slot < this.#slots.length; slot += 2) {
      key.high = this.#slots[slot]!;
      key.low = this.#slots[slot + 1]!;
      if (key.high !== 0 || key.low !== 0) visit(key);
    }
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
    this.#slots = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      const [high, low] = [old[at]!, old[at + 1]!];
      if (high === 0 && low === 0) continue;
      const slot = this.#slotOf(high, low);
      this.#slots[slot] = high;
      this.#slots[slot + 1] = low;
    }
  }
}

const SET_PAIRS_MIN = 256;
/** Integers for each id beyond which a table is too large for what is in it. */
const SET_ROOM_MAX = 64;

/** Ids in order, as the journal has them: eight bytes each. */
export class IdList {
  #pairs = new Int32Array(2 * 16);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ high, low }: IdKey): void {
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

  *[Symbol.iterator](): Iterator<IdKey> {
    for (let at = 0; at < 2 * this.#size; at += 2)
      yield { high: this.#pairs[at]!, low: this.#pairs[at + 1]! };
  }

  bytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#size * ID_BYTES);
    for (let at = 0; at < 2 * this.#size; at += 1) bytes.writeInt32LE(this.#pairs[at]!, 4 * at);
    return bytes;
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
  readonly #key: IdKey = { high: 0, low: 0 };
  readonly #salts = new Map<string, IdKey>();

  of(service: string, id: string): IdKey {
    this.#hash.ofText(id);
    return { ...this.ofHash(service, this.#hash.a, this.#hash.b) };
  }

  /**
   * @param a,b the two halves of the hash of the id's text
   * @returns one object for all, good until the next call: millions of outcomes must not be millions of objects
   */
  ofHash(service: string, a: number, b: number): IdKey {
    const { high, low } = this.#salts.get(service) ?? this.#salt(service);
    // Multiplied by something odd, so that no two ids of a service become one.
    this.#key.high = Math.imul(a, high | 1) ^ low;
    this.#key.low = Math.imul(b, low | 1) ^ high;
    return this.#key;
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

/** Visits keys of eight bytes each; one object for all of them. */
export function forEachIdKey(ids: Buffer, visit: (key: IdKey) => void): void {
  const key = { high: 0, low: 0 };
  for (let at = 0; at + ID_BYTES <= ids.length; at += ID_BYTES) {
    key.high = ids.readInt32LE(at);
    key.low = ids.readInt32LE(at + 4);
    visit(key);
  }
}
