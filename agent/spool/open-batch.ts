import type { Batch, Cell } from '../../protocol/frame.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { MINUTE_MS } from '../../sla/facts.ts';
import { Tally } from '../tally.ts';
import { SPOOL_BOUNDS } from './limits.ts';

export type BatchContent = Pick<Batch, 'minute' | 'clockOffsetMs' | 'cells' | 'alive' | 'lost'>;

/** What will be the next batch: cells under one clock correction, and which minute was last marked for all. */
export class OpenBatch {
  readonly #tally = new Tally();
  #clockOffsetMs: number | null = null;
  #markedMinute = -1;

  get isEmpty(): boolean {
    return this.#tally.cells === 0;
  }

  /** It is sealed without waiting for the second to end. */
  get isFull(): boolean {
    return this.#tally.bytes >= SPOOL_BOUNDS.openBytes;
  }

  /** Whether a group can be added; if not, this batch is to be sealed first. */
  takes(group: Tally, clockOffsetMs: number | null): boolean {
    if (this.isEmpty) return true;
    return (
      clockOffsetMs === this.#clockOffsetMs &&
      this.#tally.cells + group.cells <= LIMITS.cellsPerBatch &&
      this.#tally.bytes + group.bytes <= 2 * SPOOL_BOUNDS.openBytes
    );
  }

  add(cells: readonly Cell[], clockOffsetMs: number | null): void {
    for (const cell of cells) this.#tally.add(cell);
    this.#clockOffsetMs = clockOffsetMs;
  }

  /**
   * Takes the content. The first batch of each minute says of all services that the agent is alive, the others
   * of those that they count.
   * @param clockOffsetMs for a batch without cells
   * @param watched services whose outcomes are reported here
   * @returns undefined when there is nothing to say
   */
  freeze(watched: readonly string[], clockOffsetMs: number | null, nowMs: number): BatchContent | undefined {
    const offsetMs = this.isEmpty ? clockOffsetMs : this.#clockOffsetMs;
    const minute = Math.floor((nowMs + (offsetMs ?? 0)) / MINUTE_MS);
    const isMinuteNew = minute !== this.#markedMinute;
    if (this.isEmpty && (!isMinuteNew || watched.length === 0)) return undefined;
    this.#markedMinute = minute;
    const alive = isMinuteNew ? [...watched] : this.#tally.services();
    return { minute, clockOffsetMs: offsetMs, cells: this.#tally.take(), alive, lost: {} };
  }
}
