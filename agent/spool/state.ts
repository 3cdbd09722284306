import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Disk, isErrno, overwriteFile, replaceFile } from './disk.ts';
import { SPOOL_BOUNDS } from './limits.ts';
import { readAround } from './read-around.ts';

/** The few marks that are not in the logs. */
export interface SpoolState {
  /** Highest seq that may ever have been sent; what is above may still be merged. */
  readonly sendable: number;
  /** Highest seq acknowledged, a few seconds late. */
  readonly acked: number;
  /** Outcomes in the batches up to it. */
  readonly ackedOutcomes: number;
  /** Every service that ever reported here, in the order in which they came. */
  readonly services: readonly string[];
  /** Those of them of which only callbacks came: this agent delivers them and does not watch their outcomes. */
  readonly callbacksOnly: readonly string[];
}

/** Also what a file of an older agent lacks. */
const FRESH: SpoolState = { sendable: 0, acked: 0, ackedOutcomes: 0, services: [], callbacksOnly: [] };
const UNKNOWN = Number.MAX_SAFE_INTEGER;
const SLOTS = ['state-0.json', 'state-1.json'] as const;

/**
 * Keeps the state in two files, written in turn, so that damage to one leaves the other. When either is
 * damaged, `sendable` is not known, and taken as unlimited until `assumeSent`: a batch that was sent must not be merged
 * for want of a mark.
 */
export class StateFile {
  readonly #disk: Disk;
  readonly #directory: string;
  #revision: number;
  #state: SpoolState;

  private constructor(disk: Disk, directory: string, revision: number, state: SpoolState) {
    this.#disk = disk;
    this.#directory = directory;
    this.#revision = revision;
    this.#state = state;
  }

  static async open(disk: Disk, directory: string): Promise<StateFile> {
    const slots = await Promise.all(SLOTS.map((name) => readSlot(disk, join(directory, name))));
    const sound = slots.filter((slot) => typeof slot === 'object');
    const newest = sound.sort((a, b) => b.revision - a.revision)[0];
    let state = { ...FRESH, ...newest?.state };
    if (slots.includes('damaged')) state = { ...state, sendable: UNKNOWN };
    return new StateFile(disk, directory, newest?.revision ?? 0, state);
  }

  get state(): SpoolState {
    return this.#state;
  }

  /**
   * Where the mark of what may have been sent is lost, everything sealed may have been, and what is sealed from now
   * on was not.
   */
  assumeSent(lastSealed: number): void {
    if (this.#state.sendable !== UNKNOWN) return;
    this.#state = { ...this.#state, sendable: lastSealed + SPOOL_BOUNDS.sendAhead };
  }

  async write(change: Partial<SpoolState>): Promise<void> {
    const state = { ...this.#state, ...change };
    await this.#writeSlot(state);
    // A service is known from nowhere else, so both files get it.
    if (change.services) await this.#writeSlot(state);
    this.#state = state;
  }

  async #writeSlot(state: SpoolState): Promise<void> {
    const revision = this.#revision + 1;
    const body = JSON.stringify({ revision, state });
    const path = join(this.#directory, SLOTS[revision % 2]!);
    const content = Buffer.from(`${checksum(body)} ${body}\n`);
    try {
      await replaceFile(this.#disk, path, content);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
      // Without its marks the agent could not send, and a full disk would stay full. A crash half-way damages
      // one of the two files, which is allowed for.
      await overwriteFile(path, content);
    }
    this.#revision = revision;
  }
}

async function readSlot(
  disk: Disk,
  path: string,
): Promise<{ revision: number; state: SpoolState } | 'absent' | 'damaged'> {
  const { bytes, status } = await readAround(disk, path);
  if (status === 'absent') return 'absent';
  const [sum, body] = [bytes.toString('utf8', 0, 8), bytes.toString('utf8', 9, bytes.length - 1)];
  if (sum !== checksum(body)) return 'damaged';
  return JSON.parse(body) as { revision: number; state: SpoolState };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
