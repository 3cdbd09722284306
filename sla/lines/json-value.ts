import { ABSENT, behindSpaces, hexadecimalAt, isWordAt, plainEnd, wordOf } from './byte-text.ts';

const [QUOTE, BACKSLASH, COMMA, COLON, LOWER_U] = [0x22, 0x5c, 0x2c, 0x3a, 0x75] as const;
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
const [MINUS, PLUS, DOT, ZERO, NINE] = [0x2d, 0x2b, 0x2e, 0x30, 0x39] as const;
/** Below it are the control characters, which must be escaped in a string. */
const FIRST_TEXT = 0x20;

export const NULL = wordOf('null');
const [TRUE, FALSE] = [wordOf('true'), wordOf('false')];
/** What a backslash may stand before, but for the `u` of four hexadecimal digits. */
const ESCAPED = new Set(
  ['"', '\\', '/', 'b', 'f', 'n', 'r', 't'].map((character) => character.charCodeAt(0)),
);

/** Lists and objects within each other that are followed; deeper ones are left to the full parser. */
export const DEPTH_MAX = 8;

/**
 * Passes over a JSON value whose content nobody reads. A line feed is part of none, so that every loop ends at one.
 * Strings need not be sound UTF-8, and of white space there are spaces only.
 * @returns the position behind it, or ABSENT for what is no JSON, or none of this plain form
 */
export function valueEnd(view: DataView, start: number, depth = DEPTH_MAX): number {
  const first = view.getUint8(start);
  if (first === QUOTE) return stringEnd(view, start);
  if (first === OPEN || first === OPEN_LIST) return depth === 0 ? ABSENT : membersEnd(view, start, depth - 1);
  if (isWordAt(view, start, TRUE) || isWordAt(view, start, NULL)) return start + TRUE.length;
  return isWordAt(view, start, FALSE) ? start + FALSE.length : numberEnd(view, start);
}

function membersEnd(view: DataView, start: number, depth: number): number {
  const isObject = view.getUint8(start) === OPEN;
  const close = isObject ? CLOSE : CLOSE_LIST;
  let at = behindSpaces(view, start + 1);
  if (view.getUint8(at) === close) return at + 1;
  for (;;) {
    if (isObject) {
      at = view.getUint8(at) === QUOTE ? stringEnd(view, at) : ABSENT;
      if (at === ABSENT) return ABSENT;
      at = behindSpaces(view, at);
      if (view.getUint8(at) !== COLON) return ABSENT;
      at = behindSpaces(view, at + 1);
    }
    at = valueEnd(view, at, depth);
    if (at === ABSENT) return ABSENT;
    at = behindSpaces(view, at);
    const next = view.getUint8(at);
    if (next === close) return at + 1;
    if (next !== COMMA) return ABSENT;
    at = behindSpaces(view, at + 1);
  }
}

/**
 * @param start  of a string's opening quotation mark
 * @returns the position behind the closing one, or ABSENT
 */
export function stringEnd(view: DataView, start: number): number {
  for (let at = start + 1; ; ) {
    at = unescapedEnd(view, at);
    const byte = view.getUint8(at);
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH) return ABSENT;
    const escaped = view.getUint8(at + 1);
    if (escaped === LOWER_U && hexadecimalAt(view, at + 2) !== ABSENT) at += 6;
    else if (ESCAPED.has(escaped)) at += 2;
    else return ABSENT;
  }
}

/** The first quotation mark, backslash or control character (below space) from `start`. */
export function unescapedEnd(view: DataView, start: number): number {
  for (let at = plainEnd(view, start); ; at = plainEnd(view, at + 1)) {
    const byte = view.getUint8(at);
    if (byte === QUOTE || byte === BACKSLASH || byte < FIRST_TEXT) return at;
  }
}

function numberEnd(view: DataView, start: number): number {
  let at = view.getUint8(start) === MINUS ? start + 1 : start;
  const first = at;
  at = digitsEnd(view, at);
  if (at === first || (view.getUint8(first) === ZERO && at > first + 1)) return ABSENT;
  at = fractionEnd(view, at);
  if (at === ABSENT || (view.getUint8(at) | 0x20) !== 0x65) return at;
  const sign = view.getUint8(at + 1);
  const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
  const end = digitsEnd(view, exponent);
  return end === exponent ? ABSENT : end;
}

/** Behind a point and its digits, if there is one. @returns ABSENT for a point without digits */
export function fractionEnd(view: DataView, at: number): number {
  if (view.getUint8(at) !== DOT) return at;
  const end = digitsEnd(view, at + 1);
  return end === at + 1 ? ABSENT : end;
}

function digitsEnd(view: DataView, start: number): number {
  let at = start;
  while (isDigit(view.getUint8(at))) at += 1;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
