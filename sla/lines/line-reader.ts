import { CAUSES } from '../cause.ts';
import { OUTCOME_LIMITS } from '../outcome.ts';
import { ABSENT, isWordAt, labelEnd, plainEnd, wordOf } from './byte-text.ts';
import { IdHash } from './id-hash.ts';
import { InstantReader } from './instant-reader.ts';
import { fractionEnd, valueEnd } from './json-value.ts';

/**
 * The answer to a line that leaves a doubt. The reader knows the documented fields in any order, each at most
 * once, printable ASCII without escapes, plain integers, at most one space after a comma or a colon; other
 * fields it passes over, whatever their value. The caller parses any other line in full, so the reader may be
 * narrow; but what it accepts must mean exactly what the full parser says it means, and the fuzz test holds it to
 * that. One thing it does not look at: whether texts that nobody reads are sound UTF-8.
 */
export const UNUSUAL = ABSENT;

const [SPACE, QUOTE, COMMA, COLON, MINUS, ZERO, OPEN, CLOSE] = [
  0x20, 0x22, 0x2c, 0x3a, 0x2d, 0x30, 0x7b, 0x7d,
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

/** Of each field, by its number: its key with quotation mark and colon, and the bounds of its value. */
const NAMES = Object.keys(FIELD);
const KEYS = NAMES.map((name) => wordOf(`${name}":`));
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
  /** By field number: the byte range [start, end) of a label, the value of an integer. */
  readonly starts = new Int32Array(NO_FIELD);
  readonly ends = new Int32Array(NO_FIELD);
  readonly integers = new Float64Array(NO_FIELD);

  readonly #view: DataView;
  readonly #instants = new InstantReader();
  /** Fields of the line, one bit each. */
  #seen = 0;
  /** The field that came after each one in the last line where it did: lines mostly keep one order. */
  readonly #following = new Uint8Array(NO_FIELD + 1);
  /** The value of the last integer read. */
  #integer = 0;

  /** @param view  what is read from; SLACK_BYTES of it lie behind the last line feed */
  constructor(view: DataView) {
    this.#view = view;
  }

  /** Whether the last line had a field. */
  has(field: number): boolean {
    return (this.#seen & (1 << field)) !== 0;
  }

  /**
   * @param start  of a line; its line feed is in the view. No part of an accepted line is a line feed, so
   *               every loop below stops there by itself.
   * @returns the position after the line feed, or UNUSUAL
   */
  read(start: number): number {
    const view = this.#view;
    if (view.getUint8(start) !== OPEN) return UNUSUAL;
    let at = start + 1;
    let seen = 0;
    let previous: number = NO_FIELD;
    for (;;) {
      if (view.getUint8(at) !== QUOTE) return UNUSUAL;
      at += 1;
      let field = this.#following[previous]!;
      if (!isKeyAt(view, at, field)) {
        field = fieldAt(view, at);
        this.#following[previous] = field === NO_FIELD ? 0 : field;
      }
      if (field === NO_FIELD) {
        at = this.#skipField(at);
      } else {
        // The last one of a repeated key wins in JSON; that is for the full parser to sort out.
        if ((seen & (1 << field)) !== 0) return UNUSUAL;
        seen |= 1 << field;
        previous = field;
        at += LENGTHS[field]!;
        if (view.getUint8(at) === SPACE) at += 1;
        at = this.#readValue(field, at);
      }
      if (at === UNUSUAL) return UNUSUAL;
      const next = view.getUint8(at);
      at += 1;
      if (next === COMMA) {
        if (view.getUint8(at) === SPACE) at += 1;
        continue;
      }
      if (next !== CLOSE || (seen & (1 << FIELD.result)) === 0) return UNUSUAL;
      this.#seen = seen;
      if (view.getUint8(at) === CR) at += 1;
      return view.getUint8(at) === LF ? at + 1 : UNUSUAL;
    }
  }

  /** @returns the position behind the value, or UNUSUAL */
  #readValue(field: number, at: number): number {
    const view = this.#view;
    const kind = KINDS[field]!;
    if (kind === LABEL) {
      const end = labelEnd(view, at, labelCharacters);
      this.starts[field] = at + 1;
      this.ends[field] = end - 1;
      return end;
    }
    if (kind === ID) return this.#readId(at);
    if (kind === INTEGER) {
      const end = this.#readInteger(at);
      const value = this.#integer;
      this.integers[field] = value;
      return value >= LEAST[field]! && value <= MOST[field]! ? end : UNUSUAL;
    }
    if (kind === INSTANT) return this.#readInstant(at);
    if (kind === DURATION) {
      const end = this.#readInteger(at);
      return end === UNUSUAL || this.#integer < 0 ? UNUSUAL : fractionEnd(view, end);
    }
    if (kind === RESULT) {
      this.isFailed = !isWordAt(view, at, OK);
      if (!this.isFailed) return at + OK.length;
      return isWordAt(view, at, FAILED) ? at + FAILED.length : UNUSUAL;
    }
    return this.#readCause(at);
  }

  #readId(at: number): number {
    if (this.#view.getUint8(at) !== QUOTE) return UNUSUAL;
    const end = this.id.ofPlain(this.#view, at + 1);
    const length = end - at - 1;
    return this.#view.getUint8(end) === QUOTE && length > 0 && length <= idCharacters ? end + 1 : UNUSUAL;
  }

  #readInstant(at: number): number {
    let end: number;
    if (this.#view.getUint8(at) === QUOTE) {
      end = this.#instants.read(this.#view, at + 1);
      if (end === ABSENT || this.#view.getUint8(end) !== QUOTE) return UNUSUAL;
      end += 1;
      this.startedAtMs = this.#instants.instantMs;
    } else {
      end = this.#readInteger(at);
      this.startedAtMs = this.#integer;
    }
    return this.startedAtMs >= minMs && this.startedAtMs < maxMs ? end : UNUSUAL;
  }

  #readCause(at: number): number {
    this.causeIndex = CAUSE_WORDS.findIndex((word) => isWordAt(this.#view, at, word));
    const word = CAUSE_WORDS[this.causeIndex];
    return word === undefined ? UNUSUAL : at + word.length;
  }

  /** A JSON integer without exponent or fraction; minus zero is left alone. */
  #readInteger(start: number): number {
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

  /** From a key that means nothing here to behind its value. */
  #skipField(start: number): number {
    const view = this.#view;
    const at = plainEnd(view, start);
    if (view.getUint8(at) !== QUOTE || view.getUint8(at + 1) !== COLON) return UNUSUAL;
    return valueEnd(view, view.getUint8(at + 2) === SPACE ? at + 3 : at + 2);
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
