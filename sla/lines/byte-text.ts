/**
 * Reading ASCII four bytes at a time. Every function may look up to SLACK_BYTES past the position it is given,
 * so a buffer needs that much room behind its last line.
 */
export const SLACK_BYTES = 16;

/** "Not given" and "not read" in byte-level code, where undefined would cost a second type. */
export const ABSENT = -1;

const [SPACE, ZERO, LOWER_A] = [0x20, 0x30, 0x61] as const;

/** A word of 4 to 12 ASCII characters as three overlapping little-endian numbers that cover it. */
export interface Word {
  readonly length: number;
  readonly head: number;
  readonly middle: number;
  readonly middleAt: number;
  readonly tail: number;
  readonly tailAt: number;
}

export function wordOf(text: string): Word {
  if (text.length < 4 || text.length > 12) throw new RangeError(`a word has 4 to 12 characters: ${text}`);
  const bytes = new DataView(new TextEncoder().encode(text).buffer);
  const tailAt = text.length - 4;
  const middleAt = Math.min(4, tailAt);
  return {
    length: text.length,
    head: bytes.getInt32(0, true),
    middle: bytes.getInt32(middleAt, true),
    middleAt,
    tail: bytes.getInt32(tailAt, true),
    tailAt,
  };
}

export function isWordAt(view: DataView, at: number, word: Word): boolean {
  return (
    view.getInt32(at, true) === word.head &&
    view.getInt32(at + word.tailAt, true) === word.tail &&
    view.getInt32(at + word.middleAt, true) === word.middle
  );
}

/**
 * Marks, by the high bit of each, the bytes of four that are not plain: a quote, a backslash, a control character,
 * or anything beyond ASCII. The lowest mark is right; one above it may be wrong, by a borrow or a carry.
 */
export function marksOf(four: number): number {
  // The usual zero-byte test, for quotes and for backslashes; then bytes below space, DEL, and the high bit.
  const quotes = four ^ 0x22222222;
  const backslashes = four ^ 0x5c5c5c5c;
  return (
    (((quotes - 0x01010101) & ~quotes) |
      ((backslashes - 0x01010101) & ~backslashes) |
      (four - 0x20202020) |
      (four + 0x01010101) |
      four) &
    0x80808080
  );
}

/** Which of the four bytes, 0 to 3, is the first one marked. */
export function firstMark(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3;
}

/** The first position from `at` whose byte is not plain. The caller guarantees that there is one. */
export function plainEnd(view: DataView, at: number): number {
  for (let position = at; ; position += 4) {
    const marks = marksOf(view.getInt32(position, true));
    if (marks !== 0) return position + firstMark(marks);
  }
}

/** The first position from `at` whose byte is no space. */
export function behindSpaces(view: DataView, at: number): number {
  let end = at;
  while (view.getUint8(end) === SPACE) end += 1;
  return end;
}

/** The number that four hexadecimal digits write, or ABSENT. */
export function hexadecimalAt(view: DataView, start: number): number {
  let value = 0;
  for (let at = start; at < start + 4; at += 1) {
    const byte = view.getUint8(at);
    const digit = byte - ZERO;
    const letter = (byte | 0x20) - LOWER_A;
    if (digit >= 0 && digit <= 9) value = value * 16 + digit;
    else if (letter >= 0 && letter <= 5) value = value * 16 + 10 + letter;
    else return ABSENT;
  }
  return value;
}
