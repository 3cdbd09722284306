import type { Cell } from '../../protocol/frame.ts';
import type { IdHash } from '../../sla/lines/id-hash.ts';
import type { Receiver } from '../receiver.ts';
import { HashedOutcomes } from '../spool/hashed-outcomes.ts';
import type { Fold } from './fold.ts';
import { type LineSink, PlainLines, type PlainOutcome } from './plain-lines.ts';

/** A line that is read in full when it is taken. */
export interface FullLine {
  readonly kind: 'line';
  /** undefined for one that was too long. */
  readonly text: string | undefined;
  /** From 1. */
  readonly number: number;
}

/** Many outcomes without an id. */
export interface FoldedCell {
  readonly kind: 'cell';
  readonly cell: Cell;
  readonly clockOffsetMs: number | null;
}

/** Neighbours among the portion's outcomes with ids: those in [from, to). */
export interface HashedRun {
  readonly kind: 'hashed';
  readonly from: number;
  to: number;
}

/** What was read of a stream, to be handed to the spool item by item. */
export interface Portion {
  readonly lines: number;
  readonly items: readonly (FullLine | FoldedCell | HashedRun)[];
  readonly hashed: HashedOutcomes;
}

/** Gathers what is read from a stream until it is taken: most lines as a count in a cell. */
export class StreamReader implements LineSink {
  readonly #fold: Fold;
  readonly #lines = new PlainLines(this);
  /** In the order of the lines, so that of two with one id the first counts. */
  #items: Portion['items'][number][] = [];
  #run: HashedRun | undefined;
  #hashed = new HashedOutcomes();
  readonly #spare: HashedOutcomes[] = [];
  #takenLines = 0;

  constructor(receiver: Receiver) {
    this.#fold = receiver.newFold();
  }

  /** Lines read since the last `take`. */
  get waitingLines(): number {
    return this.#lines.lines - this.#takenLines;
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lines.lines;
  }

  get isInLine(): boolean {
    return this.#lines.isInLine;
  }

  push(chunk: Uint8Array): void {
    this.#lines.push(chunk);
  }

  /** Reads the unfinished line at the end as far as it goes. */
  end(): void {
    this.#lines.end();
  }

  take(): Portion {
    const { cells, clockOffsetMs } = this.#fold.take();
    const hashed = this.#hashed;
    const items = this.#items;
    for (const cell of cells) items.push({ kind: 'cell', cell, clockOffsetMs });
    const lines = this.waitingLines;
    this.#items = [];
    this.#run = undefined;
    this.#hashed = this.#spare.pop() ?? new HashedOutcomes();
    this.#takenLines = this.#lines.lines;
    return { lines, items, hashed };
  }

  /** A portion's columns, once nobody needs them any more. */
  giveBack({ hashed }: Portion): void {
    hashed.clear();
    this.#spare.push(hashed);
  }

  plain(outcome: PlainOutcome, id: IdHash | undefined): boolean {
    if (id === undefined) return this.#fold.add(outcome, outcome.at);
    const series = this.#fold.seriesOf(outcome);
    if (series === undefined) return false;
    this.#hashed.add(series.labels, outcome, id);
    const { length } = this.#hashed;
    if (this.#run) this.#run.to = length;
    else {
      this.#run = { kind: 'hashed', from: length - 1, to: length };
      this.#items.push(this.#run);
    }
    return true;
  }

  other(text: string | undefined, number: number): void {
    if (text?.trim() === '') return;
    this.#run = undefined;
    this.#items.push({ kind: 'line', text, number });
  }
}
