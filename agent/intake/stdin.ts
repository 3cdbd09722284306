import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
import { LineSplitter, TOO_LONG } from './line-splitter.ts';
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
  const next = () => {
    const chunk = iterator.next();
    // It may fail while nobody looks at it, during a commit; whoever awaits it next sees that.
    chunk.catch(() => {});
    return chunk;
  };
  let waiting: (string | undefined)[] = [];
  let chunk = next();
  try {
    for (;;) {
      // A writer that pauses waits for nothing; one that does not is taken in portions worth an fsync.
      const got = waiting.length === 0 ? await chunk : await Promise.race([chunk, sleep(IDLE_MS)]);
      if (got && !got.done) {
        for (const { text } of splitter.push(Buffer.from(got.value))) waiting.push(text);
        chunk = next();
        if (waiting.length < PORTION_LINES) continue;
      }
      const portion = waiting;
      waiting = [];
      await take(portion);
      if (got?.done) break;
    }
  } catch (error) {
    // The stream broke off: the lines that came whole are taken all the same.
    if (waiting.length > 0) await take(waiting);
    if (splitter.halfBytes > 0)
      options.log.warn({ line: lines + 1 }, 'the half line before the break is left out');
    faults.close();
    throw error;
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
  let rejected = 0;
  /** @returns whether the line is on its way to the disk */
  const receive = (index: number): boolean => {
    const text = texts[index];
    if (text?.trim() === '') return false;
    const place = `line ${firstLine + index + 1}`;
    if (text === undefined) {
      rejected += 1;
      metrics.count('outcomesRejected', 1, 'OUTCOME_NOT_JSON');
      faults.report({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG }, place);
      return false;
    }
    const received = receiver.receiveLine(text, 'stdin');
    if (received.status !== 'rejected') return true;
    rejected += 1;
    faults.report(received.fault, place);
    return false;
  };
  let left: readonly number[] = [...texts.keys()];
  for (;;) {
    while (spool.refusal() !== undefined) {
      // What was read and not taken is lost to a stream that cannot be read twice: its writer must know.
      if (signal.aborted) throw new Error(`stopped with ${left.length} lines that the spool did not take`);
      await sleep(RETRY_MS / 10);
    }
    const { failed, error } = await takeEach(left, receive, spool);
    if (!error) return rejected;
    log.error({ error: error.message }, 'the spool refused a part of the input; trying again');
    if (signal.aborted) throw error;
    await sleep(RETRY_MS);
    left = failed;
  }
}
