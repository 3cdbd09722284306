import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import type { Spool } from '../spool/spool.ts';
import { FaultLog } from './fault-log.ts';
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
const HEAD_BYTES = 256;
/** A writer may go on in a file that was renamed until it is told; after so long without a byte it has moved on. */
const ROTATED_QUIET_MS = 2_000;
const RETRY_MS = 1_000;
/** Files of the folder among which the rotated one is looked for. */
const SIBLINGS_MAX = 1_000;

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

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** First bytes of the file, at most HEAD_BYTES. */
  head: Buffer;
  offset: number;
  splitter: LineSplitter;
  grewAtMs: number;
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
    const next = await this.#next(file);
    await this.close();
    this.#file = await openFile(next, clock);
    return false;
  }

  /** The oldest rotated file that was written after this one, if the agent missed a rotation; else the current. */
  async #next(file: OpenFile): Promise<string> {
    const { path } = this.#options;
    const { mtimeMs } = await file.handle.stat();
    const rotated = (await siblingsOf(path)).filter(
      (one) =>
        ROTATED_SUFFIX.test(one.name.slice(basename(path).length)) && one.name.startsWith(basename(path)),
    );
    const later = rotated.filter((one) => one.mtimeMs > mtimeMs && one.inode !== file.inode);
    later.sort((a, b) => a.mtimeMs - b.mtimeMs);
    return later[0]?.path ?? path;
  }

  async #take(file: OpenFile, bytes: Buffer): Promise<void> {
    if (file.head.length < HEAD_BYTES) {
      file.head = Buffer.concat([file.head, bytes]).subarray(0, HEAD_BYTES);
    }
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

/** What log rotation puts after a name: .1, -20261123, .2026-11-23T02:00. Compressed files are not read. */
const ROTATED_SUFFIX = /^[.-]\d[\d.:T-]*$/;

/** The other files of a file's folder. */
async function siblingsOf(path: string) {
  const names = (await readdir(dirname(path)).catch(() => [])).slice(0, SIBLINGS_MAX);
  const found: { name: string; path: string; inode: number; mtimeMs: number }[] = [];
  for (const name of names) {
    if (name === basename(path)) continue;
    const sibling = join(dirname(path), name);
    const info = await stat(sibling).catch(() => undefined);
    if (info?.isFile()) found.push({ name, path: sibling, inode: info.ino, mtimeMs: info.mtimeMs });
  }
  return found;
}

async function openFile(path: string, clock: Clock): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const { ino } = await handle.stat();
  const grewAtMs = clock.monotonicMs();
  return { handle, inode: ino, head: Buffer.alloc(0), offset: 0, splitter: new LineSplitter(), grewAtMs };
}

async function seekTo(file: OpenFile, offset: number): Promise<OpenFile> {
  file.offset = offset;
  file.splitter = new LineSplitter(offset);
  file.head = await readHead(file.handle, Math.min(offset, HEAD_BYTES));
  return file;
}

async function isSame(file: OpenFile, saved: FilePosition): Promise<boolean> {
  if (file.inode !== saved.inode) return false;
  const { size } = await file.handle.stat();
  if (size < saved.offset) return false;
  const head = await readHead(file.handle, saved.headBytes);
  return head.length === saved.headBytes && crc32(head) === saved.headCrc;
}

async function wasCut(file: OpenFile): Promise<boolean> {
  const { size } = await file.handle.stat();
  if (size < file.offset) return true;
  return !(await readHead(file.handle, file.head.length)).equals(file.head);
}

async function readHead(handle: FileHandle, bytes: number): Promise<Buffer> {
  const head = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(head, 0, bytes, 0);
  return head.subarray(0, bytesRead);
}

function positionOf(file: OpenFile, offset: number): FilePosition {
  const head = file.head.subarray(0, Math.min(offset, HEAD_BYTES));
  return { inode: file.inode, offset, headBytes: head.length, headCrc: crc32(head) };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
