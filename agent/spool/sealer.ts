import { batchEntry, type SpoolEntry } from './batch-record.ts';
import type { Group } from './group-commit.ts';
import type { IntakeTotals, Positions } from './intake-record.ts';
import { OpenBatch } from './open-batch.ts';
import type { Parts } from './parts.ts';
import type { ReportedServices } from './reported-services.ts';

export interface SealerOptions {
  readonly services: ReportedServices;
  /** For batches without cells. */
  readonly clockOffsetMs: () => number | null;
  readonly nowMs: () => number;
  readonly onSealed: () => void;
}

/**
 * Journals what is accepted under one identity and seals it into batches. Its steps must not overlap, so that a group
 * is journalled for exactly the batch it is sealed in.
 */
export class Sealer {
  readonly #parts: Parts;
  readonly #options: SealerOptions;
  readonly #open = new OpenBatch();
  #openSeq: number;
  #accepted: number;
  #positions: Positions;
  /** A batch whose content is fixed and that could not be written yet. */
  #frozen: SpoolEntry | undefined;

  /** @param positions  of followed files, as they are in the journal or will be by `begin` */
  constructor(parts: Parts, positions: Positions, options: SealerOptions) {
    this.#parts = parts;
    this.#positions = positions;
    this.#options = options;
    this.#openSeq = parts.batches.lastSealed + 1;
    this.#accepted = parts.batches.after;
  }

  get positions(): Positions {
    return this.#positions;
  }

  get isEmpty(): boolean {
    return this.#open.isEmpty && this.#frozen === undefined;
  }

  /** Begins a journal that stands for what is sealed, whatever was done to the batches since this was made. */
  async begin(): Promise<void> {
    const { batches, journal } = this.#parts;
    const nowMs = this.#options.nowMs();
    this.#openSeq = batches.lastSealed + 1;
    this.#accepted = batches.after;
    await journal.mark(this.#totals(), nowMs);
    await journal.drop(batches.lastSealed, nowMs);
  }

  /** @throws SpoolWriteError; the group was then not accepted */
  async write({ tally, clockOffsetMs, ids, positions }: Group): Promise<void> {
    const nowMs = this.#options.nowMs();
    if (!this.#open.takes(tally, clockOffsetMs)) await this.seal();

    const cells = tally.list();
    const before = this.#totals();
    const totals = {
      ...before,
      accepted: before.accepted + tally.outcomes,
      positions: { ...this.#positions, ...Object.fromEntries(positions) },
    };
    await this.#parts.journal.append({ totals, clockOffsetMs, cells, ids: ids.bytes() }, { before, nowMs });

    this.#open.add(cells, clockOffsetMs);
    this.#accepted = totals.accepted;
    this.#positions = totals.positions;
    // Too early a seal is no failure of the group: it is durable, and the next tick seals again.
    if (this.#open.isFull) await this.seal().catch(() => {});
  }

  /**
   * Seals what is open into one batch; an empty one when the minute has none yet.
   * @throws SpoolWriteError; the batch is then fixed and is written by a later call
   */
  async seal(): Promise<void> {
    await this.#writeFrozen();
    this.#frozen = this.#freeze(this.#options.nowMs());
    await this.#writeFrozen();
  }

  async #writeFrozen(): Promise<void> {
    if (!this.#frozen) return;
    const { batches, journal } = this.#parts;
    await batches.append(this.#frozen);
    this.#frozen = undefined;
    this.#options.onSealed();
    await journal.drop(batches.lastSealed, this.#options.nowMs());
  }

  /**
   * Fixes the content of the next batch. From here on groups belong to the one after it, even if writing this
   * one fails: a failed file may hold it, and then it must not exist in two versions.
   */
  #freeze(nowMs: number): SpoolEntry | undefined {
    const { services, clockOffsetMs } = this.#options;
    if (services.isEmpty) return undefined;
    const content = this.#open.freeze(services.watched, clockOffsetMs(), nowMs);
    if (!content) return undefined;
    const place = { before: this.#parts.batches.after, sealedAtMs: nowMs };
    const entry = batchEntry({ seq: this.#openSeq, ...content }, place);
    this.#openSeq += 1;
    return entry;
  }

  #totals(): IntakeTotals {
    return { openSeq: this.#openSeq, accepted: this.#accepted, positions: this.#positions };
  }
}
