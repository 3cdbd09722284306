import { strict as assert } from 'node:assert';
import type { IdHash } from './id-hash.ts';

/** Numbers kept for each id: three of its hash, and the minute in which its outcome started. */
const SLOT = 4;
/** An epoch minute that no outcome has (`OUTCOME_LIMITS` begins in 2001): the slot is free. */
const FREE = 0;
const FIRST_SLOTS = 1 << 16;
/** Share of the slots that may be used: with more, probing gets long. */
const LOAD = 0.75;
/** Share of the usable slots that may stay in use when the greatest table is cleared. */
const CROWDED = 0.75;

/** 128 MiB at most, and twice that while it is built anew: six million ids, which is 72 a second for 24 hours. */
export const ID_SLOTS_MAX = 1 << 23;

export interface IdMemoryOptions {
  /** Two reports of one id count once when their outcomes started at most this far apart; at least 1. */
  readonly spanMinutes: number;
  /** The table's greatest size, 16 bytes each; a power of two, three quarters of which may be used. */
  readonly mostSlots?: number;
}

/**
 * Which ids were seen: an open-addressed table of hashes in one flat array. Memory is bounded: ids beyond the
 * span are forgotten when room is needed, and if that is not enough, those farthest from the present outcome
 * are forgotten early, which is counted.
 */
export class IdMemory {
  /** Ids forgotten although they were within the span. */
  forgottenEarly = 0;
  readonly #spanMinutes: number;
  readonly #mostSlots: number;
  #slots: Int32Array;
  #mask: number;
  #held = 0;
  // The minutes of the last two outcomes: one stray clock must not make the memory forget the rest.
  #lastMinute = 0;
  #lastButOneMinute = 0;

  constructor({ spanMinutes, mostSlots = ID_SLOTS_MAX }: IdMemoryOptions) {
    assert(spanMinutes >= 1 && Math.log2(mostSlots) % 1 === 0, 'a span and a power of two');
    this.#spanMinutes = spanMinutes;
    this.#mostSlots = mostSlots;
    const slotCount = Math.min(FIRST_SLOTS, mostSlots);
    this.#slots = new Int32Array(slotCount * SLOT);
    this.#mask = slotCount - 1;
  }

  /** Ids held now. */
  get held(): number {
    return this.#held;
  }

  /**
   * Remembers an id.
   * @param minute  epoch minute in which its outcome started, above 0
   * @returns true when it was seen before, within the span
   */
  isRepeat(id: IdHash, minute: number): boolean {
    const slots = this.#slots;
    let index = id.a & this.#mask;
    for (;;) {
      const at = index * SLOT;
      const heldMinute = slots[at + 3]!;
      if (heldMinute === FREE) break;
      if (slots[at] === id.a && slots[at + 1] === id.b && slots[at + 2] === id.c) {
        if (Math.abs(heldMinute - minute) <= this.#spanMinutes) return true;
        slots[at + 3] = minute;
        return false;
      }
      index = (index + 1) & this.#mask;
    }
    const at = index * SLOT;
    slots[at] = id.a;
    slots[at + 1] = id.b;
    slots[at + 2] = id.c;
    slots[at + 3] = minute;
    this.#held++;
    if (this.#held >= (this.#mask + 1) * LOAD) {
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

  #countByDistance(minute: number): Uint32Array {
    const counts = new Uint32Array(this.#spanMinutes + 1);
    for (let at = 0; at < this.#slots.length; at += SLOT) {
      const held = this.#slots[at + 3]!;
      const distance = Math.abs(held - minute);
      if (held !== FREE && distance <= this.#spanMinutes) counts[distance] = counts[distance]! + 1;
    }
    return counts;
  }

  #rebuild(slotCount: number, minute: number, reach: number): void {
    const old = this.#slots;
    const slots = new Int32Array(slotCount * SLOT);
    const mask = slotCount - 1;
    this.#held = 0;
    for (let at = 0; at < old.length; at += SLOT) {
      const held = old[at + 3]!;
      if (held === FREE || Math.abs(held - minute) > reach) continue;
      let index = old[at]! & mask;
      while (slots[index * SLOT + 3] !== FREE) index = (index + 1) & mask;
      for (let number = 0; number < SLOT; number++) slots[index * SLOT + number] = old[at + number]!;
      this.#held++;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
