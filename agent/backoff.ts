export interface BackoffSettings {
  /** Length of the first round; a daemon that says how many agents it has sets another. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** After a connection that lasted this long the first round is the short one again. */
  readonly stableMs: number;
  /** Waited at least after what will not mend by itself soon: a refused token, a fence. */
  readonly longMs: number;
}

export const BACKOFF: BackoffSettings = { baseMs: 500, maxMs: 60_000, stableMs: 60_000, longMs: 60_000 };

/** A longer wait asked for by a peer is cut here: an agent must not be sent away for a day. */
const ASKED_MAX_MS = 15 * 60_000;

/**
 * How long to wait before the next connection.
 *
 * Time after a lost connection is cut into rounds, each twice as long as the one before, and an agent tries once in
 * each, at the same place: a share of the round that is drawn when the connection is lost. A thousand agents that
 * lost their daemon in the same instant are thereby spread evenly over every round, and whenever the daemon is back
 * it meets no more of them in a second than a second is of the round. Drawing each wait anew does not do that: the
 * second tries of some fall among the first tries of others, and after an outage about as long as the round up to
 * three times as many come at once.
 */
export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #random: () => number;
  #baseMs: number;
  /** Of the round in which the last try was; 0 = no connection was lost. */
  #roundMs = 0;
  /** Place in every round, from 0 to 1. */
  #place = 0;

  /** @param random uniform in [0, 1) */
  constructor(settings: BackoffSettings, random: () => number) {
    this.#settings = settings;
    this.#random = random;
    this.#baseMs = settings.baseMs;
  }

  /**
   * The daemon says how long the first round must be for all of its agents. It is shortened only after a stable
   * connection: a daemon that has just started sees its first agents and believes that they are few.
   */
  spreadOver({ spreadMs, lastedMs }: { spreadMs: number; lastedMs: number }): void {
    const { baseMs, maxMs, stableMs } = this.#settings;
    const asked = Math.min(Math.max(spreadMs, baseMs), maxMs);
    if (asked > this.#baseMs || lastedMs >= stableMs) this.#baseMs = asked;
  }

  /** After a connection that failed or ended; `lastedMs` is 0 when there was no welcome. */
  nextMs(lastedMs: number): number {
    const { stableMs, maxMs } = this.#settings;
    // What is left of the last round. Of a connection that was lost it is nothing: its rounds begin when it is lost,
    // which is the same instant for all who lost it.
    const leftMs = lastedMs > 0 ? 0 : (1 - this.#place) * this.#roundMs;
    if (lastedMs > 0 || this.#roundMs === 0) this.#place = this.#random();
    const lastMs = lastedMs >= stableMs ? 0 : this.#roundMs;
    this.#roundMs = Math.min(Math.max(2 * lastMs, this.#baseMs), maxMs);
    return leftMs + this.#place * this.#roundMs;
  }

  /**
   * When nothing is wrong and all agents may come back in the same instant, as after a service that is new to all of
   * them: the first round. What fails then goes on from there.
   */
  firstMs(): number {
    this.#place = this.#random();
    this.#roundMs = this.#baseMs;
    return this.#place * this.#roundMs;
  }

  /** After what will not mend by itself soon. */
  longMs(): number {
    return this.#settings.longMs * (1 + this.#random() / 4);
  }

  /**
   * When the peer named a time: that, and a random part on top so that all who were told do not obey at once. It is
   * a round as well: who then finds the daemon still away is as evenly spread in the next one.
   * @param spreadMs as the peer asks; left out, as long as the first round and at least a quarter of `afterMs`
   */
  askedMs(afterMs: number, spreadMs = Math.max(this.#baseMs, afterMs / 4)): number {
    this.#place = this.#random();
    this.#roundMs = Math.min(spreadMs, ASKED_MAX_MS);
    return Math.min(afterMs, ASKED_MAX_MS) + this.#place * this.#roundMs;
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
