import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdMemory, idKey } from '../../../agent/spool/id-memory.ts';

const HOUR_MS = 3_600_000;

describe('the memory of ids', () => {
  it('knows what it was told and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 3_000 }), (numbers) => {
        const memory = new IdMemory({ count: 100_000, spanMs: 24 * HOUR_MS });
        const known = new Set<number>();
        for (const number of numbers) {
          const key = idKey('acme', String(number));
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
    const key = (i: number) => idKey('acme', `id-${i}`);
    for (let i = 0; i < 50_000; i++) memory.add(key(i), 0);
    for (let i = 42_000; i < 50_000; i++) expect(memory.has(key(i))).toBe(true);
    const old = Array.from({ length: 40_000 }, (_, i) => memory.has(key(i)));
    expect(old.filter(Boolean)).toEqual([]);
  });

  it('forgets after a day and three hours at the latest, and not within a day', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: 24 * HOUR_MS });
    memory.add(idKey('acme', 'a'), 0);
    memory.add(idKey('acme', 'b'), 24 * HOUR_MS);
    expect(memory.has(idKey('acme', 'a'))).toBe(true);
    memory.add(idKey('acme', 'c'), 27 * HOUR_MS + 1);
    expect(memory.has(idKey('acme', 'a'))).toBe(false);
    expect(memory.has(idKey('acme', 'b'))).toBe(true);
  });

  it('takes an id whose hash is zero like any other', () => {
    const memory = new IdMemory({ count: 8, spanMs: HOUR_MS });
    const zero = Buffer.alloc(8);
    expect(memory.has(zero)).toBe(false);
    memory.add(zero, 0);
    expect(memory.has(zero)).toBe(true);
  });
});
