import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Receiver } from '../receiver.ts';
import { isErrno } from '../spool/disk.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import { SpoolWriteError } from '../spool/segment-log.ts';
import type { Spool } from '../spool/spool.ts';
import type { Damage } from './content.ts';
import { FollowLog } from './follow-log.ts';
import {
  CHUNK_BYTES,
  closeFile,
  goBackTo,
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
import { LinkTarget } from './link-target.ts';
import { PackedCheck } from './packed-check.ts';
import {
  findInFolder,
  locate,
  openPredecessor,
  type Place,
  type Predecessor,
  type Sibling,
  type Whereabouts,
} from './predecessors.ts';
import { SkippedFiles } from './skipped-files.ts';
import { type Live, TurnOver } from './turn-over.ts';

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
const RETRY_MS = 1_000;

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
        await reader.goBack(error as Error);
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
  readonly #target: LinkTarget;
  /** What the path led to when a file was opened last by it, or looked for. */
  #former: string | undefined;
  #file: OpenFile | undefined;
  /** Of a compressed file. */
  #check: PackedCheck | undefined;
  /** The compressed file cannot be read up to the position: it is waited for, else skipped. */
  #isDamagedBefore = false;
  /** It may still be being written. */
  #isWaiting = false;
  /** Nothing was found of what was read, nor a file to go on with. */
  #isSearched = false;
  readonly #skipped: SkippedFiles;
  /** Bytes of the files between the open one and the followed one, and of that, if it is not the open one. */
  #betweenBytes = 0;
  #liveBytes = 0;
  /** Of a file that is not compressed. */
  #turn: TurnOver | undefined;

  constructor(options: FollowOptions, told: FollowLog, signal: AbortSignal) {
    this.#options = options;
    this.#told = told;
    this.#signal = signal;
    this.#lines = new FollowedLines({ ...options, onPlaced: (file) => this.#left.placed(file) });
    this.#left = new LeftFiles({ ...options, told, lines: this.#lines });
    this.#target = new LinkTarget(options.path);
    this.#skipped = new SkippedFiles(options);
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
    const stayedAs = this.#turn?.stayedAs;
    if (stayedAs !== undefined) this.#told.stillWritten({ ...file, path: stayedAs });
    await this.#lines.take(file, this.#lines.split(file, bytes));
    return false;
  }

  async end(): Promise<void> {
    await this.#left.close();
    await this.close();
  }

  /**
   * To the last durable line. What was being read stays open if only the spool failed: it may have no name any more.
   * After other errors it is looked for anew.
   */
  async goBack(error: Error): Promise<void> {
    const file = this.#file;
    const saved = this.#options.spool.position(this.#options.path);
    const isReadable = error instanceof SpoolWriteError && file && saved && isSameInode(file, saved);
    if (isReadable) goBackTo(file, saved);
    else await this.close();
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
    this.#turn = file && !file.isCompressed ? new TurnOver(file, this.#options.clock) : undefined;
    if (!file) this.#isDamagedBefore = false;
  }

  /** Opens the file where the last reader stopped; first the rotated ones, if they were not read to their end. */
  async #resume(): Promise<OpenFile | undefined> {
    const { path, spool, log, clock } = this.#options;
    const saved = spool.position(path);
    this.#betweenBytes = 0;
    const kept = saved && (await this.#left.takeBack(saved));
    if (kept) return kept;
    const current = await this.#openLive();
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

  async #locate(position: FilePosition, mayBeReplaced: boolean): Promise<Whereabouts> {
    return locate(await this.#place(), position, {
      clock: this.#options.clock,
      signal: this.#signal,
      mayBeReplaced,
      isSkipped: (one) => this.#skipped.has(one),
      isLeft: ({ inode }) => this.#left.has(inode),
    });
  }

  /**
   * Opens the oldest that can be read, at last the followed file.
   * @param live  inode of the followed file before `later` was listed: another one now means that there is one more
   * @returns undefined when it is not there just now, or everything moved on: then it is to be searched again
   */
  async #openNext(later: readonly Predecessor[], live: number | undefined): Promise<OpenFile | undefined> {
    const { clock } = this.#options;
    for (const [i, one] of later.entries()) {
      this.#betweenBytes = sumOfBytes(later.slice(i + 1));
      if (one.format === 'unsupported') this.#skipped.add(one, 'compression');
      else if (!this.#skipped.has(one)) return openPredecessor(one, clock);
    }
    this.#betweenBytes = 0;
    const file = await this.#openLive();
    if (!file) return undefined;
    const isThatOne = live === undefined || file.inode === live;
    // A rotation that was undone, or a link that was set back.
    const held = isThatOne ? this.#left.release(file.inode, file.path) : undefined;
    if (isThatOne && !held) return file;
    await closeFile(file);
    return held;
  }

  async #openLive(): Promise<OpenFile | undefined> {
    const { path, clock } = this.#options;
    this.#former = await this.#target.resolve();
    return openFile(path, clock);
  }

  async #place(): Promise<Place> {
    const target = await this.#target.resolve();
    return { path: this.#options.path, target, ...(this.#former && { former: this.#former }) };
  }

  /** @returns undefined when there is none, as between the two steps of a rotation */
  async #lookAtLive(file: OpenFile): Promise<Live | undefined> {
    const { path } = this.#options;
    try {
      const { ino, size } = await stat(path);
      this.#liveBytes = ino === file.inode ? 0 : size;
      return { inode: ino, sizeBytes: size };
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw unfollowable(path, error);
      this.#liveBytes = 0;
      return undefined;
    }
  }

  /** At the end of the file: goes on to the next one once this one was renamed and rests, and that one has content. */
  async #turnOver(file: OpenFile): Promise<boolean> {
    const live = await this.#lookAtLive(file);
    if (this.#turn && !this.#turn.isDue(live)) return true;
    const next = await this.#whatFollows(file);
    if (next.kind === 'copy') return this.#goOnInCopy(file, next.file);
    // A search that was broken off has found nothing, and the half line may go on in a copy.
    if (this.#signal.aborted) return true;
    if (next.kind === 'unsure' || file.isCompressed) {
      await this.#lines.takeRest(file, (rest) => this.#lines.take(file, rest));
      if (next.kind === 'files') await this.#goOn(next.later, live?.inode);
      else await this.close();
      return false;
    }
    // One that was deleted cannot be found again, and is held at once.
    if (next.self && live?.sizeBytes === 0 && next.later.every(isEmpty)) {
      this.#turn?.stay(next.self.path);
      return true;
    }
    // A record that lacks only its line feed would be lost with this process. Of any other half line the end may come.
    if (isWhole(file.splitter.rest()))
      await this.#lines.takeRest(file, (rest) => this.#lines.take(file, rest));
    this.#open(undefined);
    this.#left.hold({ ...file, path: next.self?.path ?? file.path });
    await this.#openAt(await this.#openNext(next.later, live?.inode));
    return false;
  }

  async #whatFollows(file: OpenFile): Promise<Following> {
    const { path } = this.#options;
    const beside = await findInFolder(await this.#place(), file.inode);
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
    copy.taken = file.taken;
    this.#open(copy);
    await closeFile(file);
    return false;
  }

  /** Leaves a damaged file, or what is behind its damage. */
  async #skip(file: OpenFile, verdict: 'whole' | Damage): Promise<boolean> {
    const live = await this.#lookAtLive(file);
    const beside = await findInFolder(await this.#place(), file.inode);
    if (verdict !== 'whole' && beside) this.#skipped.add(beside.self, verdict);
    if (verdict === 'whole' || !beside || this.#isDamagedBefore) {
      // It has become whole, or its compressor began anew, or what came after it is to be found by time.
      await this.close();
    } else {
      await this.#goOn(beside.later, live?.inode);
    }
    return false;
  }

  /** The next file's position takes the place of this one's with its first line. */
  async #goOn(later: readonly Predecessor[], live: number | undefined): Promise<void> {
    await this.close();
    await this.#openAt(await this.#openNext(later, live));
  }
}

const REPLACED = 'the followed file was replaced by a copy of itself; going on where it was left';

function sumOfBytes(files: readonly Sibling[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Of a compressed file that says nothing: it may still be being written. */
function isEmpty({ format, sizeBytes }: Predecessor): boolean {
  return format === 'plain' && sizeBytes === 0;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
