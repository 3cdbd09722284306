import type { Clock } from '../clock.ts';

export interface Pace {
  readonly fromMs: number;
  /** Simulated milliseconds in a real one; Infinity = as fast as it can. */
  readonly speed: number;
}

/**
 * Time that runs `speed` times as fast as the real one, until it has caught up with it.
 * `nowMs` is how far the simulation has come, not how far it should be.
 */
export class SimulatedClock implements Clock {
  readonly #real: Clock;
  readonly #pace: Pace;
  readonly #startedAtMs: number;
  #nowMs: number;

  constructor(real: Clock, pace: Pace) {
    this.#real = real;
    this.#pace = pace;
    this.#startedAtMs = real.monotonicMs();
    this.#nowMs = pace.fromMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#real.monotonicMs();
  }

  /** Where the simulation may go now: never ahead of the real clock, unless it began there. */
  dueMs(): number {
    const { fromMs, speed } = this.#pace;
    const passedMs = this.#real.monotonicMs() - this.#startedAtMs;
    const dueMs = speed === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : fromMs + passedMs * speed;
    const realMs = this.#real.nowMs();
    return fromMs > realMs ? dueMs : Math.min(dueMs, realMs);
  }

  advanceTo(ms: number): void {
    this.#nowMs = ms;
  }
}
