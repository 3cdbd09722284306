import { strict as assert } from 'node:assert';

/** Share of the slots that may be used: with more, probing gets long. */
const LOAD = 0.75;
/** Share of the usable slots that may stay in use when the greatest table is cleared. */
const CROWDED = 0.75;
/** Minutes are kept in 16 bits, counted from 1 at `firstMinute`; 0 is a free slot. */
const MINUTES_MAX = 0xffff;

export interface IdMemoryOptions {
  /** Two reports of one id count once when their outcomes started at most this far apart; at least 1. */
  readonly spanMinutes: number;
  /** Epoch minute before which no outcome starts; the last one starts less than 65,535 minutes later. */
  readonly firstMinute: number;
  /** The table's size at first and at most, ten bytes a slot; powers of two. Three quarters may be used. */
  readonly firstSlots: number;
  readonly mostSlots: number;
}

/**
 * Which ids were seen: an open-addressed table of hashes in flat arrays. Memory is bounded: ids beyond the span
 * are forgotten when room is needed, and if that is not enough, those farthest from the present outcome are
 * forgotten early, which is counted.
 */
export class IdMemory {
  /** Ids forgotten although they were within the span. */
  forgottenEarly = 0;
  readonly #spanMinutes: number;
  readonly #beforeMinute: number;
  readonly #mostSlots: number;
  /** Two numbers a slot: the hash. */
  #hashes: Int32Array;
  #minutes: Uint16Array;
  #mask: number;
  #held = 0;
  // Of the last two outcomes: one stray clock must not make the memory forget the rest.
  #lastMinute = 0;
  #lastButOneMinute = 0;

  constructor({ spanMinutes, firstMinute, firstSlots, mostSlots }: IdMemoryOptions) {
    assert(spanMinutes >= 1 && [firstSlots, mostSlots].every((slots) => Math.log2(slots) % 1 === 0));
    this.#spanMinutes = spanMinutes;
    this.#beforeMinute = firstMinute - 1;
    this.#mostSlots = mostSlots;
    this.#hashes = new Int32Array(firstSlots * 2);
    this.#minutes = new Uint16Array(firstSlots);
    this.#mask = firstSlots - 1;
  }

  /** Ids held now. */
  get held(): number {
    return this.#held;
  }

  /**
   * Remembers an id by its hash (see IdHash).
   * @param epochMinute  in which its outcome started
   * @returns true when it was seen before, within the span
   */
  isRepeat(a: number, b: number, epochMinute: number): boolean {
    const minute = epochMinute - this.#beforeMinute;
    // Not by assert, which makes an array of its arguments: this is asked for every line.
    if (!(minute >= 1 && minute <= MINUTES_MAX))
      throw new RangeError(`minute ${epochMinute} is not in the month`);
    const hashes = this.#hashes;
    const minutes = this.#minutes;
    const mask = this.#mask;
    let slot = a & mask;
    for (; minutes[slot] !== 0; slot = (slot + 1) & mask) {
      if (hashes[slot * 2] !== a || hashes[slot * 2 + 1] !== b) continue;
      if (Math.abs(minutes[slot]! - minute) <= this.#spanMinutes) return true;
      minutes[slot] = minute;
      return false;
    }
    hashes[slot * 2] = a;
    hashes[slot * 2 + 1] = b;
    minutes[slot] = minute;
    this.#held++;
    if (this.#held >= (mask + 1) * LOAD) {
      this.#makeRoom(median(minute, this.#lastMinute, this.#lastButOneMinute));
    }
    this.#lastButOneMinute = this.#lastMinute;
    this.#lastMinute = minute;
    return false;
  }

  /** Drops what is beyond the span of `minute`; if that frees too little, grows, or drops the farthest too. */
  #makeRoom(minute: number): void {
    const byDistance = this.#countByDistance(minute);
    let kept = byDistance.reduce((sum, count) => sum + count, 0);
    const slotCount = this.#mask + 1;
    const usable = slotCount * LOAD;
    const canGrow = slotCount < this.#mostSlots;
    let reach = this.#spanMinutes;
    if (!canGrow && kept > usable * CROWDED) {
      const within = kept;
      // Half go at once, so that many outcomes share the cost of this pass.
      for (; reach >= 0 && kept > usable / 2; reach--) kept -= byDistance[reach]!;
      this.forgottenEarly += within - kept;
    }
    this.#rebuild(canGrow && kept > usable / 2 ? slotCount * 2 : slotCount, minute, reach);
  }

  /** How many of the ids held started 0, 1, 2 ... minutes from `minute`, as far as the span reaches. */
  #countByDistance(minute: number): Uint32Array {
    const counts = new Uint32Array(this.#spanMinutes + 1);
    const minutes = this.#minutes;
    for (let slot = 0; slot < minutes.length; slot++) {
      const held = minutes[slot]!;
      const distance = Math.abs(held - minute);
      if (held !== 0 && distance <= this.#spanMinutes) counts[distance] = counts[distance]! + 1;
    }
    return counts;
  }

  #rebuild(slotCount: number, minute: number, reach: number): void {
    const [oldHashes, oldMinutes] = [this.#hashes, this.#minutes];
    const hashes = new Int32Array(slotCount * 2);
    const minutes = new Uint16Array(slotCount);
    const mask = slotCount - 1;
    this.#held = 0;
    for (let from = 0; from < oldMinutes.length; from++) {
      const held = oldMinutes[from]!;
      if (held === 0 || Math.abs(held - minute) > reach) continue;
      const a = oldHashes[from * 2]!;
      let slot = a & mask;
      while (minutes[slot] !== 0) slot = (slot + 1) & mask;
      hashes[slot * 2] = a;
      hashes[slot * 2 + 1] = oldHashes[from * 2 + 1]!;
      minutes[slot] = held;
      this.#held++;
    }
    this.#hashes = hashes;
    this.#minutes = minutes;
    this.#mask = mask;
  }
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
