const MINUTE_MS = 60_000;

/** A token bucket: a burst of a minute's messages, then one each time a token has grown back. */
export class Cap {
  readonly #perMinute: number;
  #tokens: number;
  #atMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.#perMinute = perMinute;
    this.#tokens = perMinute;
    this.#atMs = nowMs;
  }

  /** @returns 0 when a message may leave now (and is counted), else how long to wait */
  take(nowMs: number): number {
    const grown = (Math.max(0, nowMs - this.#atMs) * this.#perMinute) / MINUTE_MS;
    this.#tokens = Math.min(this.#perMinute, this.#tokens + grown);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * MINUTE_MS) / this.#perMinute);
    this.#tokens -= 1;
    return 0;
  }
}
