import { join } from 'node:path';
import type { Disk, DiskFile } from './disk.ts';
import { encodeSegmentHeader, type SegmentHeader, type SegmentKind, segmentName } from './segment.ts';

export interface SegmentLogOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly kind: SegmentKind;
  readonly producerId: string;
  readonly segmentBytes: number;
  /** One more than the highest ordinal in use. */
  readonly nextOrdinal: number;
}

/** What a new segment begins with, should this append open one. */
export interface SegmentStart {
  readonly firstSeq: number;
  readonly before: number;
  readonly nowMs: number;
  /** Records that every segment of this log begins with. */
  readonly preamble?: Buffer;
}

export interface OpenSegment {
  readonly path: string;
  readonly ordinal: number;
  readonly header: SegmentHeader;
  readonly bytes: number;
}

/** The disk refused twice; nothing of the append may be taken as kept. The next append tries a new file. */
export class SpoolWriteError extends Error {
  readonly code = 'SPOOL_WRITE_FAILED';
  constructor(cause: unknown) {
    super(
      `the spool could not be written (${(cause as Error).message}); free or replace the disk, nothing was acknowledged`,
      { cause },
    );
    this.name = 'SpoolWriteError';
  }
}

/**
 * Appends to segments so that a resolved promise means: on disk.
 *
 * After a failed write or fsync the kernel may have dropped the pages and report success the next time, so a
 * file that failed once is never written again: the append goes as a whole to a new segment. Records that the
 * failed file may still hold carry the same numbers as their second copy; a reader takes a segment's range to
 * end where the next one begins. A process never appends to a segment of an earlier process either.
 *
 * Calls must not overlap; `Spool` serialises them.
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #nextOrdinal: number;
  #file: DiskFile | undefined;
  #creating: string | undefined;
  #open: { path: string; ordinal: number; header: SegmentHeader; bytes: number } | undefined;

  constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#nextOrdinal = options.nextOrdinal;
  }

  /** The segment being appended to. */
  get open(): OpenSegment | undefined {
    return this.#open;
  }

  /**
   * @returns the segment that has the bytes
   * @throws SpoolWriteError when a second file failed too
   */
  async append(bytes: Buffer, start: SegmentStart): Promise<OpenSegment> {
    if (this.#open && this.#open.bytes >= this.#options.segmentBytes) await this.abandon();
    if (this.#file && this.#open) {
      try {
        await this.#file.write(bytes);
        await this.#file.datasync();
        this.#open.bytes += bytes.length;
        return this.#open;
      } catch {
        await this.abandon();
      }
    }
    try {
      return await this.#begin(bytes, start);
    } catch (error) {
      const path = this.#creating;
      await this.abandon();
      // Best effort: what is left of it is recognised by its number at the next start.
      if (path) await this.#options.disk.remove(path).catch(() => {});
      throw new SpoolWriteError(error);
    } finally {
      this.#creating = undefined;
    }
  }

  /** Closes the open segment; the next append begins another. */
  async abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#open = undefined;
    // The file's content no longer depends on this descriptor.
    await file?.close().catch(() => {});
  }

  async #begin(bytes: Buffer, start: SegmentStart): Promise<OpenSegment> {
    const { disk, directory, kind, producerId } = this.#options;
    const ordinal = this.#nextOrdinal++;
    const path = join(directory, segmentName(kind, ordinal));
    const header: SegmentHeader = {
      kind,
      producerId,
      firstSeq: start.firstSeq,
      before: start.before,
      createdAtMs: start.nowMs,
      isMerged: false,
    };
    const file = await disk.create(path);
    this.#creating = path;
    this.#file = file;
    const head = Buffer.concat([encodeSegmentHeader(header), start.preamble ?? Buffer.alloc(0)]);
    await file.write(Buffer.concat([head, bytes]));
    await file.datasync();
    await disk.syncDirectory(directory);
    this.#open = { path, ordinal, header, bytes: head.length + bytes.length };
    return this.#open;
  }
}
