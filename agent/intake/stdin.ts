import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Received, Receiver } from '../receiver.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
import { TOO_LONG } from './line-splitter.ts';
import { type FullLine, type Portion, StreamReader } from './stream-reader.ts';
import { takeEach } from './take-each.ts';

export interface StreamIntakeOptions {
  readonly receiver: Receiver;
  readonly spool: Spool;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted to give up on a spool that takes nothing. */
  readonly signal: AbortSignal;
}

export interface StreamResult {
  readonly lines: number;
  /** Of the lines. */
  readonly rejected: number;
  /** The stream ended inside a line; it was read as far as it went. */
  readonly endedInLine: boolean;
}

/** The stream was not read to its end: it broke off, or was given up. */
export class InputCutError extends Error {
  override readonly name = 'InputCutError';
  readonly code = 'INPUT_CUT';
  /** The stream's first lines that are on disk or were refused: whoever repeats the rest begins behind them. */
  readonly linesTaken: number;

  constructor(linesTaken: number, cause: Error) {
    super(cause.message, { cause });
    this.linesTaken = linesTaken;
  }
}

const RETRY_MS = 1_000;
/** Lines taken before they are made durable together, unless the writer pauses. */
const PORTION_LINES = 25_000;
/** Portions on their way to the disk while the next is read. */
const PORTIONS_MAX = 3;
const IDLE_MS = 20;

/**
 * Reads outcomes as NDJSON from a stream until it ends. A bad line is counted and skipped. The stream is read
 * no faster than the disk takes it, a few portions ahead, and what the disk refused is tried again, as it
 * cannot be read twice.
 * @throws InputCutError when it does not come to the end; whole lines that were read before are taken all the same
 */
export async function readOutcomeStream(
  input: AsyncIterable<Buffer | string>,
  options: StreamIntakeOptions,
): Promise<StreamResult> {
  const faults = new FaultLog(options.log, () => options.clock.monotonicMs());
  const reader = new StreamReader(options.receiver, () => options.clock.nowMs());
  let rejected = 0;
  let linesTaken = 0;
  const underWay: Promise<number>[] = [];
  /** Lines read and not on disk: those that a stream, which cannot be read twice, loses when it is given up. */
  let linesUnderWay = 0;
  const oneKept = async () => {
    const first = underWay[0];
    // In the order of the stream, so that no line before the last one counted is missing.
    linesTaken += (await first) ?? 0;
    underWay.shift();
  };
  /** Lets what was read go to the disk, once there is room for it. */
  const keep = async () => {
    if (reader.waitingLines === 0) return;
    if (underWay.length >= PORTIONS_MAX) await oneKept();
    const portion = reader.take();
    linesUnderWay += portion.lines;
    const kept = takeUntilDurable(portion, options, faults).then((n) => {
      if (n === undefined) {
        const lost = linesUnderWay + reader.waitingLines;
        throw new Error(`stopped with up to ${lost} lines that the spool did not take`);
      }
      linesUnderWay -= portion.lines;
      rejected += n;
      reader.giveBack(portion);
      return portion.lines;
    });
    // It may fail while a chunk is awaited; whoever awaits it next sees that.
    kept.catch(() => {});
    underWay.push(kept);
  };
  const allKept = async () => {
    while (underWay.length > 0) await oneKept();
  };
  const iterator = input[Symbol.asyncIterator]();
  const next = () => {
    const chunk = iterator.next();
    // It may fail while nobody looks at it, during a commit; whoever awaits it next sees that.
    chunk.catch(() => {});
    return chunk;
  };
  let chunk = next();
  try {
    for (;;) {
      // A writer that pauses waits for nothing; one that does not is taken in portions worth an fsync.
      const got = reader.waitingLines === 0 ? await chunk : await orIdle(chunk);
      if (got && !got.done) {
        reader.push(typeof got.value === 'string' ? Buffer.from(got.value) : got.value);
        chunk = next();
        if (reader.waitingLines < PORTION_LINES) continue;
      }
      if (got?.done) break;
      await keep();
    }
  } catch (error) {
    // The stream broke off: the lines that came whole are taken all the same.
    const isInLine = reader.isInLine;
    let why = error as Error;
    try {
      await keep();
      await allKept();
      if (isInLine)
        options.log.warn({ line: reader.lines + 1 }, 'the half line before the break is left out');
    } catch (givenUp) {
      // It says how many lines are lost, which matters more than what ended the stream.
      why = givenUp as Error;
    }
    faults.close();
    throw new InputCutError(linesTaken, why);
  }
  const endedInLine = reader.isInLine;
  if (endedInLine) {
    const line = reader.lines + 1;
    options.log.warn({ line }, 'the input ended inside a line; the last record may be cut off');
    reader.end();
  }
  try {
    await keep();
    await allKept();
  } catch (givenUp) {
    throw new InputCutError(linesTaken, givenUp as Error);
  } finally {
    faults.close();
  }
  return { lines: reader.lines, rejected, endedInLine };
}

/** @returns undefined when nothing came for a while */
async function orIdle<T>(chunk: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), IDLE_MS);
  });
  try {
    return await Promise.race([chunk, idle]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns lines refused; undefined when it was given up before the spool took all of it */
async function takeUntilDurable(
  { items, hashed }: Portion,
  { receiver, spool, log, signal }: StreamIntakeOptions,
  faults: FaultLog,
): Promise<number | undefined> {
  let rejected = 0;
  const receiveLine = ({ text }: FullLine): Received => {
    if (text !== undefined) return receiver.receiveLine(text, 'stdin');
    return receiver.refuse({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG });
  };
  /** @returns whether it is on its way to the disk */
  const receive = (item: Portion['items'][number]): boolean => {
    if (item.kind === 'hashed') {
      receiver.receiveHashed(hashed, item, 'stdin', (fault) => {
        rejected += 1;
        faults.report(fault, 'a line of the input');
      });
      return true;
    }
    const isLine = item.kind === 'line';
    const received = isLine
      ? receiveLine(item)
      : receiver.receiveCell(item.cell, item.clockOffsetMs, 'stdin');
    if (received.status !== 'rejected') return true;
    rejected += 1;
    faults.report(received.fault, isLine ? `line ${item.number}` : 'a line of the input');
    return false;
  };
  let left = items;
  for (;;) {
    while (spool.refusal() !== undefined) {
      if (signal.aborted) return undefined;
      await sleep(RETRY_MS / 10);
    }
    const { failed, error } = await takeEach(left, receive, spool);
    if (!error) return rejected;
    log.error({ error: error.message }, 'the spool refused a part of the input; trying again');
    if (signal.aborted) return undefined;
    await sleep(RETRY_MS);
    left = failed;
  }
}
