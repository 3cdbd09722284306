import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import type { Spool } from '../spool/spool.ts';
import type { Damage } from './content.ts';
import { FaultLog } from './fault-log.ts';
import { FollowLog } from './follow-log.ts';
import {
  CHUNK_BYTES,
  closeFile,
  growHead,
  isSameInode,
  type OpenFile,
  openFile,
  positionOf,
  recognise,
  unfollowable,
  unreadBytes,
  wasCut,
} from './followed-file.ts';
import { TOO_LONG } from './line-splitter.ts';
import { PackedCheck } from './packed-check.ts';
import {
  findInFolder,
  locate,
  openPredecessor,
  type Predecessor,
  type Sibling,
  type Whereabouts,
} from './predecessors.ts';

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
  readonly isOpen: boolean;
  /** Of the followed file and those rotated away that come before it, as far as they were seen; see `unreadBytes`. */
  readonly unreadBytes: number;
  stop(): Promise<void>;
}

const POLL_MS = 250;
/** A writer may go on in a file that was renamed until it is told; after so long without a byte it has moved on. */
const ROTATED_QUIET_MS = 2_000;
const RETRY_MS = 1_000;

/** Skipped files that are remembered, to be reported once. */
const SKIPPED_MAX = 1_000;

/**
 * Reads outcomes as NDJSON from a file as it grows, from its beginning at the first start.
 *
 * The position is journalled in the same record as the outcomes read up to it, so that a crash neither skips
 * nor repeats a line. It says what was read by its content: rotation by renaming, by copying and cutting, and
 * compression with gzip are followed, also several times over and while the agent was down, as long as the old
 * files are in the same folder; so is a copy that takes the place of the file (see `locate`). What is cut and has
 * grown beyond the old position within one poll, beginning alike, is not noticed.
 */
export function followFile(options: FollowOptions): Follower {
  const stopped = new AbortController();
  const told = new FollowLog(options.path, options.log);
  const reader = new FileReader(options, told, stopped.signal);
  const running = (async () => {
    while (!stopped.signal.aborted) {
      let isIdle = true;
      try {
        isIdle = await reader.step();
      } catch (error) {
        await reader.close();
        told.failed(error as Error);
        await pause(RETRY_MS, stopped.signal);
      }
      if (isIdle) await pause(options.pollMs ?? POLL_MS, stopped.signal);
    }
    await reader.close();
  })();
  return {
    get isOpen() {
      return reader.isOpen;
    },
    get unreadBytes() {
      return reader.unreadBytes;
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

/** A line, and where it ends in the content. */
interface Line {
  readonly text: string | undefined;
  readonly end: { readonly offset: number; readonly crc: number };
}

/** What is to be read after a file. */
type Following =
  | { readonly kind: 'files'; readonly later: readonly Predecessor[] }
  | { readonly kind: 'copy'; readonly file: OpenFile }
  /** To be seen once a file is whole. */
  | { readonly kind: 'unsure' };

class FileReader {
  readonly #options: FollowOptions;
  readonly #told: FollowLog;
  readonly #signal: AbortSignal;
  readonly #faults: FaultLog;
  #file: OpenFile | undefined;
  /** Of a compressed file. */
  #check: PackedCheck | undefined;
  /** The compressed file cannot be read up to the position: it is waited for, else skipped. */
  #isDamagedBefore = false;
  /** It may still be being written. */
  #isWaiting = false;
  /** Nothing was found of what was read, nor a file to go on with. */
  #isSearched = false;
  readonly #skipped = new Set<string>();
  /** Bytes of the files between the open one and the followed one, and of that, if it is not the open one. */
  #betweenBytes = 0;
  #liveBytes = 0;

  constructor(options: FollowOptions, told: FollowLog, signal: AbortSignal) {
    this.#options = options;
    this.#told = told;
    this.#signal = signal;
    this.#faults = new FaultLog(options.log, () => options.clock.monotonicMs());
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  get unreadBytes(): number {
    return this.#file ? unreadBytes(this.#file) + this.#betweenBytes + this.#liveBytes : 0;
  }

  /** Reads what there is; @returns true when there was nothing */
  async step(): Promise<boolean> {
    if (!this.#file) await this.#openAt(await this.#resume());
    const file = this.#file;
    // A search that was broken off has found nothing.
    if (!file || this.#signal.aborted) return true;
    const { spool, log } = this.#options;
    if (await wasCut(file)) {
      log.info({ file: file.path }, 'the file was cut; looking for a copy of it');
      await this.close();
      return false;
    }
    if (spool.refusal() !== undefined) {
      await this.#lookAtLive(file);
      return true;
    }
    const verdict = (await this.#check?.judge(this.#signal)) ?? 'whole';
    if (verdict === 'wait') {
      if (!this.#isWaiting)
        log.info({ file: file.path }, 'a compressed file ends early; waiting for the rest');
      this.#isWaiting = true;
      return true;
    }
    if (verdict === 'broken' || this.#isDamagedBefore) return this.#skip(file, verdict);
    const bytes = await file.content.read(file.offset, CHUNK_BYTES);
    if (typeof bytes === 'string') return this.#skip(file, bytes);
    if (bytes.length === 0) return this.#turnOver(file);
    file.grewAtMs = this.#options.clock.monotonicMs();
    await this.#take(file, bytes);
    return false;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#open(undefined);
    this.#faults.close();
    if (file) await closeFile(file);
  }

  async #openAt(file: OpenFile | undefined): Promise<void> {
    this.#open(file);
    if (!file) return;
    if (file.path !== this.#options.path) await this.#lookAtLive(file);
    this.#told.opened(file.path);
  }

  #open(file: OpenFile | undefined): void {
    this.#file = file;
    this.#liveBytes = 0;
    this.#check = file?.isCompressed ? new PackedCheck(file, this.#options.clock) : undefined;
    this.#isWaiting = false;
    if (!file) this.#isDamagedBefore = false;
  }

  /** Opens the file where the last reader stopped; first the rotated ones, if they were not read to their end. */
  async #resume(): Promise<OpenFile | undefined> {
    const { path, spool, log, clock } = this.#options;
    const saved = spool.position(path);
    this.#betweenBytes = 0;
    const current = await openFile(path, clock);
    this.#told.looked({ isThere: current !== undefined });
    if (!saved) return current;
    if (current && (await this.#isWhereLeft(current, saved))) return current;
    if (!current && this.#isSearched) return undefined;
    const live = current?.inode;
    const found = await this.#locate(saved, true);
    if (this.#signal.aborted) {
      if ('file' in found) await closeFile(found.file);
      return undefined;
    }
    let file: OpenFile | undefined;
    switch (found.kind) {
      case 'found':
        this.#told.goingOn(found.file);
        this.#betweenBytes = sumOfBytes(found.later);
        file = found.file;
        break;
      case 'replaced':
        log.info({ file: path, offset: saved.offset }, REPLACED);
        file = found.file;
        break;
      case 'damaged':
        this.#isDamagedBefore = true;
        file = await openPredecessor(found.predecessor, clock);
        break;
      case 'gone':
        file = await this.#openNext(found.later, live);
        if (current && isSameInode(current, saved))
          log.info({ file: path }, 'the file was emptied; reading it from its beginning');
        else log.warn({ file: path }, 'the file that was followed is gone; reading what came after it');
    }
    this.#isSearched = !file;
    return file;
  }

  async #isWhereLeft(current: OpenFile, saved: FilePosition): Promise<boolean> {
    if (isSameInode(current, saved)) return (await recognise(current, saved, this.#signal)) === 'same';
    await closeFile(current);
    return false;
  }

  #locate(position: FilePosition, mayBeReplaced: boolean): Promise<Whereabouts> {
    const isSkipped = (one: Predecessor) => this.#skipped.has(keyOf(one));
    return locate(this.#options.path, position, {
      clock: this.#options.clock,
      signal: this.#signal,
      mayBeReplaced,
      isSkipped,
    });
  }

  /**
   * Opens the oldest that can be read, at last the followed file.
   * @param live  inode of the followed file before `later` was listed: another one now means that there is one more
   * @returns undefined when it is not there just now, or everything moved on: then it is to be searched again
   */
  async #openNext(later: readonly Predecessor[], live: number | undefined): Promise<OpenFile | undefined> {
    const { path, clock } = this.#options;
    for (const [i, one] of later.entries()) {
      this.#betweenBytes = sumOfBytes(later.slice(i + 1));
      if (one.format === 'unsupported') this.#reportSkipped(one, 'compression');
      else if (!this.#skipped.has(keyOf(one))) return openPredecessor(one, clock);
    }
    this.#betweenBytes = 0;
    const file = await openFile(path, clock);
    if (!file || live === undefined || file.inode === live) return file;
    await closeFile(file);
    return undefined;
  }

  /** @returns the followed file's inode; undefined when there is none, as between the two steps of a rotation */
  async #lookAtLive(file: OpenFile): Promise<number | undefined> {
    const { path } = this.#options;
    try {
      const { ino, size } = await stat(path);
      this.#liveBytes = ino === file.inode ? 0 : size;
      return ino;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw unfollowable(path, error);
      this.#liveBytes = 0;
      return undefined;
    }
  }

  /** At the end of the file: goes on to the next one once this one was renamed and rests. */
  async #turnOver(file: OpenFile): Promise<boolean> {
    const { clock, log } = this.#options;
    const live = await this.#lookAtLive(file);
    if (!file.isCompressed) {
      if (live === undefined || live === file.inode) return true;
      if (clock.monotonicMs() - file.grewAtMs < ROTATED_QUIET_MS) return true;
    }
    const next = await this.#whatFollows(file);
    if (next.kind === 'copy') return this.#goOnInCopy(file, next.file);
    // A search that was broken off has found nothing, and the half line may go on in a copy.
    if (this.#signal.aborted) return true;
    if (file.splitter.halfBytes > 0) {
      log.warn({ file: file.path }, 'the rotated file ends inside a line; its last record may be cut off');
      await this.#takeLines(file, [{ text: file.splitter.rest(), end: file }]);
    }
    if (next.kind === 'files') await this.#goOn(next.later, live);
    else await this.close();
    return false;
  }

  async #whatFollows(file: OpenFile): Promise<Following> {
    const { path } = this.#options;
    const beside = await findInFolder(path, file.inode);
    if (beside) return { kind: 'files', later: beside.later };
    // It was compressed, deleted or replaced while it was read.
    const found = await this.#locate(positionOf(file, file), file.path === path);
    if (found.kind === 'damaged') return { kind: 'unsure' };
    if (found.kind === 'replaced') return { kind: 'copy', file: found.file };
    if (found.kind === 'found') await closeFile(found.file);
    return { kind: 'files', later: found.later };
  }

  /** @param copy  that has all that was read of `file`, the half line at its end included */
  async #goOnInCopy(file: OpenFile, copy: OpenFile): Promise<boolean> {
    this.#options.log.info({ file: copy.path, offset: copy.offset }, REPLACED);
    copy.splitter = file.splitter;
    this.#open(copy);
    await closeFile(file);
    return false;
  }

  /** Leaves a damaged file, or what is behind its damage. */
  async #skip(file: OpenFile, verdict: 'whole' | Damage): Promise<boolean> {
    const live = await this.#lookAtLive(file);
    const beside = await findInFolder(this.#options.path, file.inode);
    if (verdict !== 'whole' && beside) this.#reportSkipped(beside.self, verdict);
    if (verdict === 'whole' || !beside || this.#isDamagedBefore) {
      // It has become whole, or its compressor began anew, or what came after it is to be found by time.
      await this.close();
    } else {
      await this.#goOn(beside.later, live);
    }
    return false;
  }

  /** The next file's position takes the place of this one's with its first line. */
  async #goOn(later: readonly Predecessor[], live: number | undefined): Promise<void> {
    await this.close();
    await this.#openAt(await this.#openNext(later, live));
  }

  #reportSkipped(file: Sibling, reason: Damage | 'compression'): void {
    const key = keyOf(file);
    if (this.#skipped.has(key)) return;
    if (this.#skipped.size >= SKIPPED_MAX) this.#skipped.clear();
    this.#skipped.add(key);
    this.#options.metrics.count('followedFilesSkipped', 1, reason);
    this.#options.log.error({ file: file.path, reason }, SKIPPED[reason]);
  }

  async #take(file: OpenFile, bytes: Buffer): Promise<void> {
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
    await this.#takeLines(file, lines);
  }

  /** @throws when the spool refused them: the file is then to be read again from the last durable line */
  async #takeLines(file: OpenFile, lines: readonly Line[]): Promise<void> {
    const { path, spool } = this.#options;
    for (const { text, end } of lines) {
      this.#takeLine(text, end.offset, file);
      spool.setPosition(path, positionOf(file, end));
    }
    if (lines.length > 0) await spool.commit();
  }

  #takeLine(text: string | undefined, end: number, file: OpenFile): void {
    const { receiver, metrics } = this.#options;
    if (text?.trim() === '') return;
    const place = `${file.path} up to byte ${end}`;
    if (text === undefined) {
      metrics.count('outcomesRejected', 1, 'OUTCOME_NOT_JSON');
      this.#faults.report({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG }, place);
      return;
    }
    const received = receiver.receiveLine(text, 'file');
    if (received.status === 'rejected') this.#faults.report(received.fault, place);
  }
}

const REPLACED = 'the followed file was replaced by a copy of itself; going on where it was left';

const SKIPPED: Readonly<Record<Damage | 'compression', string>> = {
  broken: 'a rotated file is skipped: it fails its checksum',
  'cut-off': 'a rotated file ends early; what it holds is read, and the rest is missing',
  compression:
    'a rotated file is skipped: only gzip can be read; unpack it into --stdin, and set compresscmd to gzip',
};

function sumOfBytes(files: readonly Sibling[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** An inode alone may belong to another file by now. */
function keyOf({ inode, mtimeMs }: Sibling): string {
  return `${inode} ${mtimeMs}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
