import type { Ledger } from '../../alerts/ledger.ts';
import type { MinuteFacts } from '../../sla/facts.ts';

/**
 * The ports behind which the books are kept. Two adapters, `redis/` and `lmdb/`, pass one contract suite
 * (`test/contract/`).
 *
 * Guarantees, whatever the adapter:
 * - `apply` is atomic per service: every cursor moves and every counter is added, or nothing is.
 * - `apply` is exact: it takes effect only if each producer's cursor is where the caller believes it to be,
 *   so a repeated call (a resend after a lost reply), a second daemon and a store that went back in time are
 *   all answered with `moved` and the true cursors, never counted twice and never skipped over.
 * - A counter saturates at COUNTER_MAX; `apply` says how many did.
 * - The store removes duplicates and adds integers. It holds no rule of the contract and no clock: `nowMs`
 *   comes in with each call.
 * - A resolved promise means: as durable as the store's own persistence. A rejected one means: unknown; call
 *   again with the same arguments, which is harmless.
 * - Every method rejects with StoreUnavailable when the store cannot be reached in time; none hangs.
 */
export interface Store {
  readonly facts: FactStore;
  readonly journal: Journal;
  readonly ledger: Ledger;
  /** Changes when the books were wiped or replaced: a random id written at the store's creation. */
  storeId(): Promise<string>;
  /** One round trip that proves the store reads and writes. */
  ping(): Promise<void>;
  /** Called whenever the connection was lost and is back, so that cursors can be read anew. */
  onRestored(listener: () => void): void;
  close(): Promise<void>;
}

/** How far one producer's batches are in one service's books. */
export interface Cursor {
  readonly seq: number;
  /** Digest of the batch `seq`; '' before the first. */
  readonly digest: string;
}

export interface CursorMove {
  readonly producerId: string;
  readonly epoch: number;
  /** Where the caller believes the cursor to be. */
  readonly expectedSeq: number;
  readonly seq: number;
  readonly digest: string;
}

/** Where a service's failures came from, in one five-minute slot; kept for a few hours, bounded per hour. */
export interface Origin {
  /** Epoch minute of the start of the slot. */
  readonly slotMinute: number;
  readonly region: string;
  readonly platform: string;
  readonly cause: string;
  readonly code: string;
}

/** What one service gains from a group of batches. Integers, all non-negative. */
export interface ServiceDelta {
  readonly service: string;
  readonly cursors: readonly CursorMove[];
  /** epoch minute -> MEASURE_COUNT increments, in the order of MEASURES */
  readonly tallies: ReadonlyMap<number, readonly number[]>;
  /** epoch minutes in which an agent was alive */
  readonly alive: ReadonlySet<number>;
  /** slot (epoch minute of its start, multiple of five) -> attempts that came after their window had closed */
  readonly late: ReadonlyMap<number, number>;
  readonly origins: readonly { readonly origin: Origin; readonly n: number }[];
  /** epoch minute -> CALLBACK_COUNT increments, in the order of CALLBACK_MEASURES; left out when there are none */
  readonly callbacks?: ReadonlyMap<number, readonly number[]>;
}

export type ApplyResult =
  | { readonly status: 'applied'; readonly saturated: number }
  /** Nothing was written. The cursors that differ from what was expected, by producer. */
  | { readonly status: 'moved'; readonly cursors: ReadonlyMap<string, Cursor> }
  /** Nothing was written. These producers have a newer epoch. */
  | { readonly status: 'fenced'; readonly producerIds: readonly string[] };

export interface FactStore {
  /**
   * Opens a new epoch of a producer and fences all older ones in the services named; registers the services.
   * @returns the epoch, and each service's cursor ({seq: 0, digest: ''} for a producer it has not seen)
   */
  openEpoch(request: {
    readonly producerId: string;
    readonly services: readonly string[];
    readonly nowMs: number;
  }): Promise<{ readonly epoch: number; readonly cursors: ReadonlyMap<string, Cursor> }>;

  /**
   * Minutes whose page is past the retention, and origins whose hour ended more than six hours before `nowMs`,
   * are not kept; the cursors move all the same.
   * @param delta at most APPLY_BOUNDS, at least one cursor, every cursor forward; asserted
   */
  apply(delta: ServiceDelta, nowMs: number): Promise<ApplyResult>;

  /** Every service that ever had an agent, sorted. */
  services(): Promise<string[]>;

  /** Minutes [fromMinute, toMinute), both multiples of five; minutes never written are zero. */
  readMinutes(service: string, fromMinute: number, toMinute: number): Promise<MinuteFacts>;

  /**
   * Revision numbers of the pages (PAGE_MINUTES each, numbered epochMinute / PAGE_MINUTES) that were ever
   * written; a page whose number did not change has not changed. It lets a reader keep unchanged pages.
   */
  revisions(service: string): Promise<ReadonlyMap<number, number>>;

  /** Failures by origin whose slot starts in [fromMinute, toMinute), as far as they are still kept. */
  origins(
    service: string,
    fromMinute: number,
    toMinute: number,
  ): Promise<{ readonly origin: Origin; readonly n: number }[]>;
}

/**
 * An append-only record of what people decided (exclusions entered and withdrawn, silences, acknowledgements).
 * Entries are never changed or removed; what is in force is derived by replaying them.
 */
export interface Journal {
  /**
   * @returns the entry's number within its topic, from 1
   * @throws StoreUnavailable: the entry may have been appended; it carries an id by which a second one is told
   */
  append(topic: string, entry: unknown): Promise<number>;
  /** All entries of a topic in order of their numbers; `revision` = the highest number. */
  read(topic: string): Promise<{ readonly revision: number; readonly entries: readonly unknown[] }>;
}

/** Eight hours: a page of 480 minutes fits an allocator class of 10 KiB with 5 % to spare; a day would waste 14 %. */
export const PAGE_MINUTES = 480;

export const APPLY_BOUNDS = {
  cursors: 1_000,
  tallies: 2_000,
  alive: 2_000,
  late: 2_000,
  origins: 2_000,
  callbacks: 2_000,
} as const;

/** The store did not answer in time or cannot be reached; the call may or may not have taken effect. */
export class StoreUnavailable extends Error {
  readonly code = 'STORE_UNAVAILABLE';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}
