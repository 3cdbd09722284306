import { SLACK_BYTES } from './byte-text.ts';

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
  readonly #encoder = new TextEncoder();

  /** @param text  at most 128 UTF-16 units */
  ofText(text: string): void {
    const { written } = this.#encoder.encodeInto(text, this.#scratch);
    this.ofBytes(this.#scratchView, 0, written);
  }

  /** The bytes [start, end) of an id in UTF-8; SLACK_BYTES lie behind them. */
  ofBytes(view: DataView, start: number, end: number): void {
    const length = end - start;
    let a = 0x3c6ef372 ^ length;
    let b = 0x510e527f ^ length;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const four = view.getInt32(at, true);
      a = mix(a, four, 0x85ebca6b);
      b = mix(b, four, 0xc2b2ae35);
    }
    if (at < end) {
      // What lies behind the id must not count.
      const rest = view.getInt32(at, true) & ((1 << ((end - at) * 8)) - 1);
      a = mix(a, rest, 0x85ebca6b);
      b = mix(b, rest, 0xc2b2ae35);
    }
    this.a = finish(a);
    this.b = finish(b);
  }
}

/** One step of a lane; invertible in `lane`, so that no step forgets what came before. */
function mix(lane: number, four: number, factor: number): number {
  const product = Math.imul(lane ^ four, factor);
  return Math.imul(product ^ (product >>> 15), 5) + 0x52dce729;
}

/** Spreads every bit over the whole number (the finalizer of MurmurHash3). */
function finish(lane: number): number {
  let bits = lane ^ (lane >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
