import type { Serial } from '../serial.ts';
import { AckMarks } from './ack-marks.ts';
import type { SpoolEntry } from './batch-record.ts';
import type { Parts } from './parts.ts';

export interface DeliveryOptions {
  /** In which everything that touches the logs runs. */
  readonly serial: Serial;
  readonly monotonicMs: () => number;
}

/** What is read of one identity's batches to be sent, and how far it was sent and acknowledged. */
export class Delivery {
  readonly #parts: Parts;
  readonly #options: DeliveryOptions;
  /** Skips that stand for rejected batches until they are acknowledged. */
  readonly #rejected = new Map<number, SpoolEntry>();
  readonly #acks = new AckMarks();
  #acked = 0;
  #inFlight = 0;
  #isSending = false;
  /** Segments may be given up: what is sent meanwhile waits for its turn. */
  #isHeld = false;

  /** @param acked  everything up to this seq is in the store */
  constructor(parts: Parts, acked: number, options: DeliveryOptions) {
    this.#parts = parts;
    this.#options = options;
    this.acknowledge(acked);
  }

  get acked(): number {
    return this.#acked;
  }

  /** Highest seq that was sent and may be acknowledged. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get isSending(): boolean {
    return this.#isSending;
  }

  /** @param seq up to which everything was sent and may be acknowledged; null when the connection has ended */
  setInFlight(seq: number | null): void {
    this.#isSending = seq !== null;
    // What was in flight at the end may be counted: the next welcome tells.
    if (seq !== null) this.#inFlight = seq;
  }

  /** While `step` may give up segments, nothing is read past it. */
  async held<T>(step: () => Promise<T>): Promise<T> {
    this.#isHeld = true;
    try {
      return await step();
    } finally {
      this.#isHeld = false;
    }
  }

  /** See `Spool.entriesFrom`. */
  async entriesFrom(seq: number, maxBytes: number): Promise<readonly SpoolEntry[]> {
    const recent = this.#isHeld ? [] : this.#recentFrom(seq, maxBytes);
    const entries =
      recent.length > 0
        ? recent
        : await this.#options.serial.run(async () => {
            const read = await this.#parts.batches.read(seq, maxBytes);
            this.#willSend(read);
            return read;
          });
    // A range that was given up says more than the skip of the rejected batch with which it begins.
    return entries.map((entry) => (entry.kind === 'batch' && this.#rejected.get(entry.from)) || entry);
  }

  #recentFrom(seq: number, maxBytes: number): SpoolEntry[] {
    const recent: SpoolEntry[] = [];
    let bytes = 0;
    for (let next = seq; bytes < maxBytes; ) {
      const entry = this.#parts.batches.recent(next);
      if (!entry) break;
      recent.push(entry);
      bytes += entry.text.length;
      next = entry.to + 1;
    }
    this.#willSend(recent);
    return recent;
  }

  #willSend(entries: readonly SpoolEntry[]): void {
    if (this.#isSending) this.#inFlight = Math.max(this.#inFlight, entries.at(-1)?.to ?? 0);
  }

  /** See `Spool.acknowledge`. */
  acknowledge(seq: number): void {
    this.#acked = seq;
    for (const rejected of this.#rejected.keys()) if (rejected <= seq) this.#rejected.delete(rejected);
    this.#acks.add(seq, this.#options.monotonicMs());
  }

  /** Highest seq that was acknowledged by then. */
  ackedBy(monotonicMs: number): number {
    return this.#acks.before(monotonicMs);
  }

  /** @param skip  that is sent in place of the batch of its seq */
  sendInstead(skip: SpoolEntry): void {
    this.#rejected.set(skip.from, skip);
  }
}
