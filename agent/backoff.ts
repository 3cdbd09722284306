export interface BackoffSettings {
  readonly baseMs: number;
  readonly maxMs: number;
  /** A connection that lasted this long starts the count anew. */
  readonly stableMs: number;
  /** Waited at least after what will not mend by itself soon: a refused token, a fence. */
  readonly longMs: number;
}

export const BACKOFF: BackoffSettings = { baseMs: 500, maxMs: 60_000, stableMs: 60_000, longMs: 60_000 };

/** A longer wait asked for by a peer is cut here: an agent must not be sent away for a day. */
const ASKED_MAX_MS = 15 * 60_000;

/**
 * How long to wait before the next connection. Uniform in 0..min(max, base x 2^n) from the first retry on:
 * a thousand agents that lost their daemon in the same instant must not come back in the same instant.
 */
export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #random: () => number;
  #failures = 0;

  /** @param random uniform in [0, 1) */
  constructor(settings: BackoffSettings, random: () => number) {
    this.#settings = settings;
    this.#random = random;
  }

  /** After a connection that failed or ended; `lastedMs` is 0 when there was no welcome. */
  nextMs(lastedMs: number): number {
    const { baseMs, maxMs, stableMs } = this.#settings;
    if (lastedMs >= stableMs) this.#failures = 0;
    const ceilingMs = Math.min(maxMs, baseMs * 2 ** this.#failures);
    this.#failures += 1;
    return this.#random() * ceilingMs;
  }

  /** After what will not mend by itself soon. */
  longMs(): number {
    return this.#settings.longMs * (1 + this.#random() / 4);
  }

  /** When the peer named a time: that, and a random part on top so that all who were told do not obey at once. */
  askedMs(afterMs: number, spreadMs: number): number {
    return Math.min(afterMs, ASKED_MAX_MS) + this.#random() * Math.min(spreadMs, ASKED_MAX_MS);
  }
}

/**
 * Reads a Retry-After header (RFC 9110, 10.2.3): seconds or a date.
 * @returns undefined when it is neither
 */
export function readRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
