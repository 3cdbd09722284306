import { CAUSES } from '../../sla/cause.ts';
import { OUTCOME_LIMITS } from '../../sla/outcome.ts';
import { ABSENT, isWordAt, labelEnd, plainEnd, wordOf } from './byte-text.ts';
import { InstantReader } from './instant-reader.ts';

/**
 * The answer to a line that leaves a doubt. The reader knows the documented fields in any order, each at most
 * once, printable ASCII without escapes, plain integers, at most one space after a comma or a colon; other
 * fields it passes over if their value is no list or object. The caller parses any other line in full, so the
 * reader may be narrow; but what it accepts must mean exactly what the full parser says it means, and the fuzz
 * test holds it to that.
 */
export const UNUSUAL = ABSENT;

const [SPACE, QUOTE, COMMA, COLON, MINUS, ZERO, OPEN, CLOSE] = [
  0x20, 0x22, 0x2c, 0x3a, 0x2d, 0x30, 0x7b, 0x7d,
] as const;
const [CR, LF, LAST_ASCII] = [0x0d, 0x0a, 0x7f] as const;

/** More digits than this are left to the full parser; any integer up to here is exact in a double. */
const INTEGER_DIGITS = 15;

const KEYS = {
  service: wordOf('service":'),
  at: wordOf('at":'),
  result: wordOf('result":'),
  platform: wordOf('platform":'),
  region: wordOf('region":'),
  app: wordOf('app":'),
  code: wordOf('code":'),
  extraCode: wordOf('extraCode":'),
  cause: wordOf('cause":'),
  count: wordOf('count":'),
  id: wordOf('id":'),
  durationMs: wordOf('durationMs":'),
} as const;
const OK = wordOf('"ok"');
const FAILED = wordOf('"failed"');
const CAUSE_WORDS = CAUSES.map((cause) => wordOf(`"${cause}"`));
const [TRUE, FALSE, NULL] = [wordOf('true'), wordOf('false'), wordOf('null')];

/** One bit for each field, to notice the repeated and the missing. */
const [AT, RESULT, SERVICE, PLATFORM, REGION, APP, CODE, EXTRA_CODE, CAUSE, COUNT, ID, DURATION] = [
  1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
] as const;
const REQUIRED = AT | RESULT;

/** Reads one outcome line at byte level, without a string or an object being made for it. */
export class LineReader {
  // What the last line said; valid after `read` returned a position, until it is called again.
  startedAtMs = 0;
  isFailed = false;
  count = 1;
  /** Index into CAUSES, or ABSENT. */
  causeIndex: number = ABSENT;
  hasCode = false;
  code = 0;
  hasExtraCode = false;
  extraCode = 0;
  // Byte ranges within the buffer; `Start` is ABSENT when the field was not given.
  serviceStart: number = ABSENT;
  serviceEnd: number = ABSENT;
  platformStart: number = ABSENT;
  platformEnd: number = ABSENT;
  idStart: number = ABSENT;
  idEnd: number = ABSENT;

  readonly #view: DataView;
  readonly #instants = new InstantReader();
  /** The value of the last integer read. */
  #integer = 0;
  /** Fields seen in this line. */
  #seen = 0;

  /** @param view  what is read from; SLACK_BYTES of it lie behind the last line feed */
  constructor(view: DataView) {
    this.#view = view;
  }

  /**
   * @param start  of a line; its line feed is in the view. No part of an accepted line is a line feed, so
   *               every loop below stops there by itself.
   * @returns the position after the line feed, or UNUSUAL
   */
  read(start: number): number {
    const view = this.#view;
    this.#seen = 0;
    this.count = 1;
    this.causeIndex = ABSENT;
    this.hasCode = false;
    this.hasExtraCode = false;
    this.serviceStart = ABSENT;
    this.platformStart = ABSENT;
    this.idStart = ABSENT;
    if (view.getUint8(start) !== OPEN) return UNUSUAL;
    let at = start + 1;
    for (;;) {
      if (view.getUint8(at) !== QUOTE) return UNUSUAL;
      at = this.#readField(at + 1);
      if (at === UNUSUAL) return UNUSUAL;
      const next = view.getUint8(at++);
      if (next === COMMA) {
        if (view.getUint8(at) === SPACE) at++;
        continue;
      }
      if (next !== CLOSE || (this.#seen & REQUIRED) !== REQUIRED) return UNUSUAL;
      if (view.getUint8(at) === CR) at++;
      return view.getUint8(at) === LF ? at + 1 : UNUSUAL;
    }
  }

  /** From behind a key's opening quote to behind its value. */
  #readField(at: number): number {
    const view = this.#view;
    // The first bytes leave at most one documented key in question.
    switch (view.getUint8(at)) {
      case 0x73: // s
        return isWordAt(view, at, KEYS.service)
          ? this.#readService(this.#valueAt(at, KEYS.service.length, SERVICE))
          : this.#skipField(at);
      case 0x61: // a
        if (isWordAt(view, at, KEYS.at)) return this.#readAt(this.#valueAt(at, KEYS.at.length, AT));
        return isWordAt(view, at, KEYS.app)
          ? labelEnd(view, this.#valueAt(at, KEYS.app.length, APP), OUTCOME_LIMITS.labelCharacters)
          : this.#skipField(at);
      case 0x72: // r
        if (isWordAt(view, at, KEYS.result)) {
          return this.#readResult(this.#valueAt(at, KEYS.result.length, RESULT));
        }
        return isWordAt(view, at, KEYS.region)
          ? labelEnd(view, this.#valueAt(at, KEYS.region.length, REGION), OUTCOME_LIMITS.labelCharacters)
          : this.#skipField(at);
      case 0x70: // p
        return isWordAt(view, at, KEYS.platform)
          ? this.#readPlatform(this.#valueAt(at, KEYS.platform.length, PLATFORM))
          : this.#skipField(at);
      case 0x69: // i
        return isWordAt(view, at, KEYS.id)
          ? this.#readId(this.#valueAt(at, KEYS.id.length, ID))
          : this.#skipField(at);
      case 0x64: // d
        return isWordAt(view, at, KEYS.durationMs)
          ? this.#readDuration(this.#valueAt(at, KEYS.durationMs.length, DURATION))
          : this.#skipField(at);
      default:
        return this.#readRareField(at);
    }
  }

  /** The fields that most lines lack; apart, so that the common ones fit the compiler's limits. */
  #readRareField(at: number): number {
    const view = this.#view;
    if (isWordAt(view, at, KEYS.count)) return this.#readCount(this.#valueAt(at, KEYS.count.length, COUNT));
    if (isWordAt(view, at, KEYS.code)) {
      const end = this.#readInteger(this.#valueAt(at, KEYS.code.length, CODE));
      this.hasCode = true;
      this.code = this.#integer;
      return end;
    }
    if (isWordAt(view, at, KEYS.extraCode)) {
      const end = this.#readInteger(this.#valueAt(at, KEYS.extraCode.length, EXTRA_CODE));
      this.hasExtraCode = true;
      this.extraCode = this.#integer;
      return end;
    }
    if (isWordAt(view, at, KEYS.cause)) return this.#readCause(this.#valueAt(at, KEYS.cause.length, CAUSE));
    return this.#skipField(at);
  }

  /**
   * Where the value of a field begins whose key stands at `at`. A field that comes a second time is pointed at
   * its own key's bytes, which no value can begin with: the last one wins in JSON, and that is for the full
   * parser to sort out.
   */
  #valueAt(at: number, keyLength: number, bit: number): number {
    if ((this.#seen & bit) !== 0) return at;
    this.#seen |= bit;
    const value = at + keyLength;
    return this.#view.getUint8(value) === SPACE ? value + 1 : value;
  }

  #readAt(at: number): number {
    if (this.#view.getUint8(at) === QUOTE) {
      const end = this.#instants.read(this.#view, at + 1);
      if (end === ABSENT || this.#view.getUint8(end) !== QUOTE) return UNUSUAL;
      this.startedAtMs = this.#instants.instantMs;
      return this.#isTimely() ? end + 1 : UNUSUAL;
    }
    const end = this.#readInteger(at);
    this.startedAtMs = this.#integer;
    return this.#isTimely() ? end : UNUSUAL;
  }

  #isTimely(): boolean {
    return this.startedAtMs >= OUTCOME_LIMITS.minMs && this.startedAtMs < OUTCOME_LIMITS.maxMs;
  }

  #readResult(at: number): number {
    this.isFailed = !isWordAt(this.#view, at, OK);
    if (!this.isFailed) return at + OK.length;
    return isWordAt(this.#view, at, FAILED) ? at + FAILED.length : UNUSUAL;
  }

  #readService(at: number): number {
    const end = labelEnd(this.#view, at, OUTCOME_LIMITS.labelCharacters);
    this.serviceStart = at + 1;
    this.serviceEnd = end - 1;
    return end;
  }

  #readPlatform(at: number): number {
    const end = labelEnd(this.#view, at, OUTCOME_LIMITS.labelCharacters);
    this.platformStart = at + 1;
    this.platformEnd = end - 1;
    return end;
  }

  #readId(at: number): number {
    const end = labelEnd(this.#view, at, OUTCOME_LIMITS.idCharacters);
    this.idStart = at + 1;
    this.idEnd = end - 1;
    return this.idEnd > this.idStart ? end : UNUSUAL;
  }

  #readCause(at: number): number {
    for (let index = 0; index < CAUSE_WORDS.length; index++) {
      const word = CAUSE_WORDS[index]!;
      if (!isWordAt(this.#view, at, word)) continue;
      this.causeIndex = index;
      return at + word.length;
    }
    return UNUSUAL;
  }

  #readCount(at: number): number {
    const end = this.#readInteger(at);
    this.count = this.#integer;
    return this.count >= 1 && this.count <= OUTCOME_LIMITS.count ? end : UNUSUAL;
  }

  #readDuration(at: number): number {
    const end = this.#readInteger(at);
    return this.#integer >= 0 ? end : UNUSUAL;
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

  /** From a key that means nothing here to behind its value: a string, an integer or a literal. */
  #skipField(start: number): number {
    const view = this.#view;
    const at = plainEnd(view, start);
    if (view.getUint8(at) !== QUOTE || view.getUint8(at + 1) !== COLON) return UNUSUAL;
    const value = view.getUint8(at + 2) === SPACE ? at + 3 : at + 2;
    if (view.getUint8(value) === QUOTE) {
      let end = plainEnd(view, value + 1);
      // Nobody reads this text, so that it need not even be sound UTF-8.
      while (view.getUint8(end) > LAST_ASCII) end = plainEnd(view, end + 1);
      return view.getUint8(end) === QUOTE ? end + 1 : UNUSUAL;
    }
    if (isWordAt(view, value, TRUE) || isWordAt(view, value, NULL)) return value + TRUE.length;
    return isWordAt(view, value, FALSE) ? value + FALSE.length : this.#readInteger(value);
  }
}
