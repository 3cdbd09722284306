import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
import {
  growHead,
  isSame,
  type OpenFile,
  openFile,
  positionOf,
  rotatedAfter,
  seekTo,
  siblingsOf,
  wasCut,
} from './followed-file.ts';
import { LineSplitter, type SplitLine, TOO_LONG } from './line-splitter.ts';

export interface FollowOptions {
  /** Absolute: it names the position in the spool. */
  readonly path: string;
  readonly receiver: Receiver;
  readonly spool: Spool;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly pollMs?: number;
}

export interface Follower {
  stop(): Promise<void>;
}

const POLL_MS = 250;
const CHUNK_BYTES = 256 * 1024;
/** A writer may go on in a file that was renamed until it is told; after so long without a byte it has moved on. */
const ROTATED_QUIET_MS = 2_000;
const RETRY_MS = 1_000;

/**
 * Reads outcomes as NDJSON from a file as it grows, from its beginning at the first start.
 *
 * The position is journalled in the same record as the outcomes read up to it, so that a crash neither skips
 * nor repeats a line. A file is known by its inode and its first bytes. Rotation by renaming is followed, also
 * while the agent was down, as long as the old file is in the same folder; a file that was cut is read from the
 * start. What is cut and has grown beyond the old position within one poll, beginning alike, is not noticed.
 */
export function followFile(options: FollowOptions): Follower {
  const reader = new FileReader(options);
  const stopped = new AbortController();
  const running = (async () => {
    while (!stopped.signal.aborted) {
      let isIdle = true;
      try {
        isIdle = await reader.step();
      } catch (error) {
        options.log.error(
          { file: options.path, error: (error as Error).message },
          'the file cannot be followed',
        );
        await reader.close();
        await pause(RETRY_MS, stopped.signal);
      }
      if (isIdle) await pause(options.pollMs ?? POLL_MS, stopped.signal);
    }
    await reader.close();
  })();
  return {
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

class FileReader {
  readonly #options: FollowOptions;
  readonly #faults: FaultLog;
  #file: OpenFile | undefined;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#faults = new FaultLog(options.log, () => options.clock.monotonicMs());
  }

  /** Reads what there is; @returns true when there was nothing */
  async step(): Promise<boolean> {
    this.#file ??= await this.#resume();
    const file = this.#file;
    if (!file) return true;
    if (this.#options.spool.refusal() !== undefined) return true;
    if (await wasCut(file)) {
      this.#options.log.warn({ file: this.#options.path }, 'the file was cut; reading it from its beginning');
      file.head = Buffer.alloc(0);
      this.#seek(file, 0);
    }
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await file.handle.read(chunk, 0, chunk.length, file.offset);
    if (bytesRead > 0) {
      file.grewAtMs = this.#options.clock.monotonicMs();
      await this.#take(file, chunk.subarray(0, bytesRead));
      return false;
    }
    return this.#turnOver(file);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#faults.close();
    await file?.handle.close();
  }

  /** Opens the file where the last reader stopped; first the rotated one, if that was not read to its end. */
  async #resume(): Promise<OpenFile | undefined> {
    const { path, spool, log } = this.#options;
    const saved = spool.position(path);
    const current = await openFile(path, this.#options.clock);
    if (!saved) return current;
    if (current && (await isSame(current, saved))) return seekTo(current, saved.offset);
    const rotated = await this.#findRotated(saved);
    if (!rotated) {
      if (current) log.warn({ file: path }, 'the file that was followed is gone; reading the new one');
      return current;
    }
    await current?.handle.close();
    return seekTo(rotated, saved.offset);
  }

  async #findRotated(saved: FilePosition): Promise<OpenFile | undefined> {
    const { path, clock } = this.#options;
    for (const { path: sibling, inode } of await siblingsOf(path)) {
      if (inode !== saved.inode) continue;
      const file = await openFile(sibling, clock);
      if (file && (await isSame(file, saved))) return file;
      await file?.handle.close();
    }
    return undefined;
  }

  /** At the end of the file: goes on to the new one once this one was renamed and rests. */
  async #turnOver(file: OpenFile): Promise<boolean> {
    const { path, clock, log } = this.#options;
    const info = await stat(path).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (!info || info.ino === file.inode) return true;
    if (clock.monotonicMs() - file.grewAtMs < ROTATED_QUIET_MS) return true;
    const rest = file.splitter.rest();
    if (file.splitter.halfBytes > 0) {
      log.warn({ file: path }, 'the rotated file ends inside a line; its last record may be cut off');
      if (!(await this.#takeLines(file, [{ text: rest, end: file.offset }]))) return false;
    }
    // The next file's position takes the place of this one's with its first line.
    const next = (await rotatedAfter(path, file)) ?? path;
    await this.close();
    this.#file = await openFile(next, clock);
    return false;
  }

  async #take(file: OpenFile, bytes: Buffer): Promise<void> {
    growHead(file, bytes);
    file.offset += bytes.length;
    await this.#takeLines(file, file.splitter.push(bytes));
  }

  /** @returns false when the spool refused them; the file is then read again from the last durable line */
  async #takeLines(file: OpenFile, lines: readonly SplitLine[]): Promise<boolean> {
    const { path, spool, log } = this.#options;
    for (const { text, end } of lines) {
      this.#takeLine(text, end);
      spool.setPosition(path, positionOf(file, end));
    }
    if (lines.length === 0) return true;
    try {
      await spool.commit();
      return true;
    } catch (error) {
      log.error(
        { file: path, error: (error as Error).message },
        'the spool refused lines; reading them again',
      );
      await sleep(RETRY_MS);
      const saved = spool.position(path);
      this.#seek(file, saved?.inode === file.inode ? saved.offset : 0);
      return false;
    }
  }

  #takeLine(text: string | undefined, end: number): void {
    const { path, receiver, metrics } = this.#options;
    if (text?.trim() === '') return;
    const place = `${path} up to byte ${end}`;
    if (text === undefined) {
      metrics.count('outcomesRejected', 1, 'OUTCOME_NOT_JSON');
      this.#faults.report({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG }, place);
      return;
    }
    const received = receiver.receiveLine(text, 'file');
    if (received.status === 'rejected') this.#faults.report(received.fault, place);
  }

  #seek(file: OpenFile, offset: number): void {
    file.offset = offset;
    file.splitter = new LineSplitter(offset);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
