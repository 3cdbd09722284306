import { join } from 'node:path';
import type { Disk, OverwrittenFile } from './disk.ts';
import { decodeCommit, type IntakeTotals } from './intake-record.ts';
import { readAround } from './read-around.ts';
import { encodeRecord, RECORD_TYPES, recordAt, type SpoolRecord } from './record.ts';

const SLOTS = ['high-water-0', 'high-water-1'] as const;

/** Up to which group the journal was confirmed, and the totals at its end. */
export interface HighWater {
  readonly number: number;
  readonly totals: IntakeTotals;
}

/**
 * A second copy of the journal's last commit, beside the journal. Should the disk lose the end of that, nothing
 * behind it tells what it held; this does, to the single outcome.
 *
 * Written after the group is on disk and before it is confirmed, over two files in turn, so that damage to one
 * leaves the other. Never synced: a mark that is older than the journal says nothing that the journal does not
 * say better, so that an fsync for each group would buy nothing.
 */
export class HighWaterMark {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: (OverwrittenFile | undefined)[] = [undefined, undefined];
  #next = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** A mark that cannot be written stays behind, which makes only a loss of the journal's end less exact. */
  async write(commit: SpoolRecord): Promise<void> {
    const slot = this.#next;
    this.#next = 1 - slot;
    try {
      this.#files[slot] ??= await this.#disk.overwrite(join(this.#directory, SLOTS[slot]!));
      await this.#files[slot].write(encodeRecord(commit));
    } catch {
      await this.#close(slot);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#close(0), this.#close(1)]);
  }

  async #close(slot: number): Promise<void> {
    const file = this.#files[slot];
    this.#files[slot] = undefined;
    await file?.close().catch(() => {});
  }
}

/** @returns the later of the two that are sound; undefined when neither is */
export async function readHighWater(disk: Disk, directory: string): Promise<HighWater | undefined> {
  const slots = await Promise.all(SLOTS.map((name) => readAround(disk, join(directory, name))));
  const marks = slots.flatMap(({ bytes }): HighWater[] => {
    const found = recordAt(bytes, 0);
    if (found.status !== 'record' || found.record.type !== RECORD_TYPES.commit) return [];
    return [{ number: found.record.seq, totals: decodeCommit(found.record) }];
  });
  return marks.sort((a, b) => b.number - a.number)[0];
}
