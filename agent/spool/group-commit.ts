import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Cell } from '../../protocol/frame.ts';
import type { OutcomeLabels } from '../labels.ts';
import { Tally } from '../tally.ts';
import { ID_BYTES, type IdKey } from './id-key.ts';
import { IdList } from './id-list.ts';
import type { FilePosition } from './intake-record.ts';
import { SPOOL_BOUNDS } from './limits.ts';

/** That an id takes in memory while it waits, in its group and in the memory of ids. */
const WAITING_ID_BYTES = 6 * ID_BYTES;
const NOTHING_TO_WAIT_FOR = Promise.resolve();

/** Outcomes that become durable together. */
export interface Group {
  readonly tally: Tally;
  readonly clockOffsetMs: number | null;
  readonly ids: IdList;
  readonly positions: Map<string, FilePosition>;
  readonly durable: Promise<void>;
  settle(error?: unknown): void;
}

/**
 * Gathers outcomes into groups and has them written one after the other: one fsync for all that arrived
 * while the last one ran. Alone, a group is written at once; in company it waits `gatherMs`, so that a busy
 * agent makes at most 200 fsyncs a second and none waits 50 ms.
 *
 * When a group fails, those behind it fail with it: an outcome told to be a repeat of one in a group that was
 * lost must not be confirmed.
 */
export class GroupCommit {
  readonly #write: (group: Group) => Promise<void>;
  readonly #onFailed: (group: Group) => void;
  #waiting: Group[] = [];
  #writing: Group | undefined;
  #isRunning = false;
  /** What is added now belongs together. */
  #isTogether = false;
  /** The next addition opens a group. */
  #isLastTooFull = false;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  /** @param onFailed  told of each group that is not and will not be durable, before those who wait for it are */
  constructor(write: (group: Group) => Promise<void>, onFailed: (group: Group) => void = () => {}) {
    this.#write = write;
    this.#onFailed = onFailed;
  }

  /** Bytes accepted and not yet durable. */
  get pendingBytes(): number {
    const waiting = this.#waiting.reduce((sum, group) => sum + bytesOf(group), 0);
    return waiting + (this.#writing ? bytesOf(this.#writing) : 0);
  }

  add(cell: Cell, id: IdKey | undefined, clockOffsetMs: number | null): void {
    const group = this.#groupFor(clockOffsetMs);
    group.tally.add(cell);
    if (id !== undefined) group.ids.add(id.high, id.low);
  }

  /** The same for an outcome whose labels are the very same object as those of many others. */
  addSeries(
    { labels, minute, n }: { readonly labels: OutcomeLabels; readonly minute: number; readonly n: number },
    { high, low }: IdKey,
    clockOffsetMs: number | null,
  ): void {
    const group = this.#groupFor(clockOffsetMs);
    group.tally.addSeries(labels, minute, n);
    group.ids.add(high, low);
  }

  /**
   * What `step` adds goes into one group, so that it becomes durable as a whole or not at all. What is more
   * than `togetherBytes` in cells, or of two clock corrections, is split all the same: its sender must look at
   * each outcome's own group.
   * @param bytes,ids  at most what it will add
   */
  together<T>({ bytes, ids }: { bytes: number; ids: number }, step: () => T): T {
    const last = this.#waiting.at(-1);
    this.#isTogether = true;
    this.#isLastTooFull =
      last !== undefined &&
      (last.tally.bytes + bytes > SPOOL_BOUNDS.togetherBytes ||
        last.ids.size + ids > SPOOL_BOUNDS.togetherIds);
    try {
      return step();
    } finally {
      this.#isTogether = false;
      this.#isLastTooFull = false;
    }
  }

  /** Goes with the outcomes added just before it. */
  setPosition(file: string, position: FilePosition, clockOffsetMs: number | null): void {
    const group = this.#waiting.at(-1) ?? this.#groupFor(clockOffsetMs);
    group.positions.set(file, position);
  }

  /**
   * Resolves when everything added so far is durable; rejects when it, or something that waited with it, is not.
   * @returns the same promise for everything in one group; asked for right after an addition, that one's group
   */
  commit(): Promise<void> {
    const durable = this.#waiting.at(-1)?.durable ?? this.#writing?.durable ?? NOTHING_TO_WAIT_FOR;
    if (!this.#isRunning) void this.#run();
    return durable;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // One turn of the loop, so that requests that arrived together share the first group.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const restMs = this.#endedAtMs + SPOOL_BOUNDS.gatherMs - performance.now();
      // A group behind which others wait has no more company to wait for.
      if (restMs > 0 && this.#waiting.length === 1) await sleep(restMs);
      const group = this.#waiting.shift()!;
      this.#writing = group;
      try {
        await this.#write(group);
        this.#writing = undefined;
        group.settle();
      } catch (error) {
        this.#writing = undefined;
        const failed = [group, ...this.#waiting];
        this.#waiting = [];
        for (const one of failed) {
          this.#onFailed(one);
          one.settle(error);
        }
      }
      this.#endedAtMs = performance.now();
    }
    // In the same step as the test above: who awaited the last group may add another in the next.
    this.#isRunning = false;
  }

  #groupFor(clockOffsetMs: number | null): Group {
    const last = this.#waiting.at(-1);
    const { groupBytes, groupIds, togetherBytes, togetherIds } = SPOOL_BOUNDS;
    const hasRoom =
      last !== undefined &&
      !this.#isLastTooFull &&
      last.clockOffsetMs === clockOffsetMs &&
      last.tally.bytes < (this.#isTogether ? togetherBytes : groupBytes) &&
      last.ids.size < (this.#isTogether ? togetherIds : groupIds);
    if (hasRoom) return last;
    this.#isLastTooFull = false;
    const group = newGroup(clockOffsetMs);
    this.#waiting.push(group);
    return group;
  }
}

function newGroup(clockOffsetMs: number | null): Group {
  let settle: (error?: unknown) => void = () => {};
  const durable = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error));
  });
  // Whoever asked for the commit sees the rejection; a group that nobody waits for must not end the process.
  durable.catch(() => {});
  return {
    tally: new Tally(),
    clockOffsetMs,
    ids: new IdList(),
    positions: new Map(),
    durable,
    settle,
  };
}

function bytesOf(group: Group): number {
  return group.tally.bytes + group.ids.size * WAITING_ID_BYTES;
}
