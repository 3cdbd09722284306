import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import type { Spool } from '../spool/spool.ts';
import type { Damage } from './content.ts';
import { FollowLog } from './follow-log.ts';
import {
  CHUNK_BYTES,
  closeFile,
  isSameInode,
  type OpenFile,
  openFile,
  positionOf,
  recognise,
  unfollowable,
  unreadBytes,
  wasCut,
} from './followed-file.ts';
import { FollowedLines, isWhole } from './followed-lines.ts';
import { LeftFiles } from './left-files.ts';
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
  /**
   * Of the followed file, those rotated away that come before it, and those that are kept open because they may still
   * be written to; as far as they were seen; see `unreadBytes`.
   */
  readonly unreadBytes: number;
  stop(): Promise<void>;
}

const POLL_MS = 250;
/** A writer goes on in a file that was renamed until it is told; after so long without a byte the next one is looked at. */
const ROTATED_QUIET_MS = 2_000;
/** One of several writers that is never told must not keep the agent from what the others write. */
const ROTATED_BUSY_MS = 60_000;
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
    await reader.end();
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

/** What is to be read after a file. */
type Following =
  /** `self`: the file itself, if it still has a name in the folder. */
  | { readonly kind: 'files'; readonly self?: Sibling; readonly later: readonly Predecessor[] }
  | { readonly kind: 'copy'; readonly file: OpenFile }
  /** To be seen once a file is whole. */
  | { readonly kind: 'unsure' };

class FileReader {
  readonly #options: FollowOptions;
  readonly #told: FollowLog;
  readonly #signal: AbortSignal;
  readonly #lines: FollowedLines;
  readonly #left: LeftFiles;
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
  /** When it was seen last that the file was renamed and that there is nothing to go on with yet, and its name then. */
  #stay: { readonly path: string; readonly atMs: number } | undefined;
  /** Since when there is a next file with content. */
  #nextSinceMs: number | undefined;

  constructor(options: FollowOptions, told: FollowLog, signal: AbortSignal) {
    this.#options = options;
    this.#told = told;
    this.#signal = signal;
    this.#lines = new FollowedLines({ ...options, onPlaced: (file) => this.#left.placed(file) });
    this.#left = new LeftFiles({ ...options, told, lines: this.#lines });
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  get unreadBytes(): number {
    const unread = this.#file ? unreadBytes(this.#file) + this.#betweenBytes + this.#liveBytes : 0;
    return unread + this.#left.unreadBytes;
  }

  /** Reads what there is; @returns true when there was nothing */
  async step(): Promise<boolean> {
    // First, so that they are read whatever is the matter with the file.
    const isLeftIdle = await this.#left.read({ keeps: !this.#file || this.#file.offset === 0 });
    return (await this.#readFile()) && isLeftIdle;
  }

  async #readFile(): Promise<boolean> {
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
    if (this.#stay) this.#told.stillWritten({ ...file, path: this.#stay.path });
    await this.#lines.take(file, this.#lines.split(file, bytes));
    return false;
  }

  async end(): Promise<void> {
    await this.#left.close();
    await this.close();
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#open(undefined);
    this.#lines.close();
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
    this.#stay = undefined;
    this.#nextSinceMs = undefined;
    if (!file) this.#isDamagedBefore = false;
  }

  /** Opens the file where the last reader stopped; first the rotated ones, if they were not read to their end. */
  async #resume(): Promise<OpenFile | undefined> {
    const { path, spool, log, clock } = this.#options;
    const saved = spool.position(path);
    this.#betweenBytes = 0;
    const kept = saved && (await this.#left.takeBack(saved));
    if (kept) return kept;
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
      isLeft: ({ inode }) => this.#left.has(inode),
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

  /** At the end of the file: goes on to the next one once this one was renamed and rests, and that one has content. */
  async #turnOver(file: OpenFile): Promise<boolean> {
    const live = await this.#lookAtLive(file);
    if (!file.isCompressed && !this.#isDue(file, live)) return true;
    const next = await this.#whatFollows(file);
    if (next.kind === 'copy') return this.#goOnInCopy(file, next.file);
    // A search that was broken off has found nothing, and the half line may go on in a copy.
    if (this.#signal.aborted) return true;
    if (next.kind === 'unsure' || file.isCompressed) {
      await this.#lines.takeRest(file, (rest) => this.#lines.take(file, rest));
      if (next.kind === 'files') await this.#goOn(next.later, live);
      else await this.close();
      return false;
    }
    // One that was deleted cannot be found again, and is held at once.
    if (next.self && this.#liveBytes === 0 && next.later.every(isEmpty)) {
      this.#stay = { path: next.self.path, atMs: this.#options.clock.monotonicMs() };
      return true;
    }
    // A record that lacks only its line feed would be lost with this process. Of any other half line the end may come.
    if (isWhole(file.splitter.rest()))
      await this.#lines.takeRest(file, (rest) => this.#lines.take(file, rest));
    this.#open(undefined);
    this.#left.hold({ ...file, path: next.self?.path ?? file.path });
    await this.#openAt(await this.#openNext(next.later, live));
    return false;
  }

  /** Whether it is time to look for what comes after a file that may be written to. */
  #isDue(file: OpenFile, live: number | undefined): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const isRenamed = live !== undefined && live !== file.inode;
    if (!isRenamed) this.#stay = undefined;
    if (!isRenamed || this.#liveBytes === 0) this.#nextSinceMs = undefined;
    else this.#nextSinceMs ??= nowMs;
    if (!isRenamed) return false;
    if (nowMs - file.grewAtMs < ROTATED_QUIET_MS)
      return this.#nextSinceMs !== undefined && nowMs - this.#nextSinceMs >= ROTATED_BUSY_MS;
    // Nobody writes to an empty file yet; but another may have been rotated in between.
    return this.#liveBytes > 0 || !this.#stay || nowMs - this.#stay.atMs >= ROTATED_QUIET_MS;
  }

  async #whatFollows(file: OpenFile): Promise<Following> {
    const { path } = this.#options;
    const beside = await findInFolder(path, file.inode);
    if (beside) {
      const later = beside.later.filter(({ inode }) => !this.#left.has(inode));
      return { kind: 'files', self: beside.self, later };
    }
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

/** Of a compressed file that says nothing: it may still be being written. */
function isEmpty({ format, sizeBytes }: Predecessor): boolean {
  return format === 'plain' && sizeBytes === 0;
}

/** An inode alone may belong to another file by now. */
function keyOf({ inode, mtimeMs }: Sibling): string {
  return `${inode} ${mtimeMs}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
