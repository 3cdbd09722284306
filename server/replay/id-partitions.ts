import type { IdHash } from '../../sla/lines/id-hash.ts';
import { IdMemory } from './id-memory.ts';

/** By the first six bits of the hash. */
const PARTITIONS = 64;
const PARTITION_SHIFT = 32 - Math.log2(PARTITIONS);
/** Outcomes that wait in each: ten MiB in all. */
const WAITING = 8_192;
/** Numbers of each: the hash, the minute, the count, the cause. */
const STRIDE = 5;
/** Of each partition's memory; together 10 MiB at first and 80 MiB at most, which is six million ids. */
const SLOTS = { first: 1 << 14, most: 1 << 17 } as const;

/** @param causeIndex  as it was put in */
export type OnFirst = (epochMinute: number, count: number, causeIndex: number) => void;

/**
 * Outcomes with ids, looked up thousands at a time. Which ids were seen is a table that no cache holds, and every
 * look into it would wait for memory; so outcomes wait, sorted by their hash, until there are enough of one part of
 * the table, which then is in the cache. That saves a third of a replay's time. Outcomes of one id stay in order.
 */
export class IdPartitions {
  /** Outcomes whose id was seen before. */
  repeated = 0;
  readonly #memories: readonly IdMemory[];
  readonly #waiting = Array.from({ length: PARTITIONS }, () => new Int32Array(WAITING * STRIDE));
  readonly #lengths = new Int32Array(PARTITIONS);
  readonly #onFirst: OnFirst;

  /**
   * @param times    see IdMemory
   * @param onFirst  called for every outcome whose id was not seen before, not before `settle` for the last ones
   */
  constructor(times: { readonly spanMinutes: number; readonly firstMinute: number }, onFirst: OnFirst) {
    const { first: firstSlots, most: mostSlots } = SLOTS;
    this.#memories = Array.from(
      { length: PARTITIONS },
      () => new IdMemory({ ...times, firstSlots, mostSlots }),
    );
    this.#onFirst = onFirst;
  }

  /** Ids forgotten although they were within the span. */
  get forgottenEarly(): number {
    return this.#memories.reduce((sum, { forgottenEarly }) => sum + forgottenEarly, 0);
  }

  /** @param causeIndex  any integer */
  put({ a, b }: IdHash, epochMinute: number, count: number, causeIndex: number): void {
    const partition = b >>> PARTITION_SHIFT;
    const waiting = this.#waiting[partition]!;
    let at = this.#lengths[partition]!;
    waiting[at++] = a;
    waiting[at++] = b;
    waiting[at++] = epochMinute;
    waiting[at++] = count;
    waiting[at++] = causeIndex;
    this.#lengths[partition] = at;
    if (at === waiting.length) this.#settle(partition);
  }

  /** Looks up all that wait. */
  settle(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) this.#settle(partition);
  }

  #settle(partition: number): void {
    const memory = this.#memories[partition]!;
    const waiting = this.#waiting[partition]!;
    const length = this.#lengths[partition]!;
    for (let at = 0; at < length; at += STRIDE) {
      const epochMinute = waiting[at + 2]!;
      if (memory.isRepeat(waiting[at]!, waiting[at + 1]!, epochMinute)) this.repeated++;
      else this.#onFirst(epochMinute, waiting[at + 3]!, waiting[at + 4]!);
    }
    this.#lengths[partition] = 0;
  }
}
