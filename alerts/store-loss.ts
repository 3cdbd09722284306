import type { Alert } from './alert.ts';

/**
 * The daemon's own blindness: while its store does not answer it can judge nothing, and no other alert can fire.
 * That is said once after `afterMs`, past the store, and once more when the store is back.
 */
export class StoreLoss {
  readonly #afterMs: number;
  readonly #timeZone: string;
  #sinceMs: number | null = null;
  #said: Alert | null = null;

  /** @param timeZone in which its message gives times beside UTC */
  constructor(afterMs: number, timeZone = 'UTC') {
    this.#afterMs = afterMs;
    this.#timeZone = timeZone;
  }

  /** An evaluation could not be made. @returns the alert, once */
  failed(nowMs: number): Alert | null {
    this.#sinceMs ??= nowMs;
    if (this.#said !== null || nowMs - this.#sinceMs < this.#afterMs) return null;
    this.#said = this.#alert(this.#sinceMs, nowMs);
    return this.#said;
  }

  /** An evaluation was made. @returns the resolve of what had been said */
  succeeded(nowMs: number): Alert | null {
    const said = this.#said;
    this.#sinceMs = null;
    this.#said = null;
    if (said === null) return null;
    return { ...said, kind: 'resolved', resolvedAtMs: nowMs, resolvedBecause: 'cleared', decidedAtMs: nowMs };
  }

  #alert(sinceMs: number, nowMs: number): Alert {
    return {
      key: `*:-:blind:-:${Math.floor(sinceMs / 1_000)}`,
      service: '*',
      step: 'blind',
      severity: 'critical',
      kind: 'firing',
      month: '',
      line: '',
      sinceMs,
      firedAtMs: nowMs,
      resolvedAtMs: null,
      resolvedBecause: null,
      decidedAtMs: nowMs,
      reminder: 0,
      acknowledgedBy: null,
      timeZone: this.#timeZone,
      figures: null,
      entry: null,
      fall: null,
      where: null,
      blind: { cause: 'store', lastAliveAtMs: null, unseenWindows: 0, recentWindows: 0 },
      claim: null,
      picture: null,
      test: false,
    };
  }
}
