import { beforeEach, describe, expect, it } from 'vitest';
import { CALLBACK_KEY_BOUNDS, CallbackSigner, signatureOf } from '../../agent/intake/callback-signer.ts';

const BODY = Buffer.from('{"EventGroupId":1}');
const HOUR_MS = 3_600_000;

let nowMs: number;
let file: string | Error;
let reads: number;
let signer: CallbackSigner;

beforeEach(() => {
  nowMs = 5_000;
  file = 'former';
  reads = 0;
  signer = new CallbackSigner('former', read, { nowMs: () => 0, monotonicMs: () => nowMs });
});

async function read(): Promise<string> {
  reads += 1;
  if (file instanceof Error) throw file;
  return file;
}

const isTaken = (key: string) => signer.hasSigned(BODY, signatureOf(key, BODY));
const pass = (ms: number) => {
  nowMs += ms;
};

describe('a key that is being changed', () => {
  it('is not given up for the one in the file before a callback is signed with that, whatever else comes', async () => {
    file = 'later';
    for (let second = 0; second < 10; second += 1) {
      pass(1_000);
      expect(await isTaken('nonsense')).toBe(false);
      expect(await isTaken('former')).toBe(true);
    }
    expect(await isTaken('later')).toBe(true);
  });

  it('is found by the first callback that is signed with the new one', async () => {
    pass(1_000);
    file = 'later';
    expect(await isTaken('later')).toBe(true);
    expect(reads).toBe(1);
  });

  it('is found also while nonsense takes every reading of the file', async () => {
    file = 'later';
    pass(1_000);
    expect(await isTaken('nonsense')).toBe(false);
    pass(1);
    expect(await isTaken('later')).toBe(true);
    expect(reads).toBe(1);
  });

  it('stays accepted for an hour after the new one was first used, and not a millisecond longer', async () => {
    expect(CALLBACK_KEY_BOUNDS.formerMs).toBe(HOUR_MS);
    file = 'later';
    pass(1_000);
    expect(await isTaken('later')).toBe(true);
    pass(HOUR_MS - 1);
    expect(await isTaken('former')).toBe(true);
    pass(1);
    expect(await isTaken('former')).toBe(false);
    expect(await isTaken('later')).toBe(true);
  });

  it('is accepted again when it is put back, for good', async () => {
    file = 'later';
    pass(1_000);
    await isTaken('later');
    file = 'former';
    pass(2 * HOUR_MS);
    expect(await isTaken('former')).toBe(true);
    pass(HOUR_MS);
    expect([await isTaken('former'), await isTaken('later')]).toEqual([true, false]);
  });

  it('lets go of the one before the last', async () => {
    for (const key of ['later', 'last']) {
      file = key;
      pass(1_000);
      expect(await isTaken(key)).toBe(true);
    }
    expect([await isTaken('last'), await isTaken('later'), await isTaken('former')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('stays as it is while the file cannot be read', async () => {
    file = new Error('ENOENT');
    pass(1_000);
    expect([await isTaken('later'), await isTaken('former')]).toEqual([false, true]);
    file = 'later';
    pass(1_000);
    expect(await isTaken('later')).toBe(true);
  });
});

describe('the file of the key', () => {
  it('is not read for what is signed right, nor in the first second, nor more than once in any other', async () => {
    expect(await isTaken('former')).toBe(true);
    expect(await isTaken('nonsense')).toBe(false);
    expect(reads).toBe(0);
    for (let ms = 0; ms < 10_000; ms += 10) {
      pass(10);
      expect(await isTaken('nonsense')).toBe(false);
    }
    expect(reads).toBe(10);
  });

  it('is read once for all that come while it is read, and each of them is judged by what it holds', async () => {
    file = 'later';
    pass(1_000);
    const taken = await Promise.all(['nonsense', 'later', 'later', 'former'].map(isTaken));
    expect(taken).toEqual([false, true, true, true]);
    expect(reads).toBe(1);
  });
});
