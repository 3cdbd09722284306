import type { IdKey } from './id-key.ts';
import { forEachIdKey } from './id-list.ts';
import { IdSet } from './id-set.ts';

const GENERATIONS = 8;
const PLACES = GENERATIONS + 1;
const ALL_PLACES = (1 << PLACES) - 1;
/** Twice as many as ids by default; a power of two. */
const FILTER_WORDS = 2 ** 21;
/** Ids claimed in one go; their answers stay in a core's nearest cache. */
const STRIDE = 1_024;

interface Generation {
  readonly sinceMs: number;
  readonly ids: IdSet;
  /** Its bit in the filter. */
  readonly place: number;
}

/**
 * Remembers ids for a bounded time and number, so that a repeated report counts once: those that are durable, and
 * those on their way to the disk, which `forget` takes back should they not arrive.
 *
 * An id is kept as eight bytes of its hash: a million ids take about 20 MiB. Two different ids among a million
 * have the same eight bytes with a probability of 1 in 37 million; the second outcome would then be taken for
 * a repeat. Ids are forgotten by generations, an eighth at a time.
 *
 * A new id, as most are, need not be looked for in the tables of other generations, which are megabytes: there is a
 * Bloom filter for each generation, a bit in each of its words. An id's four words are in one line of the cache, so
 * that one wait is enough for all generations; of a hundred new ids two are looked for in vain.
 */
export class IdMemory {
  readonly #capacity: number;
  readonly #spanMs: number;
  readonly #generations: Generation[] = [];
  /** Made when there is more than one generation. */
  #filter: Uint16Array | undefined;
  /** A table that is not needed any more: the next one of its size need not be made. */
  #spare: IdSet | undefined;
  /** Of the ids being claimed, the generations that may hold each. */
  readonly #suspects = new Uint16Array(STRIDE);

  constructor({ count, spanMs }: { count: number; spanMs: number }) {
    this.#capacity = Math.ceil(count / GENERATIONS);
    this.#spanMs = spanMs;
  }

  /**
   * @param nowMs  by a clock that is never set, or a jump would forget what was just counted
   * @returns whether the id was not known; it is from now on
   */
  claim({ high, low }: IdKey, nowMs: number): boolean {
    const newest = this.#newestAt(nowMs);
    if (this.#isIn(this.#suspectsOf(high) & ~newest.place, high, low) || !newest.ids.add(high, low))
      return false;
    if (this.#filter) mark(this.#filter, high, newest.place);
    return true;
  }

  /**
   * The same for many, at a quarter of the cost for each: the tables are looked at for many ids in a row, so that
   * the processor waits for several of them at a time.
   * @param keys   pairs of high and low
   * @param isNew  gets 1 for each id that was not known, else 0; an id that is there twice is new once
   */
  claimAll(keys: Int32Array, count: number, { nowMs, isNew }: { nowMs: number; isNew: Uint8Array }): void {
    for (let from = 0, to = 0; from < count; from = to) {
      const newest = this.#newestAt(nowMs);
      to = Math.min(count, from + STRIDE, from + this.#capacity - newest.ids.size);
      this.#findKnown(keys, from, to, isNew);
      newest.ids.addAll(keys, from, to, isNew);
      const filter = this.#filter;
      if (filter === undefined) continue;
      for (let i = from; i < to; i += 1) if (isNew[i] === 1) mark(filter, keys[2 * i]!, newest.place);
    }
  }

  /** Remembers ids as an `IdList` gives them. */
  remember(ids: Buffer, atMs: number): void {
    forEachIdKey(ids, (key) => this.claim(key, atMs));
  }

  /** Takes back what was claimed. */
  forget(ids: Buffer): void {
    forEachIdKey(ids, ({ high, low }) => {
      // The filter keeps its bits, which costs no more than a look into a table in vain.
      for (const generation of this.#generations) if (generation.ids.delete(high, low)) return;
    });
  }

  /** Sets `isNew` for those of [from, to) that no generation but the newest holds. */
  #findKnown(keys: Int32Array, from: number, to: number, isNew: Uint8Array): void {
    const filter = this.#filter;
    if (filter === undefined) {
      isNew.fill(1, from, to);
      return;
    }
    const suspects = this.#suspects;
    const older = ALL_PLACES & ~this.#generations.at(-1)!.place;
    for (let i = from; i < to; i += 1) suspects[i - from] = placesOf(filter, keys[2 * i]!) & older;
    for (let i = from; i < to; i += 1) {
      const suspected = suspects[i - from]!;
      isNew[i] = suspected !== 0 && this.#isIn(suspected, keys[2 * i]!, keys[2 * i + 1]!) ? 0 : 1;
    }
  }

  /** @param suspects  bits of the generations in question */
  #isIn(suspects: number, high: number, low: number): boolean {
    if (suspects === 0) return false;
    for (const { ids, place } of this.#generations)
      if ((suspects & place) !== 0 && ids.has(high, low)) return true;
    return false;
  }

  #suspectsOf(high: number): number {
    return this.#filter === undefined ? ALL_PLACES : placesOf(this.#filter, high);
  }

  /** The generation that takes an id now; there is room in it. */
  #newestAt(nowMs: number): Generation {
    const last = this.#generations.at(-1);
    const isOld = last !== undefined && nowMs - last.sinceMs >= this.#spanMs / GENERATIONS;
    if (last && last.ids.size < this.#capacity && !isOld) return last;
    this.#makeRoom(nowMs);
    const newest = { sinceMs: nowMs, ids: this.#tableAfter(last), place: this.#freePlace() };
    this.#generations.push(newest);
    if (this.#generations.length === 2) this.#makeFilter();
    return newest;
  }

  #tableAfter(last: Generation | undefined): IdSet {
    // Who filled one will fill another.
    const isFull = last !== undefined && last.ids.size >= this.#capacity;
    const spare = isFull ? this.#spare : undefined;
    if (!spare) return new IdSet(isFull ? this.#capacity : 0);
    this.#spare = undefined;
    spare.clear();
    return spare;
  }

  /** Drops what is too old, and the oldest generation if there is no place for another. */
  #makeRoom(nowMs: number): void {
    // One generation more than the span asks for, because the oldest counts from its beginning.
    const isTooOld = () => nowMs - this.#generations[0]!.sinceMs > this.#spanMs * (1 + 1 / GENERATIONS);
    while (this.#generations.length === PLACES || (this.#generations.length > 0 && isTooOld())) {
      const { ids, place } = this.#generations.shift()!;
      this.#spare = ids.size >= this.#capacity ? ids : undefined;
      if (this.#filter) unmark(this.#filter, place);
    }
  }

  #freePlace(): number {
    const used = this.#generations.reduce((sum, { place }) => sum | place, 0);
    let place = 1;
    while ((used & place) !== 0) place <<= 1;
    return place;
  }

  #makeFilter(): void {
    const filter = new Uint16Array(FILTER_WORDS);
    for (const { ids, place } of this.#generations) {
      ids.forEach(({ high }) => {
        mark(filter, high, place);
      });
    }
    this.#filter = filter;
  }
}

/** Bits of the generations that may hold the id, by other bits of it than those that place it in a table. */
function placesOf(filter: Uint16Array, high: number): number {
  const word = high & (FILTER_WORDS - 1);
  const [odd, even] = [oddStep(high), evenStep(high)];
  return filter[word]! & filter[word ^ odd]! & filter[word ^ even]! & filter[word ^ odd ^ even]!;
}

function mark(filter: Uint16Array, high: number, place: number): void {
  const word = high & (FILTER_WORDS - 1);
  const [odd, even] = [oddStep(high), evenStep(high)];
  filter[word]! |= place;
  filter[word ^ odd]! |= place;
  filter[word ^ even]! |= place;
  filter[word ^ odd ^ even]! |= place;
}

/** Below 32, the words in a line of the cache; odd and even, so that the four words are four. */
function oddStep(high: number): number {
  return (high >>> 27) | 1;
}

function evenStep(high: number): number {
  return ((high >>> 22) & 0b11100) | 0b10;
}

function unmark(filter: Uint16Array, place: number): void {
  const twoWords = new Int32Array(filter.buffer);
  const bits = place | (place << 16);
  for (let at = 0; at < twoWords.length; at += 1) {
    // Only where it is there: a page that was never written takes no memory.
    if ((twoWords[at]! & bits) !== 0) twoWords[at]! &= ~bits;
  }
}
