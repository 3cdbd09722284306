import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IdKey, IdKeys } from '../../../agent/spool/id-key.ts';
import { forEachIdKey, IdList } from '../../../agent/spool/id-list.ts';
import { IdMemory } from '../../../agent/spool/id-memory.ts';
import { IdSet } from '../../../agent/spool/id-set.ts';

const HOUR_MS = 3_600_000;
const keys = new IdKeys();

function isKnown(memory: IdMemory, key: IdKey, nowMs = 0): boolean {
  if (!memory.claim(key, nowMs)) return true;
  const list = new IdList();
  list.add(key.high, key.low);
  memory.forget(list.bytes());
  return false;
}

describe('a set of ids', () => {
  it('is the set of what was added and not deleted, however crowded its slots', () => {
    // Few different places, so that most keys are put off to a later slot, also around the end of the table.
    const key = fc.record({
      high: fc.integer({ min: -3, max: 3 }),
      low: fc.constantFrom(0, 1, 254, 255, 256, 511),
    });
    const step = fc.record({ key, isDelete: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const set = new IdSet();
        const model = new Map<string, IdKey>();
        for (const { key, isDelete } of steps) {
          // As the set has it: zeros are a free slot there.
          const low = key.high === 0 && key.low === 0 ? 1 : key.low;
          const name = `${key.high} ${low}`;
          if (isDelete) expect(set.delete(key.high, key.low)).toBe(model.delete(name));
          else expect(set.add(key.high, key.low)).toBe(!model.has(name));
          if (!isDelete) model.set(name, { high: key.high, low });
          expect(set.size).toBe(model.size);
          for (const { high, low } of model.values()) expect(set.has(high, low)).toBe(true);
          let visited = 0;
          set.forEach(() => {
            visited += 1;
          });
          expect(visited).toBe(model.size);
        }
      }),
    );
  });
});

describe('the memory of ids', () => {
  it('knows what it was told and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 3_000 }), (numbers) => {
        const memory = new IdMemory({ count: 100_000, spanMs: 24 * HOUR_MS });
        const known = new Set<number>();
        for (const number of numbers) {
          const key = keys.of('acme', String(number));
          expect(memory.claim(key, 0)).toBe(!known.has(number));
          known.add(number);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('says the same of many at once as of one after the other, over generations and when some are taken back', () => {
    const claims = fc.record({
      numbers: fc.array(fc.nat(4_000), { minLength: 1, maxLength: 1_500 }),
      afterMs: fc.nat(3 * HOUR_MS),
      isRefused: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(claims, { maxLength: 12 }), (rounds) => {
        const bounds = { count: 2_000, spanMs: 24 * HOUR_MS };
        const [together, single] = [new IdMemory(bounds), new IdMemory(bounds)];
        let nowMs = 0;
        for (const { numbers, afterMs, isRefused } of rounds) {
          nowMs += afterMs;
          const pairs = new Int32Array(2 * numbers.length);
          const claimed = new IdList();
          const expected = numbers.map((number, index) => {
            const { high, low } = keys.of('acme', String(number));
            pairs.set([high, low], 2 * index);
            const isNew = single.claim({ high, low }, nowMs);
            if (isNew) claimed.add(high, low);
            return isNew ? 1 : 0;
          });
          const isNew = new Uint8Array(numbers.length);
          together.claimAll(pairs, numbers.length, { nowMs, isNew });
          expect([...isNew]).toEqual(expected);
          if (!isRefused) continue;
          for (const memory of [together, single]) memory.forget(claimed.bytes());
          forEachIdKey(claimed.bytes(), ({ high, low }) =>
            expect(isKnown(together, { high, low }, nowMs)).toBe(false),
          );
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps the newest million and not much more', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: 24 * HOUR_MS });
    const key = (i: number) => keys.of('acme', `id-${i}`);
    for (let i = 0; i < 50_000; i++) memory.claim(key(i), 0);
    for (let i = 42_000; i < 50_000; i++) expect(isKnown(memory, key(i))).toBe(true);
    const old = Array.from({ length: 40_000 }, (_, i) => isKnown(memory, key(i)));
    expect(old.filter(Boolean)).toEqual([]);
  });

  it('forgets after a day and three hours at the latest, and not within a day', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: 24 * HOUR_MS });
    memory.claim(keys.of('acme', 'a'), 0);
    memory.claim(keys.of('acme', 'b'), 24 * HOUR_MS);
    expect(isKnown(memory, keys.of('acme', 'a'))).toBe(true);
    memory.claim(keys.of('acme', 'c'), 27 * HOUR_MS + 1);
    expect(isKnown(memory, keys.of('acme', 'a'))).toBe(false);
    expect(isKnown(memory, keys.of('acme', 'b'))).toBe(true);
  });

  it('takes an id whose hash is zero like any other', () => {
    const memory = new IdMemory({ count: 8_000, spanMs: HOUR_MS });
    const zero = { high: 0, low: 0 };
    expect(isKnown(memory, zero)).toBe(false);
    memory.claim(zero, 0);
    expect(isKnown(memory, zero)).toBe(true);
    for (let low = 2; low < 1_000; low += 1) memory.claim({ high: 0, low }, 0);
    expect(isKnown(memory, zero)).toBe(true);
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
    for (const { high, low } of told) list.add(high, low);
    const read: IdKey[] = [];
    forEachIdKey(list.bytes(), (key) => read.push({ ...key }));
    expect(read).toEqual(told satisfies IdKey[]);
  });
});
