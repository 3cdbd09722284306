import { firstMark, marksOf, SLACK_BYTES } from './byte-text.ts';

/** Room for an id given as text: 128 UTF-16 units are at most 384 bytes of UTF-8. */
const SCRATCH_BYTES = 384;

/**
 * 64 bits that stand for an id, so that millions can be remembered in a flat array. Among ten million ids, any
 * two agree with a probability of three in a million; then one outcome is taken for the repeat of another. It is
 * no defence against forged ids, and need not be: whoever writes ids can as well repeat one.
 */
export class IdHash {
  a = 0;
  b = 0;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES + SLACK_BYTES);
  readonly #scratchView = new DataView(this.#scratch.buffer);
  readonly #room = this.#scratch.subarray(0, SCRATCH_BYTES);
  readonly #encoder = new TextEncoder();

  /**
   * @param text  at most 128 UTF-16 units
   * @throws RangeError for one that has no room
   */
  ofText(text: string): void {
    const { read, written } = this.#encoder.encodeInto(text, this.#room);
    if (read < text.length) throw new RangeError(`an id has at most 128 characters, not ${text.length}`);
    this.ofUtf8(this.#scratchView, written);
  }

  /** The text whose UTF-8 is the first `length` bytes of `view`, in which SLACK_BYTES follow. */
  ofUtf8(view: DataView, length: number): void {
    let a: number = START_A;
    let b: number = START_B;
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      const four = view.getInt32(at, true);
      a = mix(a, four, FACTOR_A);
      b = mix(b, four, FACTOR_B);
    }
    this.#finish(a, b, { rest: view.getInt32(at, true), restBytes: length - at, length });
  }

  /**
   * The plain ASCII that begins at `start`, looked at once for its end and its hash.
   * @returns the first position whose byte is not plain, see `plainEnd`
   */
  ofPlain(view: DataView, start: number): number {
    let a: number = START_A;
    let b: number = START_B;
    for (let at = start; ; at += 4) {
      const four = view.getInt32(at, true);
      const marks = marksOf(four);
      if (marks === 0) {
        a = mix(a, four, FACTOR_A);
        b = mix(b, four, FACTOR_B);
        continue;
      }
      const restBytes = firstMark(marks);
      this.#finish(a, b, { rest: four, restBytes, length: at + restBytes - start });
      return at + restBytes;
    }
  }

  /** @param tail  the bytes behind the last whole four, of which `restBytes` (0 to 3) count */
  #finish(a: number, b: number, tail: { rest: number; restBytes: number; length: number }): void {
    const rest = tail.rest & ((1 << (tail.restBytes * 8)) - 1);
    // The length tells an id from the same one with zero bytes behind it.
    this.a = spread(mix(mix(a, rest, FACTOR_A), tail.length, FACTOR_A));
    this.b = spread(mix(mix(b, rest, FACTOR_B), tail.length, FACTOR_B));
  }
}

const [START_A, START_B] = [0x3c6ef372, 0x510e527f] as const;
const [FACTOR_A, FACTOR_B] = [0x2c1b3c6d, 0x297a2d39] as const;

/** One step of a lane; invertible in `lane`, so that no step forgets what came before. Stays an integer of 32 bits. */
function mix(lane: number, four: number, factor: number): number {
  const product = Math.imul(lane ^ four, factor);
  return product ^ (product >>> 15);
}

/** Spreads every bit over the whole number (the finalizer of MurmurHash3). */
function spread(lane: number): number {
  let bits = lane ^ (lane >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
