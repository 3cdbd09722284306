import type { Clock } from '../clock.ts';
import type { OpenFile } from './followed-file.ts';

/** A writer goes on in a file that was renamed until it is told; after so long without a byte the next one is looked at. */
const ROTATED_QUIET_MS = 2_000;
/** One of several writers that is never told must not keep the agent from what the others write. */
const ROTATED_BUSY_MS = 60_000;

/** The file that has the followed name. */
export interface Live {
  readonly inode: number;
  readonly sizeBytes: number;
}

/** Tells of a file that was read to its end, and that may be written to, when it is time to look for what comes after it. */
export class TurnOver {
  readonly #file: OpenFile;
  readonly #clock: Clock;
  /** When it was seen last that there is nothing to go on with yet, and the file's name then. */
  #stay: { readonly path: string; readonly atMs: number } | undefined;
  /** Since when there is a next file with content. */
  #nextSinceMs: number | undefined;

  constructor(file: OpenFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** @param live  undefined when there is none, as between the two steps of a rotation */
  isDue(live: Live | undefined): boolean {
    if (!live || live.inode === this.#file.inode) {
      this.#stay = undefined;
      this.#nextSinceMs = undefined;
      return false;
    }
    const nowMs = this.#clock.monotonicMs();
    const isEmpty = live.sizeBytes === 0;
    this.#nextSinceMs = isEmpty ? undefined : (this.#nextSinceMs ?? nowMs);
    if (nowMs - this.#file.grewAtMs < ROTATED_QUIET_MS)
      return this.#nextSinceMs !== undefined && nowMs - this.#nextSinceMs >= ROTATED_BUSY_MS;
    // Nobody writes to an empty file yet; but another may have been rotated in between.
    return !isEmpty || !this.#stay || nowMs - this.#stay.atMs >= ROTATED_QUIET_MS;
  }

  /** There is nothing to go on with yet. @param path  the file's own, by now */
  stay(path: string): void {
    this.#stay = { path, atMs: this.#clock.monotonicMs() };
  }

  /** The file's name, if it was renamed, has rested since and is read on. */
  get stayedAs(): string | undefined {
    return this.#stay?.path;
  }
}
