import type { Log } from '../log.ts';

const EVERY_MS = 60_000;
const FAULTS = 10;

/** Logs bad records or requests, at most ten a minute, and then how many there were. */
export class FaultLog {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #what: 'record' | 'request';
  #sinceMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(log: Log, nowMs: () => number, what: 'record' | 'request' = 'record') {
    this.#log = log;
    this.#what = what;
    this.#nowMs = nowMs;
  }

  report(
    fault: { readonly code: string; readonly field: string; readonly message: string },
    place: string,
  ): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sinceMs >= EVERY_MS) {
      this.close();
      this.#sinceMs = nowMs;
    }
    this.#count += 1;
    if (this.#count <= FAULTS) this.#log.warn({ place, ...fault }, `a ${this.#what} was refused`);
  }

  /** Says how many faults were not logged one by one. */
  close(): void {
    const silent = this.#count - FAULTS;
    if (silent > 0) this.#log.warn({ [`${this.#what}s`]: silent }, `more ${this.#what}s were refused`);
    this.#count = 0;
  }
}
