import { describe, expect, it } from 'vitest';
import { COUNTER_MAX, emptyFacts, MEASURE_COUNT } from '../../sla/facts.ts';
import { createTally } from '../../sla/tally.ts';

const at = (minute: number, ms = 0) => minute * 60_000 + ms;
const ok = (startedAtMs: number, count = 1) => ({ startedAtMs, result: 'ok', count }) as const;
const failed = (startedAtMs: number, count = 1) => ({ startedAtMs, result: 'failed', count }) as const;

describe('a tally', () => {
  it('adds each outcome to the minute in which it started', () => {
    const tally = createTally(100, 10);
    tally.add(ok(at(100), 7), 'unknown');
    tally.add(failed(at(100, 59_999), 2), 'network');
    tally.add(failed(at(101)), 'provider');
    const { tallies } = tally.facts();
    expect([...tallies.subarray(0, 2 * MEASURE_COUNT)]).toEqual([9, 0, 0, 0, 2, 1, 1, 0, 0, 0]);
    expect(tallies.subarray(2 * MEASURE_COUNT).every((count) => count === 0)).toBe(true);
  });

  it('says which outcomes are outside its minutes', () => {
    const tally = createTally(100, 10);
    expect([99, 100, 109, 110].map((minute) => tally.add(ok(at(minute)), 'unknown'))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('takes everything between the first and the last outcome as watched, also of those outside', () => {
    const between = (...minutes: number[]) => {
      const tally = createTally(100, 10);
      for (const minute of minutes) tally.add(ok(at(minute)), 'unknown');
      tally.markWatched();
      const { alive } = tally.facts();
      return [...alive.keys()].filter((i) => alive[i] === 1);
    };
    expect(between(102, 105)).toEqual([2, 3, 4, 5]);
    expect(between(50, 101)).toEqual([0, 1]);
    expect(between(108, 200)).toEqual([8, 9]);
    expect(between(50, 60)).toEqual([]);
    expect(between()).toEqual([]);
  });

  it('marks single minutes and passes over those outside', () => {
    const tally = createTally(100, 5);
    for (const minute of [99, 100, 104, 105]) tally.markAlive(minute);
    expect([...tally.facts().alive]).toEqual([1, 0, 0, 0, 1]);
  });

  it('stops at the ceiling of a counter and says so, rather than wrap', () => {
    const tally = createTally(0, 5);
    tally.facts().tallies[0] = COUNTER_MAX - 1;
    tally.add(ok(0), 'unknown');
    expect(tally.saturated).toBe(0);
    tally.add(ok(0), 'unknown');
    expect(tally.facts().tallies[0]).toBe(COUNTER_MAX);
    expect(tally.saturated).toBe(1);
  });

  it('refuses a run that is not aligned to five minutes', () => {
    expect(() => createTally(101, 10)).toThrow(/TALLY_UNALIGNED/);
    expect(() => createTally(100, 9)).toThrow(/TALLY_UNALIGNED/);
    expect(emptyFacts(0, 10).late).toHaveLength(2);
  });
});
