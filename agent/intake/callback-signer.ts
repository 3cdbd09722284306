import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';

export const CALLBACK_KEY_BOUNDS = {
  /** A key is read anew after a wrong signature, at most this often: whoever sends nonsense must not read our disk. */
  readMs: 1_000,
} as const;

/** Base64 of HMAC-SHA256 over the body, byte for byte as it was sent. */
export function signatureOf(key: string, body: Buffer): string {
  return createHmac('sha256', key).update(body).digest('base64');
}

/** Checks signatures with one application's key. */
export class CallbackSigner {
  #key: string;
  readonly #readKey: () => Promise<string>;
  readonly #clock: Clock;
  #readAtMs: number;

  constructor(key: string, readKey: () => Promise<string>, clock: Clock) {
    this.#key = key;
    this.#readKey = readKey;
    this.#clock = clock;
    this.#readAtMs = clock.monotonicMs();
  }

  async hasSigned(body: Buffer, sign: string): Promise<boolean> {
    if (isEqual(signatureOf(this.#key, body), sign)) return true;
    return (await this.#hasNewKey()) && isEqual(signatureOf(this.#key, body), sign);
  }

  async #hasNewKey(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs < CALLBACK_KEY_BOUNDS.readMs) return false;
    this.#readAtMs = nowMs;
    // A file that is just being replaced: the key in hand stays.
    const key = await this.#readKey().catch(() => this.#key);
    if (key === this.#key) return false;
    this.#key = key;
    return true;
  }
}

/** In a time that does not tell where they differ. */
function isEqual(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
