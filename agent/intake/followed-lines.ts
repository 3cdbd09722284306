import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
import { growHead, type OpenFile, positionOf, rewindTo } from './followed-file.ts';
import { LineSplitter, TOO_LONG } from './line-splitter.ts';
import { takeEach } from './take-each.ts';

/** A line, and where it ends in the content. */
export interface Line {
  readonly text: string | undefined;
  readonly end: { readonly offset: number; readonly crc: number };
}

export interface FollowedLinesOptions {
  /** Of the followed file: it names the position in the spool. */
  readonly path: string;
  readonly receiver: Receiver;
  readonly spool: Spool;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of a file whenever the durable position has become one in it. */
  onPlaced(file: OpenFile): void;
}

/** Takes the lines of a followed file and of those that were rotated away from it. */
export class FollowedLines {
  readonly #options: FollowedLinesOptions;
  readonly #faults: FaultLog;

  constructor(options: FollowedLinesOptions) {
    this.#options = options;
    this.#faults = new FaultLog(options.log, () => options.clock.monotonicMs());
  }

  /** Notes that `bytes`, which follow what was read of the file, are read; @returns the lines that they complete */
  split(file: OpenFile, bytes: Buffer): Line[] {
    growHead(file, bytes);
    const start = file.offset;
    let end = { offset: start, crc: file.crc };
    const endAt = (offset: number) => {
      const crc = crc32(bytes.subarray(end.offset - start, offset - start), end.crc);
      end = { offset, crc };
      return end;
    };
    const lines = file.splitter.push(bytes).map((line): Line => ({ text: line.text, end: endAt(line.end) }));
    Object.assign(file, endAt(start + bytes.length));
    return lines;
  }

  /**
   * Takes lines together with the position behind them.
   * @throws when the spool refused them: the file is then to be read again from the durable position
   */
  async take(file: OpenFile, lines: readonly Line[]): Promise<void> {
    if (lines.length === 0) return;
    const { path, spool } = this.#options;
    await this.#placing(file, async () => {
      for (const line of lines) {
        this.#receive(file, line);
        spool.setPosition(path, positionOf(file, line.end));
      }
      await spool.commit();
    });
    file.taken = lines.at(-1)!.end;
  }

  /**
   * Takes lines of a file that was left. Each waits for its own group, as there may be no position that tells which of
   * them are durable.
   * @param isPassed  the position names a newer file, and has to stay there
   * @throws when the spool refused some: the file is then set to go on behind those that are durable
   */
  async takeLeft(file: OpenFile, lines: readonly Line[], isPassed: boolean): Promise<void> {
    const { path, spool } = this.#options;
    await this.#placing(file, async () => {
      const take = (line: Line) => {
        const isTaken = this.#receive(file, line);
        if (isPassed) return isTaken;
        spool.setPosition(path, positionOf(file, line.end));
        return true;
      };
      const { failed, error } = await takeEach(lines, take, spool);
      // Groups fail together with those behind them.
      const kept = failed[0] ? lines.slice(0, lines.indexOf(failed[0])) : lines;
      file.taken = kept.at(-1)?.end ?? file.taken;
      if (!error) return;
      rewindTo(file, file.taken);
      throw error;
    });
  }

  /** Takes the half line at the end of a file as far as it goes. */
  async takeRest(file: OpenFile, take: (lines: readonly Line[]) => Promise<void>): Promise<void> {
    if (file.splitter.halfBytes === 0) return;
    const { log } = this.#options;
    log.warn({ file: file.path }, 'the rotated file ends inside a line; its last record may be cut off');
    const { offset, crc } = file;
    await take([{ text: file.splitter.rest(), end: { offset, crc } }]);
    file.splitter = new LineSplitter(offset);
  }

  /** Says what was not logged of bad lines. */
  close(): void {
    this.#faults.close();
  }

  /** Also when the spool took a part of the lines only. */
  async #placing(file: OpenFile, take: () => Promise<void>): Promise<void> {
    const { path, spool, onPlaced } = this.#options;
    const before = spool.position(path);
    try {
      await take();
    } finally {
      if (spool.position(path) !== before) onPlaced(file);
    }
  }

  /** @returns whether it is on its way to the disk */
  #receive(file: OpenFile, { text, end }: Line): boolean {
    const { receiver, metrics } = this.#options;
    if (text?.trim() === '') return false;
    const place = `${file.path} up to byte ${end.offset}`;
    if (text === undefined) {
      metrics.count('outcomesRejected', 1, 'OUTCOME_NOT_JSON');
      this.#faults.report({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG }, place);
      return false;
    }
    const received = receiver.receiveLine(text, 'file');
    if (received.status !== 'rejected') return true;
    this.#faults.report(received.fault, place);
    return false;
  }
}

/** Whether a half line is a record to which nothing but its line feed can be missing: no JSON goes on behind an object. */
export function isWhole(half: string | undefined): boolean {
  if (half === undefined || !half.trimEnd().endsWith('}')) return false;
  try {
    return typeof JSON.parse(half) === 'object';
  } catch {
    return false;
  }
}
