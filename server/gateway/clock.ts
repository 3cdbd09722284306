import type { Pong } from '../../protocol/frame.ts';

/** Samples after which a better one no longer counts: clocks drift and routes change. */
const SAMPLES = 8;

interface Clock {
  /** The daemon's clock minus the agent's. */
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

/**
 * Keeps the sample with the lowest round trip of about eight. (A ring of eight would be exact; it would cost
 * each of ten thousand connections more memory than all else that the daemon knows about its clock.)
 * @param pong  four timestamps: ours, the agent's two, and `nowMs` ours again
 */
export function readClock(
  best: Clock | null,
  samples: number,
  pong: Pong,
  nowMs: number,
): { readonly clock: Clock; readonly samples: number } {
  const roundTripMs = Math.max(0, nowMs - pong.t0 - (pong.t2 - pong.t1));
  const offsetMs = (pong.t0 - pong.t1 + (nowMs - pong.t2)) / 2;
  if (best === null || roundTripMs <= best.roundTripMs || samples >= SAMPLES - 1) {
    return { clock: { offsetMs, roundTripMs }, samples: 0 };
  }
  return { clock: best, samples: samples + 1 };
}
