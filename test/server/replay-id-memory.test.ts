import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdMemory } from '../../server/replay/id-memory.ts';
import { IdPartitions } from '../../server/replay/id-partitions.ts';
import { IdHash } from '../../sla/lines/id-hash.ts';
import { seededRandom } from '../support/random.ts';

const NOON_MINUTE = Date.UTC(2026, 10, 3, 12) / 60_000;
const FIRST_MINUTE = NOON_MINUTE - 1_000;
const SPAN = 60;
const SLOTS = { firstSlots: 1 << 10, mostSlots: 1 << 20 };

function hashOf(id: string): IdHash {
  const hash = new IdHash();
  hash.ofText(id);
  return hash;
}

const lanes = ({ a, b }: IdHash) => [a, b];

describe('the hash of an id', () => {
  it('of plain text is the same wherever it stands and whatever stands behind it', () => {
    const plain = fc.stringMatching(/^[ !#-[\]-~]{0,40}$/);
    fc.assert(
      fc.property(plain, fc.nat(9), fc.nat(255), (id, offset, filler) => {
        const bytes = new TextEncoder().encode(`${id}"`);
        const buffer = new Uint8Array(offset + bytes.length + 16).fill(filler);
        buffer.set(bytes, offset);
        const hash = new IdHash();
        expect(hash.ofPlain(new DataView(buffer.buffer), offset)).toBe(offset + id.length);
        expect(lanes(hash)).toEqual(lanes(hashOf(id)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('tells ids apart of which one is the other with zero bytes or another tail', () => {
    const ids = ['', '\0', '\0\0', '\0\0\0\0', 'a', 'a\0', 'abcd', 'abcd\0', 'abcda', 'abcdab', 'abcdabcd'];
    expect(new Set(ids.map((id) => lanes(hashOf(id)).join())).size).toBe(ids.length);
  });

  it('differs among a hundred thousand ids that differ little, in every lane', () => {
    const seen = [new Set<number>(), new Set<number>()];
    const whole = new Set<string>();
    for (let n = 0; n < 100_000; n++) {
      const hash = lanes(hashOf(`request-${n}`));
      hash.forEach((lane, index) => void seen[index]!.add(lane));
      whole.add(hash.join());
    }
    expect(whole.size).toBe(100_000);
    // Of 10^5 random numbers of 32 bits, one or two pairs agree; a weak lane would show dozens.
    for (const lane of seen) expect(lane.size).toBeGreaterThan(100_000 - 12);
  });
});

function isRepeat(memory: IdMemory, id: string, minute: number): boolean {
  const { a, b } = hashOf(id);
  return memory.isRepeat(a, b, minute);
}

describe('the memory of ids', () => {
  it('answers as a map of every id would, while there is room', () => {
    const report = fc.tuple(fc.nat(40), fc.integer({ min: -3 * SPAN, max: 3 * SPAN }));
    fc.assert(
      fc.property(fc.array(report, { maxLength: 300 }), (reports) => {
        const memory = new IdMemory({ spanMinutes: SPAN, firstMinute: FIRST_MINUTE, ...SLOTS });
        const model = new Map<number, number>();
        for (const [id, offset] of reports) {
          const minute = NOON_MINUTE + offset;
          const known = model.get(id);
          const wasSeen = known !== undefined && Math.abs(known - minute) <= SPAN;
          if (!wasSeen) model.set(id, minute);
          expect(isRepeat(memory, `id-${id}`, minute)).toBe(wasSeen);
        }
      }),
    );
  });

  it('knows every id of the span again after hundreds of thousands of others, in a small table', () => {
    const memory = new IdMemory({
      spanMinutes: SPAN,
      firstMinute: FIRST_MINUTE,
      firstSlots: 1 << 9,
      mostSlots: 1 << 17,
    });
    const perMinute = 500;
    for (let minute = 0; minute < 600; minute++) {
      for (let n = 0; n < perMinute; n++) {
        if (isRepeat(memory, `${minute}/${n}`, NOON_MINUTE + minute)) throw new Error('a new id was known');
      }
      // The oldest of the span and one of its middle.
      for (const ago of [SPAN, SPAN / 2]) {
        if (minute < ago) continue;
        const id = `${minute - ago}/${minute % perMinute}`;
        if (!isRepeat(memory, id, NOON_MINUTE + minute)) throw new Error(`forgotten after ${ago} minutes`);
      }
    }
    expect(memory.forgottenEarly).toBe(0);
    expect(memory.held).toBeLessThanOrEqual((1 << 17) * 0.75);
  });

  it('forgets the farthest and counts them when the span holds more than its table may', () => {
    const memory = new IdMemory({
      spanMinutes: SPAN,
      firstMinute: FIRST_MINUTE,
      firstSlots: 1 << 9,
      mostSlots: 1 << 10,
    });
    const ids = 5_000;
    for (let n = 0; n < ids; n++) isRepeat(memory, `${n}`, NOON_MINUTE + Math.floor(n / 100));
    expect(memory.held).toBeLessThanOrEqual((1 << 10) * 0.75);
    expect(memory.held + memory.forgottenEarly).toBe(ids);
    expect(isRepeat(memory, `${ids - 1}`, NOON_MINUTE + 49)).toBe(true);
    expect(isRepeat(memory, '0', NOON_MINUTE + 49)).toBe(false);
  });

  it('makes room even when all of its ids are of one minute', () => {
    const memory = new IdMemory({
      spanMinutes: SPAN,
      firstMinute: FIRST_MINUTE,
      firstSlots: 1 << 9,
      mostSlots: 1 << 10,
    });
    for (let n = 0; n < 5_000; n++) isRepeat(memory, `${n}`, NOON_MINUTE);
    expect(memory.held).toBeLessThanOrEqual((1 << 10) * 0.75);
    expect(memory.held + memory.forgottenEarly).toBe(5_000);
  });

  it('does not forget a day of ids for one stray clock', () => {
    const memory = new IdMemory({
      spanMinutes: SPAN,
      firstMinute: FIRST_MINUTE,
      firstSlots: 1 << 9,
      mostSlots: 1 << 10,
    });
    // The table is cleared for the 768th id, which is the one with the stray clock.
    for (let n = 0; n < 767; n++) isRepeat(memory, `${n}`, NOON_MINUTE + (n < 600 ? -2 * SPAN : 0));
    isRepeat(memory, 'stray', NOON_MINUTE + 10 * SPAN);
    expect(memory.held).toBeLessThan(767);
    for (let n = 600; n < 767; n++) expect(isRepeat(memory, `${n}`, NOON_MINUTE)).toBe(true);
  });
});

describe('the partitions', () => {
  it('let through the first outcome of each id, with its own count and cause, however many wait', () => {
    const random = seededRandom(11);
    const outcomes = Array.from({ length: 200_000 }, (_, n) => ({
      // Every fourth id comes again, some of them next, most of them far behind.
      id: `id-${random.integer(1, 4) === 1 ? random.integer(0, n) : n}`,
      minute: NOON_MINUTE + Math.floor(n / 5_000),
      count: random.integer(1, 9),
      causeIndex: random.integer(-1, 3),
    }));
    const passed: number[] = [];
    const partitions = new IdPartitions(
      { spanMinutes: SPAN, firstMinute: FIRST_MINUTE },
      (minute, count, causeIndex) => {
        passed.push((minute - NOON_MINUTE) * 100 + count * 10 + causeIndex);
      },
    );
    const seen = new Set<string>();
    const expected: number[] = [];
    for (const { id, minute, count, causeIndex } of outcomes) {
      partitions.put(hashOf(id), minute, count, causeIndex);
      if (!seen.has(id)) expected.push((minute - NOON_MINUTE) * 100 + count * 10 + causeIndex);
      seen.add(id);
    }
    partitions.settle();
    partitions.settle();
    expect(passed.toSorted((x, y) => x - y)).toEqual(expected.toSorted((x, y) => x - y));
    expect(partitions.repeated).toBe(outcomes.length - expected.length);
    expect(partitions.forgottenEarly).toBe(0);
  });
});
