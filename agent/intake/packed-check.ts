import type { Clock } from '../clock.ts';
import type { Content, Damage } from './content.ts';
import { CHUNK_BYTES, type OpenFile } from './followed-file.ts';

/** A file that ends inside its stream is not being written any more when it has not grown for so long. */
const ABANDONED_MS = 10_000;
/** One that grew is tried again when it rests. */
const REST_MS = 1_000;

/**
 * Tells whether a compressed file is whole, before any of its lines is taken: what comes before damage unpacks to
 * lines that nobody wrote. One that only ends early may still be being written; what is there is sound.
 */
export class PackedCheck {
  readonly #file: OpenFile;
  readonly #clock: Clock;
  #verdict: 'whole' | Damage | undefined;
  #waiting: { bytes: number; sinceMs: number; hasGrown: boolean } | undefined;

  constructor(file: OpenFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** @returns `wait` while it may grow; ask again */
  async judge(signal: AbortSignal): Promise<'whole' | Damage | 'wait'> {
    if (this.#verdict) return this.#verdict;
    const { size, mtimeMs } = await this.#file.handle.stat();
    this.#file.writtenAtMs = mtimeMs;
    if (this.#waiting && !this.#isDue(this.#waiting, size)) return 'wait';
    if (this.#waiting && !this.#waiting.hasGrown) {
      this.#verdict = 'cut-off';
      return this.#verdict;
    }
    const { content, offset } = this.#file;
    if (this.#waiting) content.rewind();
    const damage = await findDamage(content, offset, signal);
    if (signal.aborted) return 'wait';
    if (damage === 'cut-off') {
      this.#waiting = { bytes: size, sinceMs: this.#clock.monotonicMs(), hasGrown: false };
      return 'wait';
    }
    this.#verdict = damage ?? 'whole';
    return this.#verdict;
  }

  #isDue(waiting: { bytes: number; sinceMs: number; hasGrown: boolean }, bytes: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (bytes !== waiting.bytes) {
      this.#waiting = { bytes, sinceMs: nowMs, hasGrown: true };
      return false;
    }
    return nowMs - waiting.sinceMs >= (waiting.hasGrown ? REST_MS : ABANDONED_MS);
  }
}

/** Reads on to the end; @returns what is wrong, undefined when nothing is */
async function findDamage(content: Content, from: number, signal: AbortSignal): Promise<Damage | undefined> {
  for (let offset = from; !signal.aborted; ) {
    const bytes = await content.read(offset, CHUNK_BYTES);
    if (typeof bytes === 'string') return bytes;
    if (bytes.length === 0) return undefined;
    offset += bytes.length;
  }
  return undefined;
}
