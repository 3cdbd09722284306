import { setTimeout as sleep } from 'node:timers/promises';
import { MINUTE_MS } from '../../sla/facts.ts';
import type { Reading } from '../../sla/reading.ts';
import type { Log } from '../log.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { Months, Sighting } from './months.ts';

export const EVALUATION_BOUNDS = {
  /** A service is evaluated at most this often, however many batches arrive. */
  everyMs: 500,
  /** After a failure a service waits this long. */
  retryMs: 1_000,
  /**
   * Evaluations rest as long as they computed: with more busy services than half a core can read twice a
   * second, readings grow older instead of ingest growing slower.
   */
  restShare: 1,
  /** An asked-for evaluation that is older than this makes the daemon unready. */
  staleMs: 30_000,
} as const;

export interface EvaluatorOptions {
  readonly months: Months;
  readonly nowMs: () => number;
  readonly log: Log;
  /** Publishes and alerts. A failure is logged and the service evaluated again. */
  readonly onSighting: (sighting: Sighting) => Promise<void>;
  readonly onEvaluated: (durationMs: number) => void;
  readonly onFailed: () => void;
}

interface Latest {
  readonly minute: number;
  readonly reading: Reading | null;
}

/**
 * Keeps a current reading of every service. Whoever learns that something changed pokes; one service after the
 * other is looked at, the longest waiting first, and every one anew when the minute has changed.
 */
export class Evaluator {
  private readonly options: EvaluatorOptions;
  /** service -> when it was first poked since its last evaluation. Monotonic milliseconds. */
  private readonly dirty = new Map<string, number>();
  /** When the service that is being evaluated was poked; null between two. One that hangs is waiting, too. */
  private inHandSinceMs: number | null = null;
  private readonly notBefore = new Map<string, number>();
  private readonly latest = new Map<string, Latest>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  private completeAtMs: number | null = null;

  constructor(options: EvaluatorOptions) {
    this.options = options;
  }

  poke(services: Iterable<string>): void {
    if (this.stopping.signal.aborted) return;
    for (const service of services) {
      if (!this.dirty.has(service)) this.dirty.set(service, performance.now());
    }
    if (this.dirty.size > 0) this.running ??= this.run();
  }

  /** Pokes what has not been looked at in this minute: windows close and silence grows without any batch. */
  tick(services: Iterable<string>): void {
    const minute = Math.floor(this.options.nowMs() / MINUTE_MS);
    this.poke([...services].filter((service) => this.latest.get(service)?.minute !== minute));
    this.note();
  }

  /**
   * Every evaluation asked for before this instant of the daemon's clock is over; null until each service that
   * asked was evaluated once. A busy daemon always has something to evaluate: only what waits long makes it stale.
   */
  get completedAtMs(): number | null {
    return this.completeAtMs;
  }

  /** @returns the last reading of the month in progress; null outside the service period, undefined before the first */
  reading(service: string): Reading | null | undefined {
    return this.latest.get(service)?.reading;
  }

  /** Age of the longest-waiting evaluation, in milliseconds; 0 when none waits. */
  waitingMs(): number {
    let oldestMs = this.inHandSinceMs ?? Number.POSITIVE_INFINITY;
    for (const pokedAtMs of this.dirty.values()) oldestMs = Math.min(oldestMs, pokedAtMs);
    return Math.max(0, performance.now() - oldestMs);
  }

  /** Resolves when the evaluation in progress is over; none follows. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (this.dirty.size > 0 && !this.stopping.signal.aborted) {
        const next = this.next();
        if (next.waitMs > 0) {
          await this.rest(next.waitMs);
          continue;
        }
        const computedMs = await this.evaluate(next.service);
        this.note();
        await this.rest(computedMs * EVALUATION_BOUNDS.restShare);
      }
    } finally {
      // In the same step as the loop's last test, or a poke that comes between would wake nobody.
      this.running = null;
    }
  }

  /** The longest-waiting service that may be evaluated, or how long until there is one. */
  private next(): { readonly service: string; readonly waitMs: number } {
    const nowMs = performance.now();
    let soonest = { service: '', waitMs: Number.POSITIVE_INFINITY };
    for (const service of this.dirty.keys()) {
      const waitMs = (this.notBefore.get(service) ?? 0) - nowMs;
      if (waitMs <= 0) return { service, waitMs: 0 };
      if (waitMs < soonest.waitMs) soonest = { service, waitMs };
    }
    // A fresh poke may be due sooner than all of these.
    return { ...soonest, waitMs: Math.min(soonest.waitMs, EVALUATION_BOUNDS.everyMs / 10) };
  }

  private async evaluate(service: string): Promise<number> {
    const { months, log, onSighting, onEvaluated, onFailed } = this.options;
    const pokedAtMs = this.dirty.get(service) ?? performance.now();
    this.dirty.delete(service);
    this.inHandSinceMs = pokedAtMs;
    const startedAtMs = performance.now();
    try {
      const sighting = await months.look(service);
      const minute = Math.floor(sighting.nowMs / MINUTE_MS);
      this.latest.set(service, { minute, reading: sighting.reading });
      await onSighting(sighting);
      this.notBefore.set(service, startedAtMs + EVALUATION_BOUNDS.everyMs);
      onEvaluated(performance.now() - startedAtMs);
      return sighting.computedMs;
    } catch (error) {
      onFailed();
      // A store that is away is one event, not one for each service and second.
      const level = error instanceof StoreUnavailable ? 'debug' : 'error';
      log[level]({ service, error }, 'a service could not be evaluated; it is tried again');
      // Its age still counts from the first poke, or readiness would never learn of a lasting failure.
      this.dirty.set(service, pokedAtMs);
      this.notBefore.set(service, performance.now() + EVALUATION_BOUNDS.retryMs);
      return 0;
    } finally {
      this.inHandSinceMs = null;
    }
  }

  private note(): void {
    if (this.completeAtMs === null) {
      if (this.inHandSinceMs !== null) return;
      for (const service of this.dirty.keys()) if (!this.latest.has(service)) return;
    }
    this.completeAtMs = Math.max(this.completeAtMs ?? 0, this.options.nowMs() - this.waitingMs());
  }

  private async rest(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.stopping.signal });
    } catch {
      // Stopped: the loop sees it.
    }
  }
}
