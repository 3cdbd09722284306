/**
 * The durable record of who was told what: the policy's state and the outbox, in one atomic step.
 * Implemented by the daemon's stores; the contract suite is `test/contract/ledger.ts`.
 */

/** One message to one receiver, waiting to be sent. JSON; the store does not look inside `body`. */
export interface OutboxEntry {
  /** Unique within the service; the same decision made twice gives the same id, so it is queued once. */
  readonly id: string;
  readonly service: string;
  readonly receiver: string;
  /** What to render: the alert as it was when decided. */
  readonly body: unknown;
  readonly createdAtMs: number;
}

export interface ClaimedEntry {
  readonly entry: OutboxEntry;
  /** Sends attempted before this claim. */
  readonly attempts: number;
  /** Fencing token: only its holder may settle the entry. */
  readonly token: number;
}

export type Settlement =
  /** Done (sent, or given up for good): the entry leaves the outbox. */
  | { readonly status: 'done' }
  /** Try again at `dueAtMs`. */
  | { readonly status: 'retry'; readonly dueAtMs: number };

export interface Ledger {
  /** @returns version 0 and null before the first commit */
  load(service: string): Promise<{ readonly version: number; readonly state: unknown }>;

  /**
   * Writes the policy's new state and queues its entries, together or not at all. An entry whose id waits
   * already, or was settled lately, is not queued again.
   * @returns false when `expectedVersion` is no longer current: another daemon decided first; load again
   * @throws an error with code STORE_OUTBOX_FULL when the outbox has no room for the entries; nothing is written
   */
  commit(request: {
    readonly service: string;
    readonly expectedVersion: number;
    readonly state: unknown;
    readonly entries: readonly OutboxEntry[];
  }): Promise<boolean>;

  /**
   * Takes up to `limit` entries of a service that are due and not leased, oldest first, under a lease.
   * A lease that is not settled by `nowMs + leaseMs` may be taken again, with a higher token.
   */
  claim(request: {
    readonly service: string;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<ClaimedEntry[]>;

  /** @returns false when the token is no longer the entry's: somebody else took it */
  settle(request: {
    readonly service: string;
    readonly id: string;
    readonly token: number;
    readonly settlement: Settlement;
  }): Promise<boolean>;

  /**
   * @returns from when an entry may be claimed: when it is due and nobody's lease holds it; null when it is not in
   * the outbox
   */
  claimableAt(service: string, id: string): Promise<number | null>;

  /** Number of entries in a service's outbox and creation time of the oldest one (null when empty). */
  backlog(service: string): Promise<{ readonly depth: number; readonly oldestCreatedAtMs: number | null }>;
}
