import { IdHash } from '../../sla/lines/id-hash.ts';

export const ID_BYTES = 8;

/** 64 bits that stand for an id of a service. */
export interface IdKey {
  /** Integers of 32 bits. */
  high: number;
  low: number;
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
