import type { Log } from '../log.ts';
import { type OpenFile, UnfollowableError } from './followed-file.ts';

/** Files that were told of and are remembered. */
const TOLD_MAX = 1_000;

/** Tells of a followed file what an operator should know, once until it changes, however often it is tried. */
export class FollowLog {
  readonly #path: string;
  readonly #log: Log;
  /** Why there is no file, as far as it was told. */
  #obstacle: 'absent' | UnfollowableError | undefined;
  #hasLooked = false;
  /** The rotated file that was last told of. */
  #goingOn = '';
  /** Rotated files that are told of as still written to. */
  readonly #stillWritten = new Set<string>();

  /** @param path  of the followed file */
  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  failed(error: Error): void {
    if (!(error instanceof UnfollowableError)) {
      const message = 'the file cannot be followed; going on from the last durable line';
      this.#log.error({ file: this.#path, error: error.message }, message);
      return;
    }
    const told = this.#obstacle;
    this.#obstacle = error;
    if (told instanceof UnfollowableError && told.message === error.message) return;
    this.#log.error({ file: this.#path }, error.message);
  }

  /** Absence is told at the start, and of what was no file. Later there is no file for a moment with each rotation. */
  looked({ isThere }: { isThere: boolean }): void {
    const isFirst = !this.#hasLooked;
    this.#hasLooked = true;
    const wasInTheWay = this.#obstacle instanceof UnfollowableError && this.#obstacle.path === this.#path;
    if (isThere || (!isFirst && !wasInTheWay)) return;
    this.#obstacle = 'absent';
    this.#log.warn({ file: this.#path }, 'waiting for the file to appear');
  }

  /** @param path  of the followed file or one that was rotated away */
  opened(path: string): void {
    const awaited = this.#obstacle === 'absent' ? this.#path : this.#obstacle?.path;
    if (path !== awaited) return;
    this.#obstacle = undefined;
    this.#log.info({ file: path }, 'the file is there and is followed');
  }

  /** A rotated file is found again and again while the one after it cannot be read. */
  goingOn({ path, offset }: { path: string; offset: number }): void {
    const place = `${path} ${offset}`;
    if (place === this.#goingOn) return;
    this.#goingOn = place;
    this.#log.info({ file: path, offset }, 'going on in a rotated file');
  }

  /** Its writer was not told of the rotation: what it writes is lost once the file is left or the agent is down. */
  stillWritten({ path, inode, bornAtMs }: Pick<OpenFile, 'path' | 'inode' | 'bornAtMs'>): void {
    const key = `${inode} ${bornAtMs}`;
    if (this.#stillWritten.has(key)) return;
    if (this.#stillWritten.size >= TOLD_MAX) this.#stillWritten.clear();
    this.#stillWritten.add(key);
    this.#log.warn({ file: path }, STILL_WRITTEN);
  }
}

const STILL_WRITTEN =
  'lines still come into a rotated file; have its writer told to open the new one (logrotate: postrotate), or rotate with copytruncate';
