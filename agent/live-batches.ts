/** What was sealed longer ago than this is backlog. */
const LIVE_MS = 5_000;
/** Batches sealed within this are marked as one, so that however many there are the marks stay few. */
const MARK_MS = 100;

/**
 * Knows which batches were sealed just now. By a clock that is never set and only of this process: by the time in a
 * batch, a backlog is live once the clock was set back, and so are copies that a new identity seals.
 */
export class LiveBatches {
  /** `seq` was sealed at `atMs`, and others up to the next mark within MARK_MS of it; oldest first. */
  readonly #marks: { readonly seq: number; readonly atMs: number }[] = [];
  #lastSealed: number;

  /** @param lastSealed found sealed: backlog, as is everything before it */
  constructor(lastSealed: number) {
    this.#lastSealed = lastSealed;
  }

  /** @param lastSealed what is new up to here was sealed now */
  sealed(lastSealed: number, nowMs: number): void {
    if (lastSealed <= this.#lastSealed) return;
    this.#forget(nowMs);
    const newest = this.#marks.at(-1);
    if (newest === undefined || nowMs - newest.atMs >= MARK_MS) {
      this.#marks.push({ seq: this.#lastSealed + 1, atMs: nowMs });
    }
    this.#lastSealed = lastSealed;
  }

  /** The spool was numbered anew: all that it holds is backlog. */
  reset(lastSealed: number): void {
    this.#marks.length = 0;
    this.#lastSealed = lastSealed;
  }

  isLive(seq: number, nowMs: number): boolean {
    this.#forget(nowMs);
    const oldest = this.#marks[0];
    return oldest !== undefined && seq >= oldest.seq;
  }

  #forget(nowMs: number): void {
    while (this.#marks[0] !== undefined && nowMs - this.#marks[0].atMs >= LIVE_MS) this.#marks.shift();
  }
}
