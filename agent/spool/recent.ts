import type { SpoolEntry } from './batch-record.ts';

/** The newest entries, up to a number of bytes, so that a live link does not read the disk. */
export class RecentEntries {
  readonly #maxBytes: number;
  readonly #entries = new Map<number, SpoolEntry>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The entry that begins with `seq`. */
  get(seq: number): SpoolEntry | undefined {
    return this.#entries.get(seq);
  }

  add(entry: SpoolEntry): void {
    this.#entries.set(entry.from, entry);
    this.#bytes += entry.text.length;
    for (const seq of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#delete(seq);
    }
  }

  forgetThrough(lastSeq: number): void {
    for (const seq of this.#entries.keys()) {
      if (seq > lastSeq) break;
      this.#delete(seq);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #delete(seq: number): void {
    this.#bytes -= this.#entries.get(seq)?.text.length ?? 0;
    this.#entries.delete(seq);
  }
}
