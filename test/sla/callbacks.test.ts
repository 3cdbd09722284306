import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCallbacks, SURGE } from '../../sla/callbacks.ts';
import {
  CALLBACK_COUNT,
  CALLBACK_INDEX,
  CALLBACK_MEASURES,
  type CallbackMeasure,
  emptyFacts,
  MEASURE_COUNT,
  type MinuteFacts,
  openCallbacks,
} from '../../sla/facts.ts';
import { read } from '../../sla/read.ts';
import { type Entry, factsOf, losing, monthOf, termsOf } from './months.ts';

const july = monthOf('2026-07');
const LEAD = SURGE.baselineMinutes;

/** What was told of one minute, counted from the month's first. */
interface Told extends Partial<Readonly<Record<CallbackMeasure, number>>> {
  readonly minute: number;
}

/** The facts of July and of the hour before it, with what the vendor told. */
function toldFacts(told: readonly Told[], entries: readonly Entry[] = []): MinuteFacts {
  const facts = emptyFacts(july.firstMinute - LEAD, july.minuteCount + LEAD);
  const month = factsOf(july, entries, []);
  facts.tallies.set(month.tallies, LEAD * MEASURE_COUNT);
  for (const { minute, ...counts } of told) {
    const at = (minute + LEAD) * CALLBACK_COUNT;
    const callbacks = openCallbacks(facts);
    for (const measure of CALLBACK_MEASURES) callbacks[at + CALLBACK_INDEX[measure]]! += counts[measure] ?? 0;
  }
  return facts;
}

function readTold(told: readonly Told[], entries: readonly Entry[] = [], atMinute = july.minuteCount) {
  const nowMs = july.startMs + atMinute * 60_000;
  return readCallbacks({ month: july, facts: toldFacts(told, entries), nowMs });
}

const at = (minute: number) => new Date(july.startMs + minute * 60_000).toISOString();

describe('callbacks in a reading', () => {
  it('are absent when none came, or none in this month yet', () => {
    expect(readTold([])).toBeUndefined();
    expect(readTold([{ minute: -1, entered: 5 }])).toBeUndefined();
    expect(readTold([{ minute: 10, entered: 5 }], [], 10)).toBeUndefined();
    expect(readTold([{ minute: 10, entered: 5 }], [], 10.5)).toMatchObject({ entered: 5 });
    const reading = read({
      service: 'acme',
      month: july,
      facts: toldFacts([]),
      terms: termsOf(),
      exclusions: [],
      nowMs: july.endMs,
    });
    expect('callbacks' in reading).toBe(false);
  });

  it('compare agent successes with entries from the first callback to the last, and nowhere else', () => {
    const entries: Entry[] = [
      { minute: 99, attempts: 1_000 },
      { minute: 100, attempts: 50, failures: { provider: 5, unknown: 1, customer: 3, network: 1 } },
      { minute: 150, attempts: 20 },
      { minute: 200, attempts: 35 },
      { minute: 201, attempts: 1_000 },
    ];
    const told = [
      { minute: 100, entered: 60 },
      { minute: 150, entered: 39 },
      { minute: 200, left: 4 },
    ];
    expect(readTold(told, entries)).toEqual({
      from: at(100),
      to: at(201),
      entered: 99,
      reported: 95,
      coverage: 95 / 99,
      rise: 0,
      surges: [],
    });
  });

  it('have no coverage when users only left, and one above 1 when agents report more', () => {
    expect(readTold([{ minute: 5, left: 3 }])).toMatchObject({ entered: 0, coverage: null });
    expect(readTold([{ minute: 5, entered: 3 }], [{ minute: 5, attempts: 4 }])).toMatchObject({
      coverage: 4 / 3,
    });
  });

  it('compare entries alone: who is back after a time-out made no request, and is none to be reported', () => {
    const told = [
      { minute: 5, entered: 4 },
      { minute: 7, returned: 90 },
    ];
    expect(readTold(told, [{ minute: 5, attempts: 3 }])).toMatchObject({
      to: at(8),
      entered: 4,
      reported: 3,
      coverage: 0.75,
    });
    expect(readTold([{ minute: 5, returned: 3 }])).toMatchObject({ entered: 0, coverage: null });
  });

  it('change no verdict and no figure, whatever they say', () => {
    const told = fc.array(
      fc.record({
        minute: fc.integer({ min: -LEAD, max: july.minuteCount - 1 }),
        entered: fc.integer({ min: 0, max: 10_000 }),
        left: fc.integer({ min: 0, max: 10_000 }),
        returned: fc.integer({ min: 0, max: 10_000 }),
      }),
      { maxLength: 30 },
    );
    const lost = fc.uniqueArray(fc.integer({ min: 0, max: july.windows - 1 }), { maxLength: 12 });
    fc.assert(
      fc.property(told, lost, fc.integer({ min: 0, max: july.minuteCount }), (said, windows, minute) => {
        const base = {
          service: 'acme',
          month: july,
          terms: termsOf(),
          exclusions: [],
          nowMs: july.startMs + minute * 60_000,
        };
        const { callbacks: _, ...reading } = read({ ...base, facts: toldFacts(said, losing(windows)) });
        expect(reading).toEqual(read({ ...base, facts: toldFacts([], losing(windows)) }));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a surge', () => {
  it('is more than 3,000 users on top of the hour before: 3,000 is none, 3,001 is one', () => {
    expect(SURGE.users).toBe(3_000);
    expect(readTold([{ minute: 500, entered: 3_000 }])?.surges).toEqual([]);
    expect(readTold([{ minute: 500, entered: 3_001 }])?.surges).toEqual([
      { from: at(500), to: at(500 + LEAD), rise: 3_001, entered: 3_001, returned: 0 },
    ]);
  });

  it('is measured in users who stay: who left is taken off', () => {
    const told = [
      { minute: 500, entered: 4_000, left: 999 },
      { minute: 501, entered: 2_000, left: 2_001 },
    ];
    expect(readTold(told)?.surges).toEqual([
      { from: at(500), to: at(501), rise: 3_001, entered: 4_000, returned: 0 },
    ]);
  });

  it('adds up over an hour and not over more', () => {
    const spread = (minutes: number) => [
      { minute: 500, entered: 1 },
      { minute: 500 + minutes, entered: 3_000 },
    ];
    expect(readTold(spread(LEAD - 1))?.surges).toHaveLength(1);
    expect(readTold(spread(LEAD))?.surges).toHaveLength(0);
  });

  it('is measured from the lowest of the hour, not from its beginning', () => {
    const told = [
      { minute: 400, entered: 10_000 },
      { minute: 500, left: 8_000 },
      { minute: 520, entered: 3_001 },
    ];
    expect(readTold(told)?.surges.map((surge) => surge.rise)).toEqual([10_000, 3_001]);
  });

  it('is one when it comes again within the hour, with its highest rise, and two after it', () => {
    const wave = (second: number) => [
      { minute: 500, entered: 3_500 },
      { minute: 501, left: 3_500 },
      { minute: second, entered: 4_000 },
      { minute: second + 1, left: 4_000 },
    ];
    expect(readTold(wave(500 + LEAD))?.surges).toEqual([
      { from: at(500), to: at(501 + LEAD), rise: 4_000, entered: 4_000, returned: 0 },
    ]);
    expect(readTold(wave(501 + LEAD))?.surges).toHaveLength(2);
  });

  it('that built up in the hour before the month is measured from there and listed in the month alone', () => {
    expect(
      readTold([
        { minute: -10, entered: 2_000 },
        { minute: 5, entered: 1_001 },
      ])?.surges,
    ).toEqual([{ from: at(5), to: at(LEAD - 10), rise: 3_001, entered: 3_001, returned: 0 }]);
    expect(
      readTold([
        { minute: -10, entered: 5_000 },
        { minute: 5, left: 4_900 },
      ])?.surges,
    ).toEqual([{ from: at(0), to: at(5), rise: 5_000, entered: 5_000, returned: 0 }]);
  });

  it('is neither hidden nor made smaller by users who time out and come back all the while', () => {
    const hour = Array.from({ length: LEAD }, (_, i) => ({
      minute: 500 + i,
      entered: 100,
      left: 60,
      returned: 60,
    }));
    // They returned in the rise and timed out in it too: the new users are as many as without them.
    expect(readTold(hour)?.surges).toMatchObject([{ rise: 6_000, entered: 6_000, returned: 3_600 }]);
  });

  it('says how many of it were back after a time-out: after an outage it may be all of them', () => {
    const told = [
      { minute: 300, entered: 9_000 },
      { minute: 500, left: 5_000 },
      { minute: 503, returned: 4_000, entered: 10 },
      { minute: 504, returned: 900 },
    ];
    expect(readTold(told)?.surges.at(-1)).toEqual({
      from: at(503),
      to: at(503 + LEAD),
      rise: 4_910,
      entered: 10,
      returned: 4_900,
    });
  });

  it('tells those of its rise, from the last minute of its low to the first of its peak, and no others', () => {
    const told = [
      { minute: 480, returned: 500, left: 500 },
      { minute: 490, returned: 30, left: 30 },
      { minute: 500, returned: 7, left: 2, entered: 3_000 },
      { minute: 510, returned: 1 },
      { minute: 511, returned: 200, left: 200 },
    ];
    expect(readTold(told)?.surges).toMatchObject([{ rise: 3_006, entered: 3_000, returned: 8 }]);
  });

  it('may tell of more of them than users came on top: others left meanwhile', () => {
    const told = [
      { minute: 300, entered: 4_000 },
      { minute: 500, returned: 4_000, left: 500 },
    ];
    expect(readTold(told)?.surges.at(-1)).toMatchObject({ rise: 3_500, entered: 0, returned: 4_000 });
  });

  it('stands as the rise of the last minute while it lasts', () => {
    const told = [{ minute: 500, entered: 3_200 }];
    expect(readTold(told, [], 501)?.rise).toBe(3_200);
    expect(readTold(told, [], 500 + LEAD)?.rise).toBe(3_200);
    expect(readTold(told, [], 500 + LEAD + 1)?.rise).toBe(0);
  });

  it('is found as by comparing every minute with each of the sixty before it', () => {
    const steps = fc.array(
      fc.record({
        minute: fc.integer({ min: -LEAD, max: 400 }),
        entered: fc.integer({ min: 0, max: 4_000 }),
        left: fc.integer({ min: 0, max: 4_000 }),
        returned: fc.integer({ min: 0, max: 4_000 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (told) => {
        const sums = new Map<number, number>([[-LEAD - 1, 0]]);
        for (let minute = -LEAD; minute <= 500; minute += 1) {
          const here = told.filter((one) => one.minute === minute);
          const change = here.reduce((sum, one) => sum + one.entered + one.returned - one.left, 0);
          sums.set(minute, sums.get(minute - 1)! + change);
        }
        const toldIn = (after: number, until: number) => {
          const inside = told.filter(({ minute }) => minute > after && minute <= until);
          const sum = (measure: CallbackMeasure) => inside.reduce((sum, one) => sum + one[measure], 0);
          return { entered: sum('entered'), returned: sum('returned') };
        };
        const above: { minute: number; rise: number; entered: number; returned: number }[] = [];
        for (let minute = 0; minute <= 500; minute += 1) {
          const before = Array.from({ length: LEAD }, (_, i) => minute - 1 - i).filter((one) =>
            sums.has(one),
          );
          const least = Math.min(...before.map((one) => sums.get(one)!));
          // The latest of equals: they are listed backwards.
          const low = before.find((one) => sums.get(one) === least)!;
          const rise = sums.get(minute)! - least;
          if (rise > SURGE.users) above.push({ minute, rise, ...toldIn(low, minute) });
        }
        const surges = readTold(told)?.surges ?? [];
        const isInside = (minute: number) =>
          surges.some(({ from, to }) => at(minute) >= from && at(minute) < to);
        for (const { minute } of above) {
          if (told.some((one) => one.minute >= 0)) expect(isInside(minute)).toBe(true);
        }
        for (const { from, to, ...risen } of surges) {
          const inside = above.filter(({ minute }) => at(minute) >= from && at(minute) < to);
          expect(at(inside[0]!.minute)).toBe(from);
          expect(at(inside.at(-1)!.minute + 1)).toBe(to);
          expect(Math.max(...inside.map((one) => one.rise))).toBe(risen.rise);
          expect(inside.find((one) => one.rise === risen.rise)).toMatchObject(risen);
        }
      }),
    );
  });
});
