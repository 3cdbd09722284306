import { backoffMs } from './backoff.ts';
import { Cap } from './cap.ts';
import type { Log } from './log.ts';
import { type Merged, merge, type Parcel } from './merge.ts';
import { type FailureReason, retryable, type SendOutcome } from './notify/notifier.ts';
import type { Job } from './outbox.ts';
import type { MessageReceiver } from './receiver.ts';
import type { PolicyState } from './state.ts';

/** What a lane needs from its dispatcher. */
export interface LaneDeps {
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly observer: DeliveryObserver;
  readonly groupWaitMs: number;
  readonly sendTimeoutMs: number;
  /** The states of these services as far as the store answers. */
  states(services: readonly string[]): Promise<ReadonlyMap<string, PolicyState>>;
  /** None of these rejects: what cannot be recorded comes back when its lease runs out. */
  done(job: Job): Promise<void>;
  retryAt(job: Job, dueAtMs: number): Promise<void>;
  /** A job that has nothing to add any more by itself. */
  outdated(job: Job): Promise<void>;
  /** Hands the job to the receiver's fallback, or records that there is none; then it is done here. */
  refuse(job: Job, receiver: MessageReceiver): Promise<void>;
}

/** Counts for metrics; called once for each message. */
export interface DeliveryObserver {
  sent(receiver: string): void;
  failed(receiver: string, reason: FailureReason): void;
}

/** A resolve or an acknowledgement that nobody took for this long is given up, counted and handed on. */
export const GIVE_UP_AFTER_MS = 7 * 86_400_000;

/** Failures in a row after which a single alert goes ahead of the others. */
const PROBE_AFTER = 3;

/** A failure of the lane itself would repeat at once. */
const FAILED_AGAIN_MS = 60_000;

/** Episodes remembered as not delivered, for each receiver. */
const UNDELIVERED_MAX = 1_000;

/**
 * One receiver's queue of claimed entries. Each has its own, so a dead or slow receiver delays nobody else.
 * Entries wait `groupWaitMs` for company, are merged, capped, sent and settled; after a failure the whole lane
 * waits, because a receiver that just failed would fail for the next message too.
 */
export class Lane {
  readonly #receiver: MessageReceiver;
  readonly #deps: LaneDeps;
  readonly #cap: Cap;
  #held: Job[] = [];
  #running: Promise<void> | null = null;
  #failures = 0;
  #closedUntilMs = 0;
  /** Failed sends by entry: an entry that the receiver chokes on goes behind the others. */
  readonly #failed = new Map<string, number>();
  /**
   * Episodes whose firing has been in hand here and has not arrived, for resolves that are in hand by now or are
   * sent past the store. Every other resolve comes together with its firing, as long as that waits in the outbox.
   */
  readonly #undelivered = new Set<string>();

  constructor(receiver: MessageReceiver, deps: LaneDeps) {
    this.#receiver = receiver;
    this.#deps = deps;
    this.#cap = new Cap(receiver.messagesPerMinute, deps.nowMs());
  }

  add(job: Job): void {
    this.#held.push(job);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is held any more. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#held.length > 0) {
      await delay(this.#deps.groupWaitMs);
      const jobs = this.#held;
      this.#held = [];
      try {
        await this.#deliver(jobs);
      } catch (error) {
        // A bug, and yet nothing of it is silently dropped, and what is added later still has a lane.
        const { log, nowMs, retryAt } = this.#deps;
        log.error({ receiver: this.#receiver.name, error: String(error) }, 'a lane failed; it tries again');
        for (const job of jobs) await retryAt(job, nowMs() + FAILED_AGAIN_MS);
      }
    }
    // In the same step as the last look at what is held, or a job that comes between would wait for the next one.
    this.#running = null;
  }

  async #deliver(jobs: readonly Job[]): Promise<void> {
    const { nowMs, states } = this.#deps;
    const byAge = [...jobs].sort((a, b) => this.#order(a) - this.#order(b));
    // What is sent past the store is not asked about there.
    const stored = jobs.filter((job) => job.lease !== null);
    const inStore = [...new Set(stored.map((job) => job.alert.service))];
    const merged: Merged = merge(byAge, await states(inStore), this.#undelivered);
    for (const job of merged.outdated) {
      this.#missed(job);
      this.#failed.delete(job.entry.id);
      await this.#deps.outdated(job);
    }
    for (let i = 0; i < merged.parcels.length; ) {
      // One alert that the receiver chokes on must not hold up those beside it: after some failures a single one
      // goes ahead, the least failed first, and the others together only when it has arrived.
      const size = this.#failures >= PROBE_AFTER ? 1 : this.#receiver.notifier.alertsPerMessage;
      const parcels = merged.parcels.slice(i, i + size);
      i += size;
      const waitMs = this.#mustWait(parcels);
      if (waitMs === null) await this.#send(parcels);
      else await this.#postpone(parcels, nowMs() + waitMs);
    }
  }

  /** null when the parcels may leave now. */
  #mustWait(parcels: readonly Parcel[]): number | null {
    const now = this.#deps.nowMs();
    if (now < this.#closedUntilMs) return this.#closedUntilMs - now;
    // Past its lease somebody else may be sending the same: give it back rather than send it twice.
    const leases = parcels.flatMap(({ jobs }) => jobs.flatMap(({ lease }) => lease ?? []));
    if (leases.some((lease) => lease.untilMs - now < this.#deps.sendTimeoutMs)) return 0;
    return this.#cap.take(now) || null;
  }

  async #send(parcels: readonly Parcel[]): Promise<void> {
    const { nowMs, observer, log, random } = this.#deps;
    const { name } = this.#receiver;
    const jobs = parcels.flatMap((one) => one.jobs);
    const outcome = await this.#attempt(parcels);
    if (outcome.status === 'sent') {
      observer.sent(name);
      this.#failures = 0;
      for (const { item } of parcels) this.#undelivered.delete(item.alert.key);
      for (const job of jobs) await this.#finish(job);
      return;
    }
    observer.failed(name, outcome.reason);
    const keys = jobs.map((job) => job.entry.id);
    if (outcome.status === 'refused') {
      log.error(
        { receiver: name, reason: outcome.reason, detail: outcome.detail, keys },
        'a message was refused',
      );
      for (const job of jobs) {
        this.#failed.delete(job.entry.id);
        await this.#deps.refuse(job, this.#receiver);
      }
      return;
    }
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures, outcome.afterMs, random);
    this.#closedUntilMs = nowMs() + waitMs;
    log.warn(
      { receiver: name, reason: outcome.reason, detail: outcome.detail, keys, againInMs: waitMs },
      'a message could not be sent yet',
    );
    for (const job of jobs) this.#failed.set(job.entry.id, (this.#failed.get(job.entry.id) ?? 0) + 1);
    await this.#postpone(parcels, this.#closedUntilMs);
  }

  async #attempt(parcels: readonly Parcel[]): Promise<SendOutcome> {
    const { nowMs, sendTimeoutMs } = this.#deps;
    const abort = new AbortController();
    const timeout = retryable('timeout', `no answer within ${sendTimeoutMs} ms`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<SendOutcome>((settle) => {
      timer = setTimeout(() => {
        abort.abort();
        settle(timeout);
      }, sendTimeoutMs);
    });
    const items = parcels.map((one) => one.item);
    try {
      const sent = this.#receiver.notifier.send(items, { nowMs: nowMs(), signal: abort.signal });
      return await Promise.race([sent, late]);
    } catch (error) {
      // A sender's own fault; its text may hold an address that is a secret, so only the kind is kept.
      const kind = error instanceof Error ? error.name : typeof error;
      return retryable('unavailable', `the sender failed with ${kind}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async #postpone(parcels: readonly Parcel[], dueAtMs: number): Promise<void> {
    const { nowMs, retryAt, refuse, observer, log } = this.#deps;
    for (const job of parcels.flatMap((one) => one.jobs)) {
      this.#missed(job);
      const isPatient = job.alert.kind === 'firing' || job.alert.kind === 'reminder';
      if (isPatient || nowMs() - job.entry.createdAtMs < GIVE_UP_AFTER_MS) {
        await retryAt(job, dueAtMs);
        continue;
      }
      observer.failed(this.#receiver.name, 'expired');
      log.error({ receiver: this.#receiver.name, key: job.entry.id }, 'nobody took a message for a week');
      this.#failed.delete(job.entry.id);
      await refuse(job, this.#receiver);
    }
  }

  #missed({ alert }: Job): void {
    if (alert.kind !== 'firing') return;
    this.#undelivered.add(alert.key);
    for (const oldest of this.#undelivered) {
      if (this.#undelivered.size <= UNDELIVERED_MAX) break;
      this.#undelivered.delete(oldest);
    }
  }

  async #finish(job: Job): Promise<void> {
    this.#failed.delete(job.entry.id);
    await this.#deps.done(job);
  }

  #order(job: Job): number {
    // Failures first, age second; an age in milliseconds stays far below 2^43.
    return (this.#failed.get(job.entry.id) ?? 0) * 2 ** 43 + job.entry.createdAtMs;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
