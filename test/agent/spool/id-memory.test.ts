import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEachIdKey, type IdKey, IdKeys, IdList, IdMemory } from '../../../agent/spool/id-memory.ts';

const HOUR_MS = 3_600_000;
const keys = new IdKeys();

describe('the memory of ids', () => {
  it('knows what it was told and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 3_000 }), (numbers) => {
        const memory = new IdMemory({ count: 100_000, spanMs: 24 * HOUR_MS });
        const known = new Set<number>();
        for (const number of numbers) {
          const key = keys.of('acme', String(number));
          expect(memory.has(key)).toBe(known.has(number));
          memory.add(key, 0);
          known.add(number);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('keeps the newest million and not much more', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: 24 * HOUR_MS });
    const key = (i: number) => keys.of('acme', `id-${i}`);
    for (let i = 0; i < 50_000; i++) memory.add(key(i), 0);
    for (let i = 42_000; i < 50_000; i++) expect(memory.has(key(i))).toBe(true);
    const old = Array.from({ length: 40_000 }, (_, i) => memory.has(key(i)));
    expect(old.filter(Boolean)).toEqual([]);
  });

  it('forgets after a day and three hours at the latest, and not within a day', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: 24 * HOUR_MS });
    memory.add(keys.of('acme', 'a'), 0);
    memory.add(keys.of('acme', 'b'), 24 * HOUR_MS);
    expect(memory.has(keys.of('acme', 'a'))).toBe(true);
    memory.add(keys.of('acme', 'c'), 27 * HOUR_MS + 1);
    expect(memory.has(keys.of('acme', 'a'))).toBe(false);
    expect(memory.has(keys.of('acme', 'b'))).toBe(true);
  });

  it('takes an id whose hash is zero like any other', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: HOUR_MS });
    const zero = { high: 0, low: 0 };
    expect(memory.has(zero)).toBe(false);
    memory.add(zero, 0);
    expect(memory.has(zero)).toBe(true);
    for (let low = 2; low < 1_000; low += 1) memory.add({ high: 0, low }, 0);
    expect(memory.has(zero)).toBe(true);
  });

  it('tells the same id of two services apart, and the same hash of two ids', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 20 }),
        fc.string({ minLength: 1, maxLength: 20 }),
        (id, other) => {
          expect(keys.of('acme', id)).not.toEqual(keys.of('globex', id));
          if (id !== other) expect(keys.of('acme', id)).not.toEqual(keys.of('acme', other));
          expect(keys.of('acme', id)).toEqual(new IdKeys().of('acme', id));
        },
      ),
    );
  });

  it('gives back what it was told, eight bytes each', () => {
    const list = new IdList();
    const told = Array.from({ length: 5_000 }, (_, i) => keys.of('acme', String(i)));
    for (const key of told) list.add(key);
    const read: IdKey[] = [];
    forEachIdKey(list.bytes(), (key) => read.push({ ...key }));
    expect(read).toEqual(told satisfies IdKey[]);
  });
});
