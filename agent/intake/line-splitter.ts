import { isUtf8 } from 'node:buffer';

/** A line that is longer cannot be an outcome; it is dropped as it comes and reported once. */
export const LINE_BYTES = 64 * 1024;

export const TOO_LONG = `the line has more than ${LINE_BYTES} bytes; write one outcome a line`;

/**
 * Stands for a line that is not UTF-8, which `Receiver` refuses. Decoded all the same, different bytes would become
 * one U+FFFD and different ids equal, so that one of two outcomes would be lost without a word. A line that says
 * these words itself is no JSON, and refused as well.
 */
export const NOT_UTF8 = '\uFFFD is not UTF-8';

/** What a line says; `NOT_UTF8` when that is in doubt. */
export function lineText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : NOT_UTF8;
}

/** The byte order mark that some editors and shells put before a text, and that is no part of it. */
const MARK = Buffer.from('\uFEFF');

/** Bytes to pass over before a text begins: 3 or 0. */
export function markBytes(bytes: Buffer): number {
  return bytes.subarray(0, MARK.length).equals(MARK) ? MARK.length : 0;
}

export interface SplitLine {
  /** Without its line feed; undefined for a line that was too long. */
  readonly text: string | undefined;
  /** Bytes of the stream up to and including this line's line feed. */
  readonly end: number;
}

const LINE_FEED = 10;

/** Cuts a stream of bytes into lines. Holds at most one line that is not complete yet. */
export class LineSplitter {
  #half: Buffer[] = [];
  #halfBytes = 0;
  #isTooLong = false;
  #offset: number;
  /** Nothing of the stream comes before the line. */
  #isFirst: boolean;

  /** @param offset of the first byte in the stream */
  constructor(offset = 0) {
    this.#offset = offset;
    this.#isFirst = offset === 0;
  }

  /** Bytes of an incomplete line at the end. */
  get halfBytes(): number {
    return this.#halfBytes;
  }

  /** @returns the lines that `bytes` completes */
  push(bytes: Buffer): SplitLine[] {
    const lines: SplitLine[] = [];
    let start = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED, start)) {
      lines.push(this.#line(bytes.subarray(start, feed), this.#offset + feed + 1));
      start = feed + 1;
    }
    this.#keep(bytes.subarray(start));
    this.#offset += bytes.length;
    return lines;
  }

  /** The incomplete line at the end of the stream, which its writer did not finish. */
  rest(): string | undefined {
    return this.#halfBytes === 0 || this.#isTooLong ? undefined : this.#text();
  }

  #text(): string {
    const bytes = Buffer.concat(this.#half);
    return lineText(this.#isFirst ? bytes.subarray(markBytes(bytes)) : bytes);
  }

  #line(end: Buffer, endOffset: number): SplitLine {
    this.#keep(end);
    const text = this.#isTooLong ? undefined : this.#text();
    this.#isFirst = false;
    this.#half = [];
    this.#halfBytes = 0;
    this.#isTooLong = false;
    return { text, end: endOffset };
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#halfBytes += part.length;
    if (this.#halfBytes > LINE_BYTES) {
      this.#isTooLong = true;
      this.#half = [];
    } else this.#half.push(Buffer.from(part));
  }
}
