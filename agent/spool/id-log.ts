import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from './disk.ts';
import { removeFile } from './disk.ts';
import { ID_BYTES } from './id-key.ts';
import type { IdMemory } from './id-memory.ts';
import { readAround } from './read-around.ts';
import { encodeRecord, RECORD_TYPES } from './record.ts';
import { scanSegment, segmentOrdinal } from './segment.ts';
import { SegmentLog } from './segment-log.ts';

/** At most; of a small log a file is a fraction of its bound, so that dropping the oldest leaves most. */
const RECORD_IDS = 50_000;
const SEGMENT_BYTES = 1024 * 1024;
const BOUND_SEGMENTS = 8;

interface IdFile {
  readonly path: string;
  readonly ordinal: number;
  readonly newestAtMs: number;
  readonly bytes: number;
}

interface IdBounds {
  readonly count: number;
  readonly spanMs: number;
  /** On disk. Fewer ids than `count` may survive a restart then; until that the memory has them. */
  readonly bytes: number;
}

/**
 * Ids whose journal segment is gone, for as long as they are to be remembered. Damage forgets ids, no more, and so
 * does a spool that is full: an outcome that waits is worth more than the memory of one that was counted.
 */
export class IdLog {
  readonly #log: SegmentLog;
  readonly #files: IdFile[];
  readonly #disk: Disk;
  readonly #bounds: IdBounds;
  readonly #recordBytes: number;
  readonly #monotonicMs: () => number;

  private constructor({
    disk,
    log,
    files,
    bounds,
    monotonicMs,
  }: {
    disk: Disk;
    log: SegmentLog;
    files: IdFile[];
    bounds: IdBounds;
    monotonicMs: () => number;
  }) {
    this.#monotonicMs = monotonicMs;
    this.#disk = disk;
    this.#log = log;
    this.#files = files;
    this.#bounds = bounds;
    const recordIds = Math.min(RECORD_IDS, Math.floor(segmentBytesOf(bounds) / ID_BYTES));
    this.#recordBytes = recordIds * ID_BYTES;
  }

  /** Opens the log and puts what it holds into `memory`. */
  static async open(options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly producerId: string;
    readonly bounds: IdBounds;
    readonly memory: IdMemory;
    readonly nowMs: number;
    readonly monotonicMs: () => number;
  }): Promise<IdLog> {
    const { disk, directory, producerId, bounds, memory, nowMs, monotonicMs } = options;
    const startedAtMs = monotonicMs();
    // By the monotonic clock, as which it is told from now on. What the wall clock says at the start may be a month off:
    // a quarter of the time is left in any case.
    const keptAtMs = (wallMs: number) =>
      startedAtMs - Math.min(Math.max(0, nowMs - wallMs), bounds.spanMs * 0.75);
    const files: IdFile[] = [];
    let nextOrdinal = 1;
    for (const name of (await readdir(directory)).sort()) {
      const ordinal = segmentOrdinal('ids', name);
      if (ordinal === undefined) continue;
      nextOrdinal = ordinal + 1;
      const path = join(directory, name);
      const { bytes } = await readAround(disk, path);
      const { records } = scanSegment(bytes);
      const newestAtMs = keptAtMs(records.at(-1)?.record.wallMs ?? 0);
      for (const { record } of records) {
        if (record.type === RECORD_TYPES.ids) memory.remember(record.payload, keptAtMs(record.wallMs));
      }
      files.push({ path, ordinal, newestAtMs, bytes: bytes.length });
    }
    const log = new SegmentLog({
      disk,
      directory,
      kind: 'ids',
      producerId,
      segmentBytes: segmentBytesOf(bounds),
      nextOrdinal,
    });
    return new IdLog({ disk, log, files, bounds, monotonicMs });
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** @param ids eight bytes each */
  async append(ids: Buffer, nowMs: number): Promise<void> {
    for (let at = 0; at < ids.length; at += this.#recordBytes) {
      const payload = ids.subarray(at, at + this.#recordBytes);
      const record = encodeRecord({ type: RECORD_TYPES.ids, seq: 0, wallMs: nowMs, payload });
      const segment = await this.#log.append(record, { firstSeq: 0, before: 0, nowMs });
      const { path, ordinal, bytes } = segment;
      if (this.#files.at(-1)?.ordinal === ordinal) this.#files.pop();
      this.#files.push({ path, ordinal, bytes, newestAtMs: this.#monotonicMs() });
      await this.#drop();
    }
  }

  /** @returns false when there is none */
  async dropOldest(): Promise<boolean> {
    const [oldest] = this.#files;
    if (!oldest) return false;
    if (this.#log.open?.ordinal === oldest.ordinal) await this.#log.abandon();
    await removeFile(this.#disk, oldest.path);
    this.#files.shift();
    return true;
  }

  async close(): Promise<void> {
    await this.#log.abandon();
  }

  async #drop(): Promise<void> {
    const nowMs = this.#monotonicMs();
    const isDue = () =>
      this.#files.length > 1 &&
      (nowMs - this.#files[0]!.newestAtMs > this.#bounds.spanMs ||
        this.bytes > this.#bounds.bytes ||
        this.bytes - this.#files[0]!.bytes > this.#bounds.count * ID_BYTES);
    while (isDue()) await this.dropOldest();
  }
}

function segmentBytesOf({ bytes }: IdBounds): number {
  return Math.max(ID_BYTES, Math.min(SEGMENT_BYTES, Math.floor(bytes / BOUND_SEGMENTS)));
}
