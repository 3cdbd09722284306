/** Samples kept; the one with the lowest round trip is believed, as it was held up least. */
const SAMPLES = 8;
/** Offsets below this are the noise of ordinary clocks; correcting them would move outcomes for nothing. */
const MIN_CORRECTION_MS = 2_000;
/** A correction in use is changed only by more than this, as every change seals a batch. */
const HYSTERESIS_MS = 250;
/** The wall clock and the monotonic one may drift apart by this between two samples before it counts as a step. */
export const STEP_MS = 500;

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

/** Measures how far our clock is from the daemon's by four timestamps (RFC 5905, section 8). */
export class ClockOffset {
  #samples: ClockEstimate[] = [];
  #lastWallMs = 0;
  #lastMonotonicMs = 0;

  /** @param monotonicMs a clock that is never set, read together with `t3` */
  add({ t0, t1, t2, t3 }: Exchange, monotonicMs: number): void {
    // Our clock was set since the last sample: what was measured before is about another clock.
    const drift = t3 - this.#lastWallMs - (monotonicMs - this.#lastMonotonicMs);
    if (Math.abs(drift) > STEP_MS) this.#samples = [];
    this.#lastWallMs = t3;
    this.#lastMonotonicMs = monotonicMs;
    const roundTripMs = t3 - t0 - (t2 - t1);
    // Set between question and answer: the sample mixes two clocks.
    if (roundTripMs < 0) return;
    this.#samples.push({ offsetMs: (t1 - t0 + (t2 - t3)) / 2, roundTripMs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
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
