import { isControl } from '../text.ts';
import { ABSENT, hexadecimalAt, SLACK_BYTES } from './byte-text.ts';

const [QUOTE, BACKSLASH, LOWER_U] = [0x22, 0x5c, 0x75] as const;
/** Stands for itself behind a backslash, as do the two above; any other letter there is a control character. */
const SLASH = 0x2f;
/** Of `\"`, and of `\uXXXX`. */
const [ESCAPE_BYTES, UNICODE_ESCAPE_BYTES] = [2, 6] as const;
const [FIRST_HIGH, FIRST_LOW, LAST_LOW] = [0xd800, 0xdc00, 0xdfff] as const;
const [FIRST_SUPPLEMENTARY, LAST_POINT] = [0x1_0000, 0x10_ffff] as const;
/** By the bytes of its UTF-8, the first code point that needs so many; a smaller one in as many is overlong. */
const LEAST_POINTS = [0, 0, 0x80, 0x800, FIRST_SUPPLEMENTARY] as const;
/** Of UTF-8 at most; the two units of a pair take four. */
const BYTES_A_UNIT = 3;

/** To which a byte order mark within a line is a character like others. */
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The text that a JSON string stands for, read at byte level into UTF-8: with its escapes replaced, and looked at
 * for what `isPlainText` refuses.
 */
export class JsonText {
  /** Bytes of the text that was read last. */
  length = 0;
  /** That text's UTF-8, and room for readers that look ahead. */
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  readonly #mostUnits: number;
  /** The code point read last, and where it ends in the string. */
  #point = 0;
  #end = 0;

  /** @param mostUnits  UTF-16 units a text may have */
  constructor(mostUnits: number) {
    this.#mostUnits = mostUnits;
    this.#bytes = new Uint8Array(mostUnits * BYTES_A_UNIT + SLACK_BYTES);
    this.view = new DataView(this.#bytes.buffer);
  }

  /** A string of the text that was read last. */
  toString(): string {
    return DECODER.decode(this.#bytes.subarray(0, this.length));
  }

  /**
   * @param start  behind the string's opening quotation mark; SLACK_BYTES of the view lie behind the string
   * @returns the position of the closing one, or ABSENT for what is no string of JSON in sound UTF-8, has a control
   *          character or half a surrogate pair, or is too long
   */
  read(view: DataView, start: number): number {
    this.length = 0;
    let units = 0;
    for (let at = start; ; at = this.#end) {
      const byte = view.getUint8(at);
      if (byte === QUOTE) return at;
      if (!this.#readPoint(view, at, byte)) return ABSENT;
      const point = this.#point;
      units += point < FIRST_SUPPLEMENTARY ? 1 : 2;
      if (isControl(point) || units > this.#mostUnits) return ABSENT;
      this.#write(point);
    }
  }

  #readPoint(view: DataView, at: number, first: number): boolean {
    if (first === BACKSLASH) return this.#readEscape(view, at);
    return first < 0x80 ? this.#found(first, at + 1) : this.#readSequence(view, at, first);
  }

  #found(point: number, end: number): boolean {
    this.#point = point;
    this.#end = end;
    return true;
  }

  #readEscape(view: DataView, at: number): boolean {
    const escaped = view.getUint8(at + 1);
    if (escaped === QUOTE || escaped === BACKSLASH || escaped === SLASH)
      return this.#found(escaped, at + ESCAPE_BYTES);
    const unit = unitAt(view, at);
    if (unit < FIRST_HIGH || unit > LAST_LOW)
      return unit !== ABSENT && this.#found(unit, at + UNICODE_ESCAPE_BYTES);
    const second = unit < FIRST_LOW ? unitAt(view, at + UNICODE_ESCAPE_BYTES) : ABSENT;
    if (second < FIRST_LOW || second > LAST_LOW) return false;
    const point = FIRST_SUPPLEMENTARY + ((unit - FIRST_HIGH) << 10) + (second - FIRST_LOW);
    return this.#found(point, at + 2 * UNICODE_ESCAPE_BYTES);
  }

  #readSequence(view: DataView, at: number, first: number): boolean {
    const bytes = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    // Two ones or more, as many as there are bytes, and a zero lead; what is left of the byte begins the number.
    if (first < 0xc0 || first > 0xf7) return false;
    let point = first & (0x7f >> bytes);
    for (let i = 1; i < bytes; i += 1) {
      const next = view.getUint8(at + i);
      if ((next & 0xc0) !== 0x80) return false;
      point = (point << 6) | (next & 0x3f);
    }
    const isSurrogate = point >= FIRST_HIGH && point <= LAST_LOW;
    return (
      point >= LEAST_POINTS[bytes]! && point <= LAST_POINT && !isSurrogate && this.#found(point, at + bytes)
    );
  }

  #write(point: number): void {
    const bytes = this.#bytes;
    if (point < 0x80) {
      bytes[this.length++] = point;
      return;
    }
    if (point < 0x800) {
      bytes[this.length++] = 0xc0 | (point >> 6);
    } else {
      if (point < FIRST_SUPPLEMENTARY) {
        bytes[this.length++] = 0xe0 | (point >> 12);
      } else {
        bytes[this.length++] = 0xf0 | (point >> 18);
        bytes[this.length++] = 0x80 | ((point >> 12) & 0x3f);
      }
      bytes[this.length++] = 0x80 | ((point >> 6) & 0x3f);
    }
    bytes[this.length++] = 0x80 | (point & 0x3f);
  }
}

/** Of `\uXXXX`, or ABSENT. */
function unitAt(view: DataView, at: number): number {
  const isEscape = view.getUint8(at) === BACKSLASH && view.getUint8(at + 1) === LOWER_U;
  return isEscape ? hexadecimalAt(view, at + 2) : ABSENT;
}
