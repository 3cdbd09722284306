import type { Disk } from './disk.ts';
import { removeFile } from './disk.ts';
import { HighWaterMark } from './high-water.ts';
import type { IdLog } from './id-log.ts';
import { encodeCommit, encodeGroup, type IntakeGroup, type IntakeTotals } from './intake-record.ts';
import type { JournalSegment, RecoveredJournal } from './intake-recovery.ts';
import { encodeRecord } from './record.ts';
import { type OpenSegment, SegmentLog } from './segment-log.ts';

/**
 * The intake journal: what was accepted and is not sealed yet. A 202 is said after the append of its group.
 * A segment is deleted once all of its groups are sealed, and its ids are kept elsewhere.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #log: SegmentLog;
  readonly #idLog: IdLog;
  readonly #highWater: HighWaterMark;
  readonly #closed: JournalSegment[];
  #number: number;
  #open: { segment: OpenSegment; ids: ByteList; lastOpenSeq: number } | undefined;

  constructor(options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly producerId: string;
    readonly segmentBytes: number;
    readonly recovered: RecoveredJournal;
    readonly idLog: IdLog;
  }) {
    const { disk, directory, producerId, segmentBytes, recovered, idLog } = options;
    const { nextOrdinal } = recovered;
    this.#disk = disk;
    this.#idLog = idLog;
    this.#highWater = new HighWaterMark(disk, directory);
    this.#closed = [...recovered.segments];
    this.#number = recovered.nextNumber;
    this.#log = new SegmentLog({ disk, directory, kind: 'intake', producerId, segmentBytes, nextOrdinal });
  }

  get bytes(): number {
    return this.#closed.reduce((sum, one) => sum + one.bytes, this.#log.open?.bytes ?? 0);
  }

  /**
   * @param before the totals ahead of this group
   * @throws SpoolWriteError; the group was then not accepted
   */
  async append(
    group: Omit<IntakeGroup, 'number'>,
    { before, nowMs }: { before: IntakeTotals; nowMs: number },
  ): Promise<void> {
    // A number is never used twice, not even after a failure: the failed file may hold the group.
    const number = this.#number++;
    const commit = encodeCommit(number, group.totals, nowMs);
    const bytes = Buffer.concat([encodeGroup({ ...group, number }, nowMs), commit].map(encodeRecord));
    await this.#write(bytes, { number, before, nowMs });
    await this.#highWater.write(commit);
    this.#open!.lastOpenSeq = group.totals.openSeq;
    this.#open!.ids.append(group.ids);
  }

  /** Writes the totals alone, so that a new segment stands for everything before it. */
  async mark(totals: IntakeTotals, nowMs: number): Promise<void> {
    const number = this.#number++;
    const commit = encodeCommit(number, totals, nowMs);
    await this.#write(encodeRecord(commit), { number, before: totals, nowMs });
    await this.#highWater.write(commit);
    this.#open!.lastOpenSeq = totals.openSeq;
  }

  /** Deletes the closed segments whose groups are all sealed. */
  async drop(lastSealed: number, nowMs: number): Promise<void> {
    while (this.#closed.length > 0 && this.#closed[0]!.lastOpenSeq <= lastSealed) {
      const [segment] = this.#closed as [JournalSegment];
      if (segment.ids.length > 0) await this.#idLog.append(segment.ids, nowMs);
      await removeFile(this.#disk, segment.path);
      this.#closed.shift();
    }
  }

  /** Keeps all ids elsewhere, for a journal that will not be read again. */
  async handOverIds(nowMs: number): Promise<void> {
    const open = this.#open?.ids.bytes ?? Buffer.alloc(0);
    const ids = [...this.#closed.map((segment) => segment.ids), open];
    await this.#idLog.append(Buffer.concat(ids), nowMs);
  }

  async close(): Promise<void> {
    await Promise.all([this.#log.abandon(), this.#highWater.close()]);
  }

  async #write(
    bytes: Buffer,
    { number, before, nowMs }: { number: number; before: IntakeTotals; nowMs: number },
  ): Promise<void> {
    const preamble = encodeRecord(encodeCommit(number - 1, before, nowMs));
    const start = { firstSeq: number, before: before.accepted, nowMs, preamble };
    const segment = await this.#log.append(bytes, start);
    if (this.#open?.segment.ordinal === segment.ordinal) return;
    this.#closeOpen();
    this.#open = { segment, ids: new ByteList(), lastOpenSeq: before.openSeq };
  }

  #closeOpen(): void {
    if (!this.#open) return;
    const { segment, ids, lastOpenSeq } = this.#open;
    const { path, ordinal, bytes } = segment;
    this.#closed.push({ path, ordinal, bytes, lastOpenSeq, ids: ids.bytes });
    this.#open = undefined;
  }
}

/** Bytes kept for long in one piece: thousands of small buffers would each hold on to a page of others. */
class ByteList {
  #bytes = Buffer.allocUnsafeSlow(0);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  append(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length);
    this.#length = length;
  }
}
