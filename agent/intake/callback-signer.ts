import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';

export const CALLBACK_KEY_BOUNDS = {
  /** A key is read anew after a wrong signature, at most this often: whoever sends nonsense must not read our disk. */
  readMs: 1_000,
  /** The vendor repeats a callback for a minute; how soon all of it signs with a new key, it does not say. */
  formerMs: 60 * 60_000,
} as const;

/** Base64 of HMAC-SHA256 over the body, byte for byte as it was sent. */
export function signatureOf(key: string, body: Buffer): string {
  return createHmac('sha256', key).update(body).digest('base64');
}

interface FormerKey {
  readonly key: string;
  readonly untilMs: number;
}

/**
 * Checks signatures with one application's key, which may be changed in its file and in the vendor's console in either
 * order. A key that was read is taken up only with a body that it signs: anybody can make us read the file, and until
 * the console has the new key all callbacks are signed with the one in hand. That one is accepted for a while longer,
 * as the vendor repeats what it has signed with it.
 */
export class CallbackSigner {
  #key: string;
  #former: FormerKey | undefined;
  /** What was read last. It is remembered, or nonsense that takes every reading would keep a new key from being found. */
  #found: string;
  readonly #readKey: () => Promise<string>;
  readonly #clock: Clock;
  #readAtMs: number;
  /** Under way, for all who wait for it. */
  #reading: Promise<void> | undefined;

  constructor(key: string, readKey: () => Promise<string>, clock: Clock) {
    this.#key = key;
    this.#found = key;
    this.#readKey = readKey;
    this.#clock = clock;
    this.#readAtMs = clock.monotonicMs();
  }

  async hasSigned(body: Buffer, sign: string): Promise<boolean> {
    const isSignedWith = (key: string) => isEqual(signatureOf(key, body), sign);
    if (isSignedWith(this.#key) || this.#takesUp(isSignedWith)) return true;
    const former = this.#former;
    if (former && this.#clock.monotonicMs() < former.untilMs && isSignedWith(former.key)) return true;
    return (await this.#hasReadAgain()) && (isSignedWith(this.#key) || this.#takesUp(isSignedWith));
  }

  #takesUp(isSignedWith: (key: string) => boolean): boolean {
    if (this.#found === this.#key || !isSignedWith(this.#found)) return false;
    this.#former = { key: this.#key, untilMs: this.#clock.monotonicMs() + CALLBACK_KEY_BOUNDS.formerMs };
    this.#key = this.#found;
    return true;
  }

  async #hasReadAgain(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#reading === undefined) {
      if (nowMs - this.#readAtMs < CALLBACK_KEY_BOUNDS.readMs) return false;
      this.#readAtMs = nowMs;
      this.#reading = this.#read();
    }
    await this.#reading;
    return true;
  }

  async #read(): Promise<void> {
    // A file that is just being replaced: what was found before stays.
    this.#found = await this.#readKey().catch(() => this.#found);
    this.#reading = undefined;
  }
}

/** In a time that does not tell where they differ. */
function isEqual(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
