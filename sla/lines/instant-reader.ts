import { ABSENT } from './byte-text.ts';

const [ZERO, DASH, COLON, DOT, PLUS, LOWER_T, LOWER_Z] = [0x30, 0x2d, 0x3a, 0x2e, 0x2b, 0x74, 0x7a] as const;
/** Makes a letter lower-case. */
const LOWER = 0x20;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/**
 * Reads RFC 3339 at byte level as `parseInstant` does; only a leap second is left to that. Neighbouring lines mostly
 * share their minute, so the last one's 16 characters are kept with what they mean.
 */
export class InstantReader {
  /** Epoch milliseconds of the last instant read. */
  instantMs = 0;
  #minuteMs = 0;
  // "YYYY", "-MM-", "DDTH", "H:MM" of the minute kept; four zero bytes are never such text.
  #year = 0;
  #month = 0;
  #day = 0;
  #hour = 0;

  /** @returns the position after the instant, or ABSENT when there is none */
  read(view: DataView, start: number): number {
    const isSameMinute =
      view.getInt32(start + 12, true) === this.#hour &&
      view.getInt32(start + 8, true) === this.#day &&
      view.getInt32(start + 4, true) === this.#month &&
      view.getInt32(start, true) === this.#year;
    if (!isSameMinute && !this.#readMinute(view, start)) return ABSENT;

    const second = twoDigits(view, start + 17);
    if (view.getUint8(start + 16) !== COLON || second < 0 || second > 59) return ABSENT;
    let at = start + 19;
    let fractionMs = 0;
    if (view.getUint8(at) === DOT) {
      const from = ++at;
      for (let digit = view.getUint8(at) - ZERO, unitMs = 100; digit >= 0 && digit <= 9; ) {
        fractionMs += digit * unitMs;
        // What is finer than a millisecond is cut off.
        unitMs = Math.trunc(unitMs / 10);
        digit = view.getUint8(++at) - ZERO;
      }
      if (at === from) return ABSENT;
    }
    const sign = view.getUint8(at);
    this.instantMs = this.#minuteMs + second * SECOND_MS + fractionMs;
    if ((sign | LOWER) === LOWER_Z) return at + 1;
    const hours = twoDigits(view, at + 1);
    const minutes = twoDigits(view, at + 4);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return ABSENT;
    if ((sign !== PLUS && sign !== DASH) || view.getUint8(at + 3) !== COLON) return ABSENT;
    this.instantMs -= (sign === PLUS ? 1 : -1) * (hours * 60 + minutes) * MINUTE_MS;
    return at + 6;
  }

  #readMinute(view: DataView, start: number): boolean {
    const century = twoDigits(view, start);
    const yearOfCentury = twoDigits(view, start + 2);
    const month = twoDigits(view, start + 5);
    const day = twoDigits(view, start + 8);
    const hour = twoDigits(view, start + 11);
    const minute = twoDigits(view, start + 14);
    const isPlain =
      century >= 0 &&
      yearOfCentury >= 0 &&
      view.getUint8(start + 4) === DASH &&
      view.getUint8(start + 7) === DASH &&
      (view.getUint8(start + 10) | LOWER) === LOWER_T &&
      view.getUint8(start + 13) === COLON &&
      hour >= 0 &&
      hour <= 23 &&
      minute >= 0 &&
      minute <= 59;
    // Date.UTC takes the years 0 to 99 for 1900 to 1999; they are outside every bound anyway.
    if (!isPlain || century === 0) return false;
    const midnightMs = Date.UTC(century * 100 + yearOfCentury, month - 1, day);
    const midnight = new Date(midnightMs);
    // 30 February would roll over into March.
    if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return false;
    this.#minuteMs = midnightMs + (hour * 60 + minute) * MINUTE_MS;
    this.#year = view.getInt32(start, true);
    this.#month = view.getInt32(start + 4, true);
    this.#day = view.getInt32(start + 8, true);
    this.#hour = view.getInt32(start + 12, true);
    return true;
  }
}

/** Negative when either byte is not a digit. */
function twoDigits(view: DataView, at: number): number {
  const tens = view.getUint8(at) - ZERO;
  const ones = view.getUint8(at + 1) - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}
