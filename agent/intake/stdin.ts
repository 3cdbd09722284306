import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
import { LineSplitter, TOO_LONG } from './line-splitter.ts';

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
  readonly rejected: number;
  /** The stream ended inside a line; it was read as far as it went. */
  readonly endedInLine: boolean;
}

const RETRY_MS = 1_000;
/** Lines taken before they are made durable together, unless the writer pauses. */
const PORTION_LINES = 10_000;
const IDLE_MS = 20;

/**
 * Reads outcomes as NDJSON from a stream until it ends. A bad line is counted and skipped. The stream is read
 * no faster than the disk takes it, and what the disk refused is tried again, as it cannot be read twice.
 */
export async function readOutcomeStream(
  input: AsyncIterable<Buffer | string>,
  options: StreamIntakeOptions,
): Promise<StreamResult> {
  const faults = new FaultLog(options.log, () => options.clock.monotonicMs());
  const splitter = new LineSplitter();
  let lines = 0;
  let rejected = 0;
  const take = async (texts: readonly (string | undefined)[]) => {
    rejected += await takeUntilDurable(texts, lines, options, faults);
    lines += texts.length;
  };
  const iterator = input[Symbol.asyncIterator]();
  let waiting: (string | undefined)[] = [];
  let chunk = iterator.next();
  for (;;) {
    // A writer that pauses waits for nothing; one that does not is taken in portions worth an fsync.
    const got = waiting.length === 0 ? await chunk : await Promise.race([chunk, sleep(IDLE_MS)]);
    if (got && !got.done) {
      waiting.push(...splitter.push(Buffer.from(got.value)).map(({ text }) => text));
      chunk = iterator.next();
      if (waiting.length < PORTION_LINES) continue;
    }
    await take(waiting);
    waiting = [];
    if (got?.done) break;
  }
  const rest = splitter.rest();
  const endedInLine = splitter.halfBytes > 0;
  if (endedInLine) {
    options.log.warn({ line: lines + 1 }, 'the input ended inside a line; the last record may be cut off');
    await take([rest]);
  }
  faults.close();
  return { lines, rejected, endedInLine };
}

/** @returns lines refused */
async function takeUntilDurable(
  texts: readonly (string | undefined)[],
  firstLine: number,
  { receiver, spool, metrics, log, signal }: StreamIntakeOptions,
  faults: FaultLog,
): Promise<number> {
  for (;;) {
    while (spool.refusal() !== undefined) {
      // What was read and not taken is lost to a stream that cannot be read twice: its writer must know.
      if (signal.aborted) throw new Error(`stopped with ${texts.length} lines that the spool did not take`);
      await sleep(RETRY_MS / 10);
    }
    let rejected = 0;
    texts.forEach((text, index) => {
      if (text?.trim() === '') return;
      const place = `line ${firstLine + index + 1}`;
      if (text === undefined) {
        rejected += 1;
        metrics.count('outcomesRejected', 1, 'OUTCOME_NOT_JSON');
        faults.report({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG }, place);
        return;
      }
      const received = receiver.receiveLine(text, 'stdin');
      if (received.status !== 'rejected') return;
      rejected += 1;
      faults.report(received.fault, place);
    });
    try {
      await spool.commit();
      return rejected;
    } catch (error) {
      log.error({ error: (error as Error).message }, 'the spool refused a part of the input; trying again');
      if (signal.aborted) throw error;
      await sleep(RETRY_MS);
    }
  }
}
