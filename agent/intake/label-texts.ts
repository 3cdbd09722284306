interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** A power of two; labels that fall on one place take turns there. */
const PLACES = 1_024;

/** Gives the same string for the same bytes, without making it anew each time: labels repeat. */
export class LabelTexts {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  readonly #places: (Entry | undefined)[] = new Array<Entry | undefined>(PLACES).fill(undefined);

  /** @param view of the same bytes as `buffer`, with four to spare behind every label */
  constructor(buffer: Buffer, view: DataView) {
    this.#buffer = buffer;
    this.#view = view;
  }

  /** @returns the printable ASCII in [start, end) */
  at(start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    const place = this.#placeOf(start, length);
    const entry = this.#places[place];
    if (entry !== undefined && entry.bytes.length === length && this.#isAt(start, entry.bytes))
      return entry.text;
    const text = this.#buffer.toString('latin1', start, end);
    this.#places[place] = { bytes: Uint8Array.from(this.#buffer.subarray(start, end)), text };
    return text;
  }

  /** By the first and last four bytes, where labels mostly differ. */
  #placeOf(start: number, length: number): number {
    const head = this.#view.getInt32(start, true) & (length < 4 ? (1 << (length * 8)) - 1 : -1);
    const tail = length < 4 ? 0 : this.#view.getInt32(start + length - 4, true);
    const mixed = Math.imul(Math.imul(head, 0x2c1b3c6d) ^ tail, 0x297a2d39) + length;
    return (mixed ^ (mixed >>> 15)) & (PLACES - 1);
  }

  #isAt(start: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i += 1) if (this.#buffer[start + i] !== bytes[i]) return false;
    return true;
  }
}
