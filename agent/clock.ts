/** The two clocks of a process, as arguments, so that a test or a simulation brings its own. */
export interface Clock {
  /** Epoch milliseconds; may be set at any time. */
  nowMs(): number;
  /** Milliseconds since some start; never set. */
  monotonicMs(): number;
}

export const systemClock: Clock = { nowMs: Date.now, monotonicMs: () => performance.now() };
