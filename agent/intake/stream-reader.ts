import type { Cell } from '../../protocol/frame.ts';
import { IdHash } from '../../sla/lines/id-hash.ts';
import { isOutcomeId } from '../../sla/outcome.ts';
import type { OutcomeLabels } from '../labels.ts';
import type { Receiver } from '../receiver.ts';
import { HashedOutcomes, type HashedRange } from '../spool/hashed-outcomes.ts';
import type { Fold, ReportedFields } from './fold.ts';
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

/** Neighbours among the portion's outcomes with ids. */
export interface HashedRun extends HashedRange {
  readonly kind: 'hashed';
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
  readonly #nowMs: () => number;
  readonly #idHash = new IdHash();
  readonly #lines = new PlainLines(this);
  /** In the order of the lines, so that of two with one id the first counts. */
  #items: Portion['items'][number][] = [];
  #run: HashedRun | undefined;
  #hashed = new HashedOutcomes();
  readonly #spare: HashedOutcomes[] = [];
  #takenLines = 0;

  /** @param nowMs  for outcomes without a time */
  constructor(receiver: Receiver, nowMs: () => number) {
    this.#fold = receiver.newFold();
    this.#nowMs = nowMs;
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
    const at = outcome.at ?? this.#nowMs();
    if (id === undefined) return this.#fold.add(outcome, at);
    const series = this.#fold.seriesOf(outcome);
    if (series === undefined) return false;
    this.#addHashed(series.labels, { at, count: outcome.count }, id);
    return true;
  }

  other(text: string | undefined, number: number): void {
    if (text?.trim() === '' || (text !== undefined && this.#isRead(text))) return;
    this.#run = undefined;
    this.#items.push({ kind: 'line', text, number });
  }

  /** Reads a line that only JSON.parse can; what has a fault is read once more where it is refused. */
  #isRead(text: string): boolean {
    const record = objectOf(text);
    if (record === undefined) return false;
    const { id } = record;
    if (id === undefined || id === null) return this.#fold.add(record, this.#nowMs());
    const read = isOutcomeId(id) ? this.#fold.read(record, this.#nowMs()) : undefined;
    if (read === undefined) return false;
    this.#idHash.ofText(id as string);
    this.#addHashed(read.labels, read, this.#idHash);
    return true;
  }

  #addHashed(labels: OutcomeLabels, measures: { at: number; count: number }, id: IdHash): void {
    this.#hashed.add(labels, measures, id);
    const { length } = this.#hashed;
    if (this.#run) this.#run.to = length;
    else {
      this.#run = { kind: 'hashed', from: length - 1, to: length };
      this.#items.push(this.#run);
    }
  }
}

function objectOf(text: string): ReportedFields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
