/** One mark for ten seconds, dated at their end: nothing is dropped too early for it. */
const MARK_MS = 10_000;

/** When batches were acknowledged, as exactly as keeping them for a while afterwards needs it. */
export class AckMarks {
  #marks: { seq: number; atMs: number }[] = [];

  /** @param seq everything up to it; lower than before when the daemon's store went back in time */
  add(seq: number, nowMs: number): void {
    this.#marks = this.#marks.filter((mark) => mark.seq < seq);
    const atMs = (Math.floor(nowMs / MARK_MS) + 1) * MARK_MS;
    const last = this.#marks.at(-1);
    if (last?.atMs === atMs) last.seq = seq;
    else this.#marks.push({ seq, atMs });
  }

  /** Highest seq that was acknowledged before an instant; older marks are forgotten. */
  before(ms: number): number {
    while (this.#marks.length > 1 && this.#marks[1]!.atMs < ms) this.#marks.shift();
    const [oldest] = this.#marks;
    return oldest && oldest.atMs < ms ? oldest.seq : 0;
  }
}
