/** A line that is longer cannot be an outcome; it is dropped as it comes and reported once. */
export const LINE_BYTES = 64 * 1024;

export const TOO_LONG = `the line has more than ${LINE_BYTES} bytes; write one outcome a line`;

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

  /** @param offset of the first byte in the stream */
  constructor(offset = 0) {
    this.#offset = offset;
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
    return this.#halfBytes === 0 || this.#isTooLong ? undefined : Buffer.concat(this.#half).toString('utf8');
  }

  #line(end: Buffer, endOffset: number): SplitLine {
    this.#keep(end);
    const text = this.#isTooLong ? undefined : Buffer.concat(this.#half).toString('utf8');
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
