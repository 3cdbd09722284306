import type { Clock } from './clock.ts';
import { frameText, type SpoolEntry, skipEntry } from './spool/batch-record.ts';
import type { Gap } from './spool/segment-content.ts';
import type { Spool } from './spool/spool.ts';

/** Text read from the spool at once. */
const READ_BYTES = 256 * 1024;
/** Bytes that may wait in the socket before the sender pauses. */
const BUFFERED_BYTES = 1024 * 1024;
const BUFFERED_PAUSE_MS = 20;

export interface SenderOptions {
  readonly spool: Spool;
  readonly clock: Clock;
  /** Of a backlog. */
  readonly batchesPerSecond: number;
  /** Whether a batch was sealed just now; what was not is backlog. */
  readonly isLive: (seq: number) => boolean;
  readonly send: (text: string) => void;
  readonly bufferedBytes: () => number;
  /** Batches that the daemon needs are no longer here. */
  readonly gone: (gap: Gap) => void;
  /** The spool could not be read. */
  readonly failed: (error: Error) => void;
}

/**
 * Sends the spool's entries in order within the daemon's credit, and goes back when asked.
 *
 * A backlog goes at a limited rate, because a daemon that comes back after an outage meets the backlogs of all
 * its agents at once. Batches are in order, so what is live waits behind the backlog; the rate is far above
 * the one batch a second that an agent seals, so that it never waits long.
 */
export class Sender {
  readonly #options: SenderOptions;
  #epoch: number | undefined;
  #credit = 0;
  /** Next seq to send. */
  #next = 1;
  /** Highest seq that the daemon may hold, as far as was sent since it last said how far it is. */
  #sentTo = 0;
  /** Last seq of each entry that is sent and not acknowledged. */
  readonly #inFlight: number[] = [];
  /** Outcomes in all batches before `#next`, as far as the last one sent tells. */
  #sentOutcomes: number | undefined;
  #progressAtMs = 0;
  #isPumping = false;
  #isAsked = false;
  /** Changes whenever `#next` is set from outside, so that a read under way is dropped. */
  #course = 0;
  #timer: NodeJS.Timeout | undefined;
  #pausedUntilMs = 0;
  #allowance: number;
  #allowedAtMs: number;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#allowance = options.batchesPerSecond;
    this.#allowedAtMs = options.clock.monotonicMs();
  }

  /** @returns batches acknowledged by the welcome */
  start({ epoch, applied, credit }: { epoch: number; applied: number; credit: number }): number {
    this.#epoch = epoch;
    return this.acknowledge(applied, credit, true);
  }

  stop(): void {
    this.#epoch = undefined;
    this.#course += 1;
    this.#options.spool.setInFlight(null);
    clearTimeout(this.#timer);
  }

  /** @returns batches newly acknowledged */
  acknowledge(applied: number, credit: number, isStart = false): number {
    const { spool, clock } = this.#options;
    const before = spool.acked;
    this.#credit = credit;
    this.#progressAtMs = clock.monotonicMs();
    if (applied < before || isStart) this.#goBackTo(applied + 1);
    // Ahead of what was sent here: the daemon has counted what an earlier connection sent.
    else if (applied >= this.#next) this.#goOnFrom(applied + 1);
    while (this.#inFlight.length > 0 && this.#inFlight[0]! <= applied) this.#inFlight.shift();
    spool.acknowledge(applied);
    this.pump();
    return Math.max(0, applied - before);
  }

  rewind(from: number): void {
    const { spool } = this.#options;
    if (from - 1 < spool.acked) spool.acknowledge(from - 1);
    this.#goBackTo(from);
    this.pump();
  }

  /**
   * Everything not acknowledged is sent again after a while. It stays in flight: the store may have it, and a spool
   * that gave it up meanwhile would call lost what is counted.
   */
  pause(afterMs: number): void {
    this.#goOnFrom(this.#options.spool.acked + 1);
    this.#pausedUntilMs = this.#options.clock.monotonicMs() + afterMs;
    this.#pumpLater(afterMs);
  }

  /** How long batches have been in flight without an acknowledgement. */
  stalledForMs(): number {
    return this.#inFlight.length === 0 ? 0 : this.#options.clock.monotonicMs() - this.#progressAtMs;
  }

  /** Sends what may be sent now. */
  pump(): void {
    this.#isAsked = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pump().catch((error: Error) => this.#options.failed(error));
  }

  async #pump(): Promise<void> {
    const { spool } = this.#options;
    try {
      while (this.#isAsked) {
        this.#isAsked = false;
        while (this.#mayGoOn() && this.#timer === undefined) {
          const course = this.#course;
          // Durable before the batches are read: merging one that was read or sent would change it.
          const sendable = await spool.markSendable(this.#next);
          for (const entry of await this.#read()) {
            if (course !== this.#course || !this.#mayGoOn()) break;
            if ((entry.kind === 'batch' && entry.to > sendable) || !this.#isAllowed(entry)) break;
            this.#send(entry);
          }
        }
      }
    } finally {
      // In the same step as the last test above: who asks in the next one must find nobody at work.
      this.#isPumping = false;
    }
  }

  #send(entry: SpoolEntry): void {
    if (this.#epoch === undefined) return;
    this.#options.send(frameText(entry, this.#epoch));
    if (this.#inFlight.length === 0) this.#progressAtMs = this.#options.clock.monotonicMs();
    this.#inFlight.push(entry.to);
    this.#next = entry.to + 1;
    this.#sentOutcomes = entry.before + entry.outcomes;
    // Lower than before when it is sent once more.
    this.#sentTo = Math.max(this.#sentTo, entry.to);
    this.#options.spool.setInFlight(this.#sentTo);
  }

  #mayGoOn(): boolean {
    if (this.#epoch === undefined || this.#next > this.#options.spool.lastSealed) return false;
    if (this.#inFlight.length >= this.#credit) return false;
    const pauseMs = this.#pausedUntilMs - this.#options.clock.monotonicMs();
    if (pauseMs > 0) {
      this.#pumpLater(pauseMs);
      return false;
    }
    if (this.#options.bufferedBytes() <= BUFFERED_BYTES) return true;
    this.#pumpLater(BUFFERED_PAUSE_MS);
    return false;
  }

  async #read(): Promise<readonly SpoolEntry[]> {
    const { spool, clock } = this.#options;
    const { firstRetained } = spool;
    if (this.#next < firstRetained) {
      const outcomes = spool.beforeRetained - spool.countedBefore(this.#next);
      const gap = { from: this.#next, to: firstRetained - 1, reason: 'not-retained', outcomes };
      this.#options.gone(gap);
      return [skipEntry(gap, { before: 0, sealedAtMs: clock.nowMs() })];
    }
    const entries = await spool.entriesFrom(this.#next, READ_BYTES);
    const [first, ...rest] = entries;
    if (!first || first.from === this.#next) return entries;
    // The daemon has part of a range that was given up: the rest of it is named.
    const { reason } = JSON.parse(first.text) as { reason: string };
    const { to } = first;
    const before = this.#sentOutcomes ?? first.before;
    const outcomes = first.before + first.outcomes - before;
    return [skipEntry({ from: this.#next, to, reason, outcomes }, { ...first, before }), ...rest];
  }

  #isAllowed(entry: SpoolEntry): boolean {
    const { clock, batchesPerSecond, isLive } = this.#options;
    if (isLive(entry.to)) return true;
    const nowMs = clock.monotonicMs();
    const earned = ((nowMs - this.#allowedAtMs) / 1_000) * batchesPerSecond;
    this.#allowance = Math.min(batchesPerSecond, this.#allowance + earned);
    this.#allowedAtMs = nowMs;
    if (this.#allowance >= 1) {
      this.#allowance -= 1;
      return true;
    }
    this.#pumpLater(1_000 / batchesPerSecond);
    return false;
  }

  /** The daemon says that it holds nothing from `seq` on, nor will before it is sent again. */
  #goBackTo(seq: number): void {
    this.#goOnFrom(seq);
    this.#sentTo = seq - 1;
    this.#options.spool.setInFlight(this.#sentTo);
  }

  #goOnFrom(seq: number): void {
    this.#next = seq;
    this.#sentOutcomes = undefined;
    this.#inFlight.length = 0;
    this.#course += 1;
  }

  #pumpLater(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.pump();
    }, afterMs);
  }
}
