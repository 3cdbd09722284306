import { OUTCOME_LIMITS } from '../outcome.ts';
import { ABSENT } from './byte-text.ts';
import { JsonText } from './json-text.ts';

interface Entry {
  /** As the label was written, escapes and all. */
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** A power of two; labels that fall on one place take turns there. */
const PLACES = 1_024;
const { labelCharacters } = OUTCOME_LIMITS;

/** Gives the same string for the same bytes, without reading them anew each time: labels repeat. */
export class LabelTexts {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #places: (Entry | undefined)[] = new Array<Entry | undefined>(PLACES).fill(undefined);
  readonly #text = new JsonText(labelCharacters);

  /** @param view  in which SLACK_BYTES lie behind every label */
  constructor(view: DataView) {
    this.#view = view;
    this.#bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }

  /**
   * @param start  behind a label's opening quotation mark
   * @param end    of its closing one
   * @returns what the label says; undefined when it is none, see `isPlainText`
   */
  at(start: number, end: number): string | undefined {
    const length = end - start;
    if (length === 0) return '';
    const place = this.#placeOf(start, length);
    const entry = this.#places[place];
    if (entry !== undefined && entry.bytes.length === length && this.#isAt(start, entry.bytes))
      return entry.text;
    if (this.#text.read(this.#view, start) === ABSENT) return undefined;
    const text = this.#text.toString();
    this.#places[place] = { bytes: this.#bytes.slice(start, end), text };
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
    for (let i = 0; i < bytes.length; i += 1) if (this.#bytes[start + i] !== bytes[i]) return false;
    return true;
  }
}
