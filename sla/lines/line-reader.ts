import { CAUSES } from '../cause.ts';
import { OUTCOME_LIMITS } from '../outcome.ts';
import { ABSENT, behindSpaces, isWordAt, plainEnd, wordOf } from './byte-text.ts';
import { IdHash } from './id-hash.ts';
import { InstantReader } from './instant-reader.ts';
import { JsonText } from './json-text.ts';
import { fractionEnd, NULL, stringEnd, unescapedEnd, valueEnd } from './json-value.ts';
import { LabelTexts } from './label-texts.ts';

/**
 * The answer to a line that leaves a doubt. The reader knows the documented fields in any order, each at most
 * once and by its usual name: labels and ids in any sound text, times in any form of RFC 3339 but a leap second,
 * numbers of up to 15 digits without an exponent or minus zero, results and causes without escapes. Of white space
 * it knows spaces, and other fields it passes over, nested up to `DEPTH_MAX`. The caller parses any other line in
 * full, so the reader may be narrow; but what it accepts must mean exactly what the full parser says it means, and
 * the fuzz test holds it to that. One thing it does not look at: whether texts that nobody reads are sound UTF-8.
 */
export const UNUSUAL = ABSENT;

const [QUOTE, COMMA, COLON, MINUS, DOT, ZERO, OPEN, CLOSE] = [
  0x22, 0x2c, 0x3a, 0x2d, 0x2e, 0x30, 0x7b, 0x7d,
] as const;
const [CR, LF] = [0x0d, 0x0a] as const;

/** More digits than this are left to the full parser; any integer up to here is exact in a double. */
const INTEGER_DIGITS = 15;

/** The documented fields by number; a record's key names one of them. */
export const FIELD = {
  service: 0,
  at: 1,
  result: 2,
  platform: 3,
  region: 4,
  app: 5,
  code: 6,
  extraCode: 7,
  cause: 8,
  count: 9,
  id: 10,
  durationMs: 11,
} as const;
const NO_FIELD = 12;

/** How a field's value is read. */
const [LABEL, INTEGER, INSTANT, RESULT, CAUSE, ID, DURATION] = [0, 1, 2, 3, 4, 5, 6] as const;

/** Of each field, by its number: its key with the quotation marks, and the bounds of its value. */
const NAMES = Object.keys(FIELD);
const KEYS = NAMES.map((name) => wordOf(`"${name}"`));
// In flat arrays, as they are compared for every field of every line.
const HEADS = Int32Array.from(KEYS, ({ head }) => head);
const MIDDLES = Int32Array.from(KEYS, ({ middle }) => middle);
const TAILS = Int32Array.from(KEYS, ({ tail }) => tail);
const MIDDLES_AT = Uint8Array.from(KEYS, ({ middleAt }) => middleAt);
const TAILS_AT = Uint8Array.from(KEYS, ({ tailAt }) => tailAt);
const LENGTHS = Uint8Array.from(KEYS, ({ length }) => length);
const KINDS = Uint8Array.of(
  LABEL,
  INSTANT,
  RESULT,
  LABEL,
  LABEL,
  LABEL,
  INTEGER,
  INTEGER,
  CAUSE,
  INTEGER,
  ID,
  DURATION,
);
const { labelCharacters, idCharacters, count: mostOutcomes, minMs, maxMs } = OUTCOME_LIMITS;
const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number;
/** Bounds of each integer, by its field. */
const LEAST = Float64Array.of(0, 0, 0, 0, 0, 0, MIN_SAFE_INTEGER, MIN_SAFE_INTEGER, 0, 1, 0, 0);
const MOST = Float64Array.from(NAMES, (name) => (name === 'count' ? mostOutcomes : MAX_SAFE_INTEGER));

const OK = wordOf('"ok"');
const FAILED = wordOf('"failed"');
const CAUSE_WORDS = CAUSES.map((cause) => wordOf(`"${cause}"`));

/** Reads one outcome line at byte level, without a string or an object being made for it. */
export class LineReader {
  // What the last line said; valid after `read` returned a position, until it is called again.
  /** Only when the line has a time. */
  startedAtMs = 0;
  isFailed = false;
  /** Index into CAUSES; only when the line has a cause. */
  causeIndex = 0;
  /** Of the id; only when the line has one. */
  readonly id = new IdHash();
  /** By field number, only of those that the line has. */
  readonly integers = new Float64Array(NO_FIELD);

  readonly #view: DataView;
  readonly #instants = new InstantReader();
  readonly #labels: LabelTexts;
  /** By field number: the byte range [start, end) of a label as it is written. */
  readonly #starts = new Int32Array(NO_FIELD);
  readonly #ends = new Int32Array(NO_FIELD);
  /** Of an id or a time that has escapes, or an id beyond ASCII. */
  readonly #text = new JsonText(idCharacters);
  /** Fields of the line, one bit each. */
  #seen = 0;
  /** The field that came after each one in the last line where it did: lines mostly keep one order. */
  readonly #following = new Uint8Array(NO_FIELD + 1);
  /** The value of the last integer read. */
  #integer = 0;

  /** @param view  what is read from; SLACK_BYTES of it lie behind the last line feed */
  constructor(view: DataView) {
    this.#view = view;
    this.#labels = new LabelTexts(view);
  }

  /** Whether the last line had a field. */
  has(field: number): boolean {
    return (this.#seen & (1 << field)) !== 0;
  }

  /** Of a label that the last line has; the same string each time. */
  label(field: number): string {
    return this.#labels.at(this.#starts[field]!, this.#ends[field]!)!;
  }

  /**
   * @param start  of a line; its line feed is in the view. No part of an accepted line is a line feed, so
   *               every loop below stops there by itself.
   * @returns the position after the line feed, or UNUSUAL
   */
  read(start: number): number {
    const view = this.#view;
    let at = behindSpaces(view, start);
    if (view.getUint8(at) !== OPEN) return UNUSUAL;
    at = behindSpaces(view, at + 1);
    // One bit a field: those that came, and those of them that are as if they had not.
    let met = 0;
    let nulls = 0;
    let previous: number = NO_FIELD;
    for (;;) {
      let field = this.#following[previous]!;
      if (!isKeyAt(view, at, field)) {
        field = fieldAt(view, at);
        this.#following[previous] = field === NO_FIELD ? 0 : field;
      }
      const isOther = field === NO_FIELD;
      at = this.#behindColon(isOther ? this.#otherKeyEnd(at) : at + LENGTHS[field]!);
      if (at === UNUSUAL) return UNUSUAL;
      if (isOther) {
        at = valueEnd(view, at);
      } else {
        const bit = 1 << field;
        // The last one of a repeated key wins in JSON; that is for the full parser to sort out.
        if ((met & bit) !== 0) return UNUSUAL;
        met |= bit;
        previous = field;
        const end = this.#readValue(field, at);
        if (end === UNUSUAL && isWordAt(view, at, NULL)) {
          nulls |= bit;
          at += NULL.length;
        } else at = end;
      }
      if (at === UNUSUAL) return UNUSUAL;
      at = behindSpaces(view, at);
      const next = view.getUint8(at);
      if (next !== COMMA && next !== CLOSE) return UNUSUAL;
      at = behindSpaces(view, at + 1);
      if (next === CLOSE) break;
    }
    this.#seen = met & ~nulls;
    if (!this.has(FIELD.result)) return UNUSUAL;
    if (view.getUint8(at) === CR) at += 1;
    return view.getUint8(at) === LF ? at + 1 : UNUSUAL;
  }

  /** @param at  behind a key, or UNUSUAL */
  #behindColon(at: number): number {
    if (at === UNUSUAL) return UNUSUAL;
    const colon = behindSpaces(this.#view, at);
    return this.#view.getUint8(colon) === COLON ? behindSpaces(this.#view, colon + 1) : UNUSUAL;
  }

  /** Behind a key that means nothing here; not one with escapes, which may be another way to write one that does. */
  #otherKeyEnd(at: number): number {
    if (this.#view.getUint8(at) !== QUOTE) return UNUSUAL;
    const end = unescapedEnd(this.#view, at + 1);
    return this.#view.getUint8(end) === QUOTE ? end + 1 : UNUSUAL;
  }

  /** @returns the position behind the value, or UNUSUAL */
  #readValue(field: number, at: number): number {
    const view = this.#view;
    const kind = KINDS[field]!;
    if (kind === LABEL) return this.#readLabel(field, at);
    if (kind === ID) return this.#readId(at);
    if (kind === INTEGER) {
      const end = this.#readInteger(at);
      const value = this.#integer;
      this.integers[field] = value;
      return value >= LEAST[field]! && value <= MOST[field]! ? end : UNUSUAL;
    }
    if (kind === INSTANT) return this.#readInstant(at);
    if (kind === DURATION) {
      const end = this.#readDigits(at);
      return end === UNUSUAL || this.#integer < 0 ? UNUSUAL : fractionEnd(view, end);
    }
    if (kind === RESULT) {
      this.isFailed = !isWordAt(view, at, OK);
      if (!this.isFailed) return at + OK.length;
      return isWordAt(view, at, FAILED) ? at + FAILED.length : UNUSUAL;
    }
    return this.#readCause(at);
  }

  #readLabel(field: number, at: number): number {
    const view = this.#view;
    if (view.getUint8(at) !== QUOTE) return UNUSUAL;
    const start = at + 1;
    let end = plainEnd(view, start);
    if (view.getUint8(end) !== QUOTE) {
      end = stringEnd(view, at) - 1;
      if (end < start || this.#labels.at(start, end) === undefined) return UNUSUAL;
    } else if (end - start > labelCharacters) return UNUSUAL;
    this.#starts[field] = start;
    this.#ends[field] = end;
    return end + 1;
  }

  #readId(at: number): number {
    const view = this.#view;
    if (view.getUint8(at) !== QUOTE) return UNUSUAL;
    const start = at + 1;
    let end = this.id.ofPlain(view, start);
    if (view.getUint8(end) !== QUOTE) {
      end = this.#text.read(view, start);
      if (end === ABSENT) return UNUSUAL;
      this.id.ofUtf8(this.#text.view, this.#text.length);
    } else if (end - start > idCharacters) return UNUSUAL;
    return end === start ? UNUSUAL : end + 1;
  }

  #readInstant(at: number): number {
    let end: number;
    if (this.#view.getUint8(at) === QUOTE) {
      end = this.#instants.read(this.#view, at + 1);
      // .NET writes a plus as an escape.
      if (end === ABSENT || this.#view.getUint8(end) !== QUOTE) end = this.#readEscapedInstant(at + 1);
      if (end === UNUSUAL) return UNUSUAL;
      end += 1;
      this.startedAtMs = this.#instants.instantMs;
    } else {
      end = this.#readInteger(at);
      this.startedAtMs = this.#integer;
    }
    return this.startedAtMs >= minMs && this.startedAtMs < maxMs ? end : UNUSUAL;
  }

  /** @returns the position of the closing quotation mark, or UNUSUAL */
  #readEscapedInstant(start: number): number {
    const text = this.#text;
    const end = text.read(this.#view, start);
    return end !== ABSENT && this.#instants.read(text.view, 0) === text.length ? end : UNUSUAL;
  }

  #readCause(at: number): number {
    this.causeIndex = CAUSE_WORDS.findIndex((word) => isWordAt(this.#view, at, word));
    const word = CAUSE_WORDS[this.causeIndex];
    return word === undefined ? UNUSUAL : at + word.length;
  }

  /** A JSON integer without exponent, also with zeros behind a point; minus zero is left alone. */
  #readInteger(start: number): number {
    const view = this.#view;
    let at = this.#readDigits(start);
    if (at === UNUSUAL || view.getUint8(at) !== DOT) return at;
    const point = at;
    do at += 1;
    while (view.getUint8(at) === ZERO);
    return at > point + 1 ? at : UNUSUAL;
  }

  /** The whole part of a JSON number; minus zero is left alone. */
  #readDigits(start: number): number {
    const view = this.#view;
    const isNegative = view.getUint8(start) === MINUS;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let value = 0;
    for (let digit = view.getUint8(at) - ZERO; digit >= 0 && digit <= 9; digit = view.getUint8(++at) - ZERO) {
      if (at - first >= INTEGER_DIGITS) return UNUSUAL;
      value = value * 10 + digit;
    }
    const digits = at - first;
    if (digits === 0 || (view.getUint8(first) === ZERO && (digits > 1 || isNegative))) return UNUSUAL;
    this.#integer = isNegative ? -value : value;
    return at;
  }
}

function fieldAt(view: DataView, at: number): number {
  for (let field = 0; field < NO_FIELD; field++) if (isKeyAt(view, at, field)) return field;
  return NO_FIELD;
}

function isKeyAt(view: DataView, at: number, field: number): boolean {
  return (
    view.getInt32(at, true) === HEADS[field] &&
    view.getInt32(at + TAILS_AT[field]!, true) === TAILS[field] &&
    view.getInt32(at + MIDDLES_AT[field]!, true) === MIDDLES[field]
  );
}
