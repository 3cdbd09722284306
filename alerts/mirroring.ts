import type { Alert } from './alert.ts';
import { backoffMs } from './backoff.ts';
import type { DeliveryObserver } from './lane.ts';
import type { Log } from './log.ts';
import type { Mirror, SendOutcome } from './notify/notifier.ts';
import { RESOLVED_SHOWN_MS } from './standing.ts';

export interface MirroringOptions {
  readonly receiver: string;
  readonly replica: Mirror;
  /** What this receiver is to be shown now. */
  readonly alerts: () => readonly Alert[];
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly observer: DeliveryObserver;
  readonly resendMs: number;
  readonly sendTimeoutMs: number;
}

/** Alerts shown to one replica; beyond it the oldest are left out, and that is logged. */
const ALERTS_MAX = 10_000;

/**
 * Shows one replica all that fires, at once after a change and then every `resendMs`, resolved alerts for
 * `RESOLVED_SHOWN_MS`. What is shown is the last that is known: while the store is away it goes on firing. Each
 * replica has its own loop, so a dead one delays no other.
 */
export class Mirroring {
  readonly #options: MirroringOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | null = null;
  #isStale = false;
  #isStopped = false;
  #failures = 0;
  /** After a failure: changes wait until the timer. */
  #isBackingOff = false;

  constructor(options: MirroringOptions) {
    this.#options = options;
  }

  start(): void {
    this.#again(this.#options.resendMs);
  }

  /** Something changed: show it now, or right after what is being shown. */
  poke(): void {
    this.#isStale = true;
    if (this.#isStopped || this.#running || this.#isBackingOff) return;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Resolves when nothing is being shown. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    const { resendMs, random } = this.#options;
    let againInMs = resendMs;
    while (this.#isStale && !this.#isBackingOff && !this.#isStopped) {
      this.#isStale = false;
      const outcome = await this.#show();
      this.#isBackingOff = outcome.status === 'retryable';
      this.#failures = this.#isBackingOff ? this.#failures + 1 : 0;
      if (outcome.status !== 'retryable') continue;
      againInMs = Math.min(resendMs, backoffMs(this.#failures, outcome.afterMs, random));
    }
    this.#running = null;
    this.#again(againInMs);
  }

  async #show(): Promise<SendOutcome> {
    const { receiver, replica, nowMs, log, observer, sendTimeoutMs } = this.#options;
    const now = nowMs();
    const alerts = this.#options
      .alerts()
      .filter((alert) => alert.resolvedAtMs === null || now - alert.resolvedAtMs < RESOLVED_SHOWN_MS);
    if (alerts.length === 0) return { status: 'sent' };
    if (alerts.length > ALERTS_MAX)
      log.error({ receiver, alerts: alerts.length }, 'too many alerts to show them all');
    const outcome = await replica.show(alerts.slice(-ALERTS_MAX), {
      nowMs: now,
      signal: AbortSignal.timeout(sendTimeoutMs),
    });
    if (outcome.status === 'sent') observer.sent(receiver);
    else {
      observer.failed(receiver, outcome.reason);
      log.warn({ receiver, reason: outcome.reason, detail: outcome.detail }, 'alerts could not be shown');
    }
    return outcome;
  }

  #again(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#isBackingOff = false;
      this.poke();
    }, inMs);
  }
}
