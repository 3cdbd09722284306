import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePage, emptyPage, encodePage } from '../../../server/store/lmdb/page-codec.ts';
import { COUNTER_MAX } from '../../../sla/facts.ts';

const counter = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 127, 128, 16_383, 16_384, COUNTER_MAX - 1, COUNTER_MAX) },
);
const page = fc
  .tuple(
    fc.array(counter, { minLength: 2_400, maxLength: 2_400, size: 'max' }),
    fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 480, maxLength: 480, size: 'max' }),
    fc.array(counter, { minLength: 96, maxLength: 96, size: 'max' }),
  )
  .map(([tallies, alive, late]) => ({
    tallies: Uint32Array.from(tallies),
    alive: Uint8Array.from(alive),
    late: Uint32Array.from(late),
  }));

describe('the page codec', () => {
  it('gives every page back as it was', () => {
    fc.assert(
      fc.property(page, (original) => {
        expect(decodePage(encodePage(original))).toEqual(original);
      }),
      { numRuns: 50 },
    );
  });

  it('gives the emptiest and the fullest page back', () => {
    const full = emptyPage();
    full.tallies.fill(COUNTER_MAX);
    full.alive.fill(1);
    full.late.fill(COUNTER_MAX);
    for (const original of [emptyPage(), full]) expect(decodePage(encodePage(original))).toEqual(original);
  });

  it('keeps a quiet page under 100 bytes', () => {
    const quiet = emptyPage();
    quiet.alive.fill(1);
    expect(encodePage(quiet).length).toBeLessThan(100);
  });

  it('refuses bytes that are cut short, too long, of another version or empty', () => {
    fc.assert(
      fc.property(page, fc.nat({ max: 20_000 }), (original, cut) => {
        const bytes = encodePage(original);
        const damaged = expect.objectContaining({ code: 'STORE_DAMAGED' });
        expect(() => decodePage(bytes.subarray(0, cut % bytes.length))).toThrow(damaged);
        expect(() => decodePage(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(damaged);
        expect(() => decodePage(Buffer.concat([Buffer.of(2), bytes.subarray(1)]))).toThrow(damaged);
      }),
      { numRuns: 50 },
    );
  });
});
