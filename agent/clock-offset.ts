/** Samples kept; the one with the lowest round trip is believed, as it was held up least. */
const SAMPLES = 8;
/** Offsets below this are the noise of ordinary clocks; correcting them would move outcomes for nothing. */
const MIN_CORRECTION_MS = 2_000;
/** A correction in use is changed only by more than this, as every change seals a batch. */
const HYSTERESIS_MS = 250;
/** The wall clock and the monotonic one may drift apart by this before it counts as a step. */
const STEP_MS = 500;

/** Instants of one exchange: sent and received by us, in between received and answered by the peer. */
export interface Exchange {
  readonly t0: number;
  readonly t1: number;
  readonly t2: number;
  readonly t3: number;
}

export interface ClockEstimate {
  /** The daemon's clock minus ours. */
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

/** Notices when the wall clock is set, by a clock that never is. The two are read in the same instant. */
export class StepWatch {
  /** Wall minus monotonic clock since the wall clock was set last. */
  #skewMs: number;

  constructor(wallMs: number, monotonicMs: number) {
    this.#skewMs = wallMs - monotonicMs;
  }

  /** @returns by how much the wall clock was set since the last step that was noticed, 0 when it was not */
  look(wallMs: number, monotonicMs: number): number {
    const stepMs = wallMs - monotonicMs - this.#skewMs;
    if (Math.abs(stepMs) <= STEP_MS) return 0;
    this.#skewMs += stepMs;
    return stepMs;
  }
}

/** Measures how far our clock is from the daemon's by four timestamps (RFC 5905, section 8). */
export class ClockOffset {
  #samples: ClockEstimate[] = [];
  readonly #watch: StepWatch;

  /** Made before the first question is asked; both clocks as of then. */
  constructor(wallMs: number, monotonicMs: number) {
    this.#watch = new StepWatch(wallMs, monotonicMs);
  }

  /** @param monotonicMs a clock that is never set, read together with `t3` */
  add({ t0, t1, t2, t3 }: Exchange, monotonicMs: number): void {
    // Our clock was set: what was measured before is about another clock, and this answer may be to a question that
    // was asked by that one.
    if (this.#watch.look(t3, monotonicMs) !== 0) {
      this.forget();
      return;
    }
    const roundTripMs = t3 - t0 - (t2 - t1);
    // The answer came before the question: a peer that cannot tell the time.
    if (roundTripMs < 0) return;
    this.#samples.push({ offsetMs: (t1 - t0 + (t2 - t3)) / 2, roundTripMs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** What was measured is about another clock. */
  forget(): void {
    this.#samples = [];
  }

  get samples(): number {
    return this.#samples.length;
  }

  /** undefined before the first sample. */
  get estimate(): ClockEstimate | undefined {
    let best = this.#samples[0];
    for (const sample of this.#samples) {
      if (best && sample.roundTripMs < best.roundTripMs) best = sample;
    }
    return best;
  }
}

/**
 * What to add to our clock, given what is added now (null = nothing is known yet).
 * @returns whole milliseconds; 0 when the clocks agree within max(2 s, 2 x round trip)
 */
export function correctionMs({ offsetMs, roundTripMs }: ClockEstimate, currentMs: number | null): number {
  if (Math.abs(offsetMs) <= Math.max(MIN_CORRECTION_MS, 2 * roundTripMs)) return 0;
  const isClose = currentMs !== null && currentMs !== 0 && Math.abs(offsetMs - currentMs) <= HYSTERESIS_MS;
  return isClose ? currentMs : Math.round(offsetMs);
}
