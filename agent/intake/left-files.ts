import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import type { Spool } from '../spool/spool.ts';
import type { FollowLog } from './follow-log.ts';
import {
  CHUNK_BYTES,
  closeFile,
  goBackTo,
  isSameInode,
  type OpenFile,
  unreadBytes,
} from './followed-file.ts';
import type { FollowedLines } from './followed-lines.ts';

/** A file is let go when nothing was written to it for so long after it was left. */
const HELD_MS = 5 * 60_000;
/** Files that are held, the newest. */
const HELD_MAX = 4;

interface LeftFile {
  readonly file: OpenFile;
  /**
   * The durable position names a newer file: what comes is known to this process alone. Else the position is moved
   * with what comes, as the next process begins there.
   */
  isPassed: boolean;
}

export interface LeftFilesOptions {
  readonly spool: Spool;
  readonly lines: FollowedLines;
  readonly told: FollowLog;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The files that were rotated away, read to their end and left for newer ones, and that are kept open because a writer
 * may not know yet: rotation tells it late or never, or only one of several processes. What is still written to them
 * is read. Where they are open it matters neither what they are called nor whether they were deleted.
 *
 * At most four, and each until five minutes after the last byte was written to it.
 */
export class LeftFiles {
  readonly #options: LeftFilesOptions;
  /** The oldest first. */
  #files: LeftFile[] = [];

  constructor(options: LeftFilesOptions) {
    this.#options = options;
  }

  /** Of those that are held, as far as they were seen. */
  get unreadBytes(): number {
    return this.#files.reduce((sum, { file }) => sum + unreadBytes(file), 0);
  }

  /** Whether this is the inode of one of them: nothing else of the folder can have it. */
  has(inode: number): boolean {
    return this.#files.some(({ file }) => file.inode === inode);
  }

  /** @param file  read to its end, with the half line there in its splitter; newer than those that are held */
  hold(file: OpenFile): void {
    file.grewAtMs = this.#options.clock.monotonicMs();
    this.#files.push({ file, isPassed: false });
  }

  /**
   * Gives one back that got the followed name again: it is gone on with where it was read.
   * @param path  that it has now
   */
  release(inode: number, path: string): OpenFile | undefined {
    const left = this.#files.find(({ file }) => file.inode === inode);
    this.#files = this.#files.filter((one) => one !== left);
    return left && { ...left.file, path };
  }

  /** The durable position has become one in `file`, which is one of these or a newer one. */
  placed(file: OpenFile): void {
    for (const left of this.#files) {
      if (left.file === file) return;
      left.isPassed = true;
    }
  }

  /**
   * Gives back what the position covers: it is all read again from there.
   * @returns the file that the position names, to be read on from there; undefined when it is none of these
   */
  async takeBack(position: FilePosition): Promise<OpenFile | undefined> {
    const covered = this.#files.filter(({ isPassed }) => !isPassed);
    this.#files = this.#files.filter(({ isPassed }) => isPassed);
    let named: OpenFile | undefined;
    for (const { file } of covered) {
      if (isSameInode(file, position)) named = file;
      else await closeFile(file);
    }
    if (named) goBackTo(named, position);
    return named;
  }

  /**
   * Reads what was written to them.
   * @param keeps  nobody writes to the newer file yet, so that none is let go because it rests
   * @returns true when there was nothing
   * @throws when the spool refused it; it is then read again
   */
  async read({ keeps }: { keeps: boolean }): Promise<boolean> {
    let isIdle = true;
    for (const left of [...this.#files]) {
      if (keeps) left.file.grewAtMs = this.#options.clock.monotonicMs();
      if (await this.#readOne(left)) isIdle = false;
    }
    return isIdle;
  }

  /** Reads what there is by now, and lets all of them go. */
  async close(): Promise<void> {
    const { spool, told } = this.#options;
    for (const left of [...this.#files]) {
      try {
        const until = (await left.file.handle.stat()).size;
        while (left.file.offset < until && (await this.#readOne(left)));
        // The next process reads the half line of the file that the position names.
        if (left.isPassed && spool.refusal() === undefined) await this.#takeRest(left);
      } catch (error) {
        told.failed(error as Error);
      }
      await this.#drop(left);
    }
  }

  /** @returns whether something was read */
  async #readOne(left: LeftFile): Promise<boolean> {
    const { spool, lines, told } = this.#options;
    const { file } = left;
    const bytes = await this.#newBytes(left);
    if (bytes === undefined || spool.refusal() !== undefined) return false;
    if (bytes.length === 0) {
      await this.#letGoIfDue(left);
      return false;
    }
    file.grewAtMs = this.#options.clock.monotonicMs();
    told.stillWritten(file);
    await lines.takeLeft(file, lines.split(file, bytes), left.isPassed);
    return true;
  }

  /** @returns undefined when it cannot be read any more */
  async #newBytes(left: LeftFile): Promise<Buffer | undefined> {
    const { file } = left;
    const { log } = this.#options;
    try {
      const { size, mtimeMs } = await file.handle.stat();
      file.sizeBytes = size;
      file.writtenAtMs = mtimeMs;
      if (file.sizeBytes === file.offset) return NOTHING;
      const bytes = file.sizeBytes > file.offset && (await file.content.read(file.offset, CHUNK_BYTES));
      if (Buffer.isBuffer(bytes)) return bytes;
      log.info({ file: file.path }, 'a rotated file was cut; it is not read any more');
    } catch (error) {
      // The newer file is not to wait for it.
      log.warn(
        { file: file.path, error: (error as Error).message },
        'a rotated file cannot be read any more',
      );
    }
    await this.#takeRest(left);
    await this.#drop(left);
    return undefined;
  }

  async #letGoIfDue(left: LeftFile): Promise<void> {
    const isOld = this.#options.clock.monotonicMs() - left.file.grewAtMs >= HELD_MS;
    const isOneTooMany = this.#files.length > HELD_MAX && this.#files[0] === left;
    if (!isOld && !isOneTooMany) return;
    await this.#takeRest(left);
    await this.#drop(left);
  }

  async #takeRest({ file, isPassed }: LeftFile): Promise<void> {
    const { lines } = this.#options;
    await lines.takeRest(file, (rest) => lines.takeLeft(file, rest, isPassed));
  }

  async #drop(left: LeftFile): Promise<void> {
    this.#files = this.#files.filter((one) => one !== left);
    await closeFile(left.file);
  }
}

const NOTHING = Buffer.alloc(0);
