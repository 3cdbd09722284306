import { decodeEntry, encodeEntry, entryRange, type SpoolEntry, skipEntry } from './batch-record.ts';
import { cutFile, type Disk, isErrno, removeFile, replaceFile } from './disk.ts';
import { SPOOL_BOUNDS } from './limits.ts';
import { mergeEntries } from './merge.ts';
import { readAround } from './read-around.ts';
import { RecentEntries } from './recent.ts';
import { encodeRecord } from './record.ts';
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES, scanSegment } from './segment.ts';
import { completeSegment, type Gap, type Place, placeOf, type SegmentRange } from './segment-content.ts';
import { SegmentFiles } from './segment-files.ts';
import { indexSegments, rangeOf, type Segment } from './segment-index.ts';
import { SegmentLog } from './segment-log.ts';

export interface BatchLogOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Where damaged segments are kept for inspection. */
  readonly aside: string;
  readonly producerId: string;
  readonly segmentBytes: number;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Told of every loss found or caused: the daemon learns of it by a skip. */
  readonly onGap: (gap: Gap) => void;
  /** What is known of batches that were deleted. */
  readonly mark?: Mark;
}

/** `before` outcomes are in the batches ahead of `firstSeq`. */
export type Mark = Pick<Segment, 'firstSeq' | 'before'>;

/** The segment that is being read; its places are views into the read buffer. */
interface Reading {
  readonly ordinal: number;
  readonly places: readonly Place[];
}

/**
 * The sealed batches: contiguous sequence numbers over segments in order. Only an index of the segments is in
 * memory, one segment that is being read, and the newest entries; starting reads the headers and the last
 * segment. What is damaged is found when it is read: the segment is set aside, its sound records are kept and
 * a skip stands for the rest, with the exact number of outcomes, which the records around it tell.
 *
 * Calls that return a promise must not overlap; `Spool` serialises them.
 */
export class BatchLog {
  readonly #options: BatchLogOptions;
  readonly #log: SegmentLog;
  readonly #segments: Segment[];
  #lastSealed = 0;
  #after = 0;
  readonly #files: SegmentFiles;
  #reading: Reading | undefined;
  /** Outcomes ahead of what is no longer here, for the figure of what a daemon that went far back has lost. */
  readonly #marks: Mark[];
  readonly #recent = new RecentEntries(SPOOL_BOUNDS.recentBytes);
  /** By ordinal: the seq from which on all of a segment was given up. */
  readonly #givenUp = new Map<number, number>();

  private constructor(
    options: BatchLogOptions,
    state: { segments: Segment[]; nextOrdinal: number; files: SegmentFiles },
  ) {
    this.#options = options;
    this.#marks = options.mark ? [options.mark] : [];
    this.#segments = state.segments;
    this.#files = state.files;
    const { disk, directory, producerId, segmentBytes } = options;
    const { nextOrdinal } = state;
    this.#log = new SegmentLog({ disk, directory, kind: 'batch', producerId, segmentBytes, nextOrdinal });
  }

  static async open(options: BatchLogOptions): Promise<BatchLog> {
    const instant = { nowMs: options.nowMs(), monotonicMs: options.monotonicMs() };
    const files = new SegmentFiles(options);
    const { segments, nextOrdinal } = await indexSegments(options.directory, {
      disk: options.disk,
      instant,
      setAside: (path, ordinal) => files.moveAside(path, ordinal),
    });
    const log = new BatchLog(options, { segments, nextOrdinal, files });
    await log.#openTail();
    return log;
  }

  /** Highest seq ever sealed; 0 when none. */
  get lastSealed(): number {
    return this.#lastSealed;
  }

  /** Outcomes in all batches ever sealed. */
  get after(): number {
    return this.#after;
  }

  /** Lowest seq that can still be read; lastSealed + 1 when there is none. */
  get firstRetained(): number {
    return this.#segments[0]?.firstSeq ?? this.#lastSealed + 1;
  }

  /** Outcomes in the batches ahead of `firstRetained`. */
  get beforeRetained(): number {
    return this.#segments[0]?.before ?? this.#after;
  }

  /** Outcomes ahead of a seq that is no longer retained; see `Spool`. */
  countedBefore(seq: number): number {
    const known = this.#marks.filter((mark) => mark.firstSeq <= seq).map((mark) => mark.before);
    return Math.max(0, ...known);
  }

  /** Outcomes in all batches up to `seq`; as `countedBefore` knows them where the next is no longer retained. */
  async countedThrough(seq: number): Promise<number> {
    if (seq === this.#lastSealed) return this.#after;
    if (seq + 1 < this.firstRetained) return this.countedBefore(seq + 1);
    const next = this.recent(seq + 1) ?? (await this.read(seq + 1, 1))[0];
    return next?.before ?? 0;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /**
   * Appends entries that follow each other and the log.
   * @throws SpoolWriteError; none of them is then in the log
   */
  async append(...entries: readonly [SpoolEntry, ...SpoolEntry[]]): Promise<void> {
    const [first] = entries;
    if (first.from !== this.#lastSealed + 1 || first.before !== this.#after) {
      throw new RangeError(`batch ${first.from} does not follow batch ${this.#lastSealed}`);
    }
    const bytes = Buffer.concat(entries.map((entry) => encodeRecord(encodeEntry(entry))));
    const segment = await this.#log.append(bytes, {
      firstSeq: first.from,
      before: first.before,
      nowMs: this.#options.nowMs(),
    });
    if (this.#segments.at(-1)?.ordinal !== segment.ordinal) {
      const { path, ordinal, header } = segment;
      this.#dropEmptyTail(first.from);
      const seen = { seenAtMs: this.#options.monotonicMs(), seenAgeMs: 0 };
      this.#segments.push({ path, ordinal, bytes: segment.bytes, ...rangeOf(header), ...seen });
    } else this.#segments.push({ ...this.#segments.pop()!, bytes: segment.bytes });
    const last = entries.at(-1)!;
    this.#lastSealed = last.to;
    this.#after = last.before + last.outcomes;
    for (const entry of entries) this.#recent.add(entry);
  }

  /** The entry that holds `seq`, if it is among the newest ones. */
  recent(seq: number): SpoolEntry | undefined {
    return this.#recent.get(seq);
  }

  /**
   * Entries from the one that holds `seq` on, to the end of its segment or until `maxBytes` of text.
   * @param seq firstRetained <= seq <= lastSealed
   */
  async read(seq: number, maxBytes: number): Promise<SpoolEntry[]> {
    const index = this.#segments.findLastIndex((one) => one.firstSeq <= seq);
    if (index === -1 || seq > this.#lastSealed) throw new RangeError(`batch ${seq} is not in the spool`);
    const places = await this.#places(index);
    const found: SpoolEntry[] = [];
    let bytes = 0;
    for (let at = placeOf(places, seq); at < places.length && bytes < maxBytes; at++) {
      const entry = decodeEntry(places[at]!.record);
      found.push(entry);
      bytes += entry.text.length;
    }
    return found;
  }

  /**
   * Deletes whole segments, oldest first, that hold nothing above `seq`, while `isDue` agrees. The segment
   * being appended to stays: it keeps the numbers going.
   */
  async drop(seq: number, isDue: (segment: { lastSeq: number; bytes: number }) => boolean): Promise<void> {
    while (this.#segments.length > 1) {
      const [segment] = this.#segments as [Segment, ...Segment[]];
      const lastSeq = this.#lastSeqAt(0);
      if (lastSeq > seq || !isDue({ lastSeq, bytes: segment.bytes })) return;
      await removeFile(this.#options.disk, segment.path);
      this.#segments.shift();
      this.#givenUp.delete(segment.ordinal);
      this.#marks.push(segment);
      if (this.#marks.length > MARKS) this.#marks.shift();
      this.#recent.forgetThrough(lastSeq);
    }
  }

  /** Bytes of the closed segments that hold nothing above `seq`. */
  bytesThrough(seq: number): number {
    return this.#segments
      .filter((_, at) => at < this.#segments.length - 1 && this.#lastSeqAt(at) <= seq)
      .reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Bytes of the segments that hold something above `seq`. */
  bytesAbove(seq: number): number {
    return this.#segments
      .filter((_, at) => this.#lastSeqAt(at) > seq)
      .reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** The oldest segment with a seq above `seq`. */
  oldest(seq: number): Pick<Segment, 'createdAtMs'> | undefined {
    return this.#segments.find((_, at) => this.#lastSeqAt(at) > seq);
  }

  /**
   * What is known of when the last batch was sealed, at the latest, in the oldest closed segment of which something
   * above `seq` was not given up.
   */
  endOfOldest(seq: number): Pick<Segment, 'seenAtMs' | 'seenAgeMs'> | undefined {
    const index = this.#segments.findIndex((_, at) => this.#lastSeqAt(at) > seq && !this.#isGivenUp(at, seq));
    return index === -1 ? undefined : this.#segments[index + 1];
  }

  /**
   * Merges the batches of the oldest closed segment above `sent` that was not merged yet.
   * @param sent highest seq that may ever have been sent
   * @returns false when no segment is left to merge
   */
  async mergeOldest(sent: number): Promise<boolean> {
    const index = this.#segments.findIndex(
      (segment, at) => segment.firstSeq > sent && !segment.isMerged && at < this.#segments.length - 1,
    );
    const segment = this.#segments[index];
    if (!segment) return false;
    const merged = mergeEntries(await this.#load(index));
    await this.#rewrite(index, merged, { isMerged: true });
    return true;
  }

  /**
   * Gives up the batches of the oldest closed segment above `acked`: a skip takes their place.
   * @returns false when only the segment being appended to is left
   */
  async giveUpOldest(acked: number, reason: string): Promise<boolean> {
    let index = -1;
    let entries: SpoolEntry[] = [];
    let from = 0;
    let batches: SpoolEntry[] = [];
    for (let at = 0; batches.length === 0; at += 1) {
      index = this.#segments.findIndex(
        (_, one) =>
          one >= at &&
          this.#lastSeqAt(one) > acked &&
          one < this.#segments.length - 1 &&
          !this.#isGivenUp(one, acked),
      );
      if (index === -1) return false;
      at = index;
      entries = await this.#load(index);
      from = Math.max(acked + 1, entries[0]!.from);
      batches = entries.filter((entry) => entry.to >= from && entry.kind === 'batch');
      // What is left above `acked` was given up before; read once, a segment of skips alone is passed by.
      if (batches.length === 0) this.#givenUp.set(this.#segments[index]!.ordinal, from);
    }
    const to = this.#lastSeqAt(index);
    const before = entries[placeOf(entries, from)]!.before;
    const outcomes = this.#beforeOf(index + 1) - before;

    // One skip for the whole run, or a long outage would leave a file for every segment given up.
    const left = index === 0 ? undefined : await this.#load(index - 1);
    const previous = left?.length === 1 ? left[0] : undefined;
    // But never with one that was acknowledged: what it says was lost would be declared again.
    const isPending = previous?.kind === 'skip' && previous.from > acked && previous.to === from - 1;
    const joins = isPending && reasonOf(previous) === reason;
    const skip = joins
      ? skipEntry(
          { from: previous.from, to, reason, outcomes: previous.outcomes + outcomes },
          { before: previous.before, sealedAtMs: this.#options.nowMs() },
        )
      : skipEntry({ from, to, reason, outcomes }, { before, sealedAtMs: this.#options.nowMs() });
    const kept = joins ? [skip] : [...entries.filter((entry) => entry.to < from), skip];
    await this.#rewrite(index, kept, { isMerged: true, mustSucceed: true });
    this.#givenUp.set(this.#segments[index]!.ordinal, kept.length === 1 ? skip.from : from);
    // Of earlier skips in the range it was told before.
    const fresh = batches.reduce((sum, batch) => sum + batch.outcomes, 0);
    this.#options.onGap({ from, to, reason, outcomes: fresh });
    if (joins) {
      // A crash before this leaves an earlier segment whose range ends before it begins; the index drops it.
      await removeFile(this.#options.disk, this.#segments[index - 1]!.path);
      this.#segments.splice(index - 1, 1);
    }
    return true;
  }

  /** When the segment being appended to was begun, by the monotonic clock. */
  get openSinceMs(): number | undefined {
    return this.#log.open && this.#segments.at(-1)?.seenAtMs;
  }

  /** The next append begins a segment, so that the present one can be dropped or given up. */
  async rotate(): Promise<void> {
    await this.#log.abandon();
  }

  async close(): Promise<void> {
    await this.#log.abandon();
  }

  async #openTail(): Promise<void> {
    const tail = this.#segments.at(-1);
    if (!tail) return;
    this.#lastSealed = tail.firstSeq - 1;
    this.#after = tail.before;
    const { bytes } = await readAround(this.#options.disk, tail.path);
    const scan = scanSegment(bytes);
    const last = scan.records
      .map(({ record }) => entryRange(record))
      .filter((range) => range !== undefined)
      .at(-1);
    if (last && last.to >= tail.firstSeq) {
      this.#lastSealed = last.to;
      this.#after = last.before + last.outcomes;
    }
    if (scan.hasDamagedEnd) {
      await this.#files.keepAside(tail.path, tail.ordinal);
      // Set aside by a second name of the same file, so it must not be cut but replaced.
      const sound = bytes.subarray(0, Math.max(scan.soundEnd, SEGMENT_HEADER_BYTES));
      await replaceFile(this.#options.disk, tail.path, sound);
    } else if (scan.soundEnd < bytes.length) {
      await cutFile(this.#options.disk, tail.path, scan.soundEnd);
    }
    // Finds what is missing in the middle, and a damaged header.
    if (this.#lastSealed >= tail.firstSeq) await this.#load(this.#segments.length - 1);
  }

  /** Where the entries of a segment are, for reading. */
  async #places(index: number): Promise<readonly Place[]> {
    const segment = this.#segments[index]!;
    const lastSeq = this.#lastSeqAt(index);
    const { ordinal } = segment;
    if (this.#reading?.ordinal === ordinal && this.#reading.places.at(-1)?.to === lastSeq) {
      return this.#reading.places;
    }
    this.#reading = undefined;
    const places = await this.#sound(index);
    this.#reading = { ordinal, places };
    return places;
  }

  /** The entries of a segment, for rewriting it. */
  async #load(index: number): Promise<SpoolEntry[]> {
    this.#reading = undefined;
    return (await this.#sound(index)).map(({ record }) => decodeEntry(record));
  }

  /** The complete content of a segment: if something is missing, the segment is mended on disk first. */
  async #sound(index: number): Promise<readonly Place[]> {
    const segment = this.#segments[index]!;
    const bytes = await this.#files.read(segment.path);
    const isHeaderSound = decodeSegmentHeader(bytes) !== undefined;
    const { places, gaps, isDamaged } = completeSegment(bytes, this.#rangeAt(index), this.#options.nowMs());
    if (gaps.length === 0 && !isDamaged && isHeaderSound) return places;
    await this.#files.keepAside(segment.path, segment.ordinal);
    if (this.#log.open?.ordinal === segment.ordinal) await this.#log.abandon();
    const entries = places.map(({ record }) => decodeEntry(record));
    try {
      await this.#rewrite(index, entries, { isMerged: segment.isMerged });
    } catch (error) {
      // Mended in memory at least: a full disk must not hold up what is sound.
      if (isErrno(error, 'ENOSPC')) return places;
      throw error;
    }
    for (const gap of gaps) this.#options.onGap(gap);
    return places;
  }

  async #rewrite(
    index: number,
    entries: readonly SpoolEntry[],
    { isMerged, mustSucceed = false }: { isMerged: boolean; mustSucceed?: boolean },
  ): Promise<void> {
    const segment = this.#segments[index]!;
    const { from: firstSeq, before } = entries[0]!;
    const { createdAtMs } = segment;
    const { producerId, disk } = this.#options;
    const header = { kind: 'batch', producerId, firstSeq, before, createdAtMs, isMerged } as const;
    const records = entries.map((entry) => encodeRecord(encodeEntry(entry)));
    const content = Buffer.concat([encodeSegmentHeader(header), ...records]);
    if (mustSucceed) await this.#files.replaceSomehow(segment.path, content);
    else await replaceFile(disk, segment.path, content);
    this.#segments[index] = { ...segment, firstSeq, before, isMerged, bytes: content.length };
    this.#recent.clear();
    this.#reading = undefined;
  }

  /** A tail in which nothing was sealed ends where the new segment begins, so it holds no range. */
  #dropEmptyTail(firstSeq: number): void {
    while (this.#segments.length > 0 && this.#segments.at(-1)!.firstSeq >= firstSeq) {
      const { path } = this.#segments.pop()!;
      // Deleting it is tidiness: the index drops it as well.
      void this.#options.disk.remove(path).catch(() => {});
    }
  }

  /** As far as it was read. */
  #isGivenUp(index: number, acked: number): boolean {
    const from = this.#givenUp.get(this.#segments[index]!.ordinal);
    return from !== undefined && from <= acked + 1;
  }

  #lastSeqAt(index: number): number {
    const next = this.#segments[index + 1];
    return next ? next.firstSeq - 1 : this.#lastSealed;
  }

  #rangeAt(index: number): SegmentRange {
    const { firstSeq, before } = this.#segments[index]!;
    return { firstSeq, before, lastSeq: this.#lastSeqAt(index), after: this.#beforeOf(index + 1) };
  }

  #beforeOf(index: number): number {
    return this.#segments[index]?.before ?? this.#after;
  }
}

const MARKS = 256;

function reasonOf(skip: SpoolEntry): string {
  return (JSON.parse(skip.text) as { reason: string }).reason;
}
