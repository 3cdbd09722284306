import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNTER_MAX, emptyFacts, MEASURE_COUNT } from '../../sla/facts.ts';
import { read } from '../../sla/read.ts';
import { type Entry, excluding, factsOf, losing, monthOf, readScene, termsOf } from './months.ts';

const july = monthOf('2026-07');

describe('a reading', () => {
  it('puts every window in exactly one class', () => {
    const reading = readScene({
      entries: [...losing([3, 10]), { minute: 100, attempts: 50 }],
      alive: [100, 101, 150],
      exclusions: [excluding(july, 50, 55)],
      atMinute: 1_000,
    });
    expect(reading.windows).toEqual({
      up: 1,
      down: 1,
      excluded: 1,
      idle: 1,
      unmeasured: 196,
      remaining: 8_728,
      lowVolumeDown: 0,
    });
    expect(reading.coverage).toBe(4 / 200);
  });

  it('before the month has everything remaining and nothing missed', () => {
    const reading = readScene({ entries: losing([0]), atMinute: -1 });
    expect(reading.windows.remaining).toBe(8_928);
    expect(reading).toMatchObject({ attempts: 0, coverage: 1, openWindow: null, downtimeMinutes: 0 });
    expect(reading.availability).toEqual({ ratio: 1, display: '100.000%', meetsTarget: true });
  });

  it('counts a window when it has ended, not a moment before', () => {
    const end = 20;
    expect(readScene({ entries: losing([3]), atMinute: end - 0.001 }).budget.lost).toBe(0);
    expect(readScene({ entries: losing([3]), atMinute: end }).budget.lost).toBe(1);
  });

  it('goes on when a minute has more outcomes than a counter holds, and calls it no better than it was', () => {
    const facts = emptyFacts(july.firstMinute, july.minuteCount);
    // As a store leaves them, which stops each counter alone: attempts, provider, unknown, customer, network.
    facts.tallies.set([COUNTER_MAX, COUNTER_MAX, 7, 0, 0], 10 * MEASURE_COUNT);
    for (const [minute, lost] of [
      [12, 0],
      [20, 1],
    ] as const) {
      const nowMs = july.startMs + minute * 60_000;
      const reading = read({
        service: 'acme',
        month: july,
        facts,
        terms: termsOf(),
        exclusions: [],
        nowMs,
      });
      expect(reading.failures).toMatchObject({ provider: COUNTER_MAX, unknown: 7 });
      expect(reading.attempts).toBe(COUNTER_MAX + 7);
      expect(reading.budget.lost).toBe(lost);
    }
  });

  it('does not look at minutes that begin after now', () => {
    const scene = {
      entries: [
        { minute: 10, attempts: 5 },
        { minute: 12, attempts: 7 },
      ],
    };
    expect(readScene({ ...scene, atMinute: 10 }).attempts).toBe(0);
    expect(readScene({ ...scene, atMinute: 10.5 }).attempts).toBe(5);
    expect(readScene({ ...scene, atMinute: 12.01 }).attempts).toBe(12);
  });

  it('is the same whether facts cover the month, more, or only what was written', () => {
    const terms = termsOf();
    const entries = losing([100, 101]);
    const nowMs = july.endMs;
    const base = { service: 'acme', month: july, terms, exclusions: [], nowMs };
    const whole = read({ ...base, facts: factsOf(july, entries, []) });

    const wide = emptyFacts(july.firstMinute - 1_000, july.minuteCount + 2_000);
    wide.tallies.set(factsOf(july, entries, []).tallies, 1_000 * MEASURE_COUNT);
    wide.tallies[0] = 77;
    wide.late[0] = 5;
    expect(read({ ...base, facts: wide })).toEqual(whole);

    const narrow = emptyFacts(july.firstMinute + 500, 10);
    narrow.tallies.set(factsOf(july, entries, []).tallies.subarray(500 * MEASURE_COUNT, 510 * MEASURE_COUNT));
    expect(read({ ...base, facts: narrow })).toEqual(whole);
    expect(read({ ...base, facts: emptyFacts(0, 0) }).windows.unmeasured).toBe(8_928);
  });

  it('passes over the exclusions of other services', () => {
    const other = { ...excluding(july, 15, 20), service: 'other' };
    expect(readScene({ entries: losing([3]), exclusions: [other] }).budget.lost).toBe(1);
    expect(readScene({ entries: losing([3]), exclusions: [excluding(july, 15, 20)] }).budget.lost).toBe(0);
  });

  it('reports all that was recorded, whatever is excluded or not counted', () => {
    const reading = readScene({
      entries: [
        { minute: 15, attempts: 100, failures: { provider: 4, customer: 3, network: 2, unknown: 1 } },
      ],
      exclusions: [excluding(july, 15, 20)],
    });
    expect(reading.attempts).toBe(100);
    expect(reading.failures).toEqual({ provider: 4, unknown: 1, customer: 3, network: 2 });
    expect(reading.windows.excluded).toBe(1);
  });

  it('lists lost windows with counted attempts and marks those of low volume', () => {
    const entries: Entry[] = [
      { minute: 0, attempts: 130, failures: { customer: 31, unknown: 1 } },
      { minute: 5, attempts: 131, failures: { customer: 31, unknown: 2 } },
    ];
    const reading = readScene({ entries });
    expect(reading.lostWindows).toEqual([
      { start: '2026-06-30T16:00:00.000Z', attempts: 99, failures: 1, lowVolume: true },
      { start: '2026-06-30T16:05:00.000Z', attempts: 100, failures: 2, lowVolume: false },
    ]);
    expect(reading.windows.lowVolumeDown).toBe(1);
  });

  it('gives three figures from the same windows', () => {
    const entries: Entry[] = [
      { minute: 0, attempts: 100, failures: { provider: 50 } },
      { minute: 5, attempts: 100, failures: { unknown: 50 } },
      { minute: 10, attempts: 100, failures: { network: 50 } },
      { minute: 15, attempts: 100, failures: { customer: 50 } },
    ];
    const { figures } = readScene({ entries });
    expect([figures.providerOnly.lost, figures.providerAndUnknown.lost, figures.raw.lost]).toEqual([1, 2, 4]);
    const only = readScene({ entries, terms: { countedCauses: ['provider'] } });
    expect([only.budget.lost, only.figures.providerAndUnknown.lost]).toEqual([1, 2]);
  });

  it('lists what came late as a revision of its window', () => {
    const facts = factsOf(july, losing([3]));
    facts.late[3] = 17;
    const input = {
      service: 'acme',
      month: july,
      facts,
      terms: termsOf(),
      exclusions: [],
      nowMs: july.endMs,
    };
    expect(read(input).revisions).toEqual([{ start: '2026-06-30T16:15:00.000Z', lateAttempts: 17 }]);

    const byMinute = termsOf({ windowMinutes: 2 });
    const month = monthOf('2026-07', byMinute);
    // Slot 3 begins with minute 15, which is in the window from 14 to 16: listed once, there.
    expect(read({ ...input, terms: byMinute, month }).revisions).toEqual([
      { start: '2026-06-30T16:14:00.000Z', lateAttempts: 17 },
    ]);
    const byHour = termsOf({ windowMinutes: 60 });
    facts.late[4] = 3;
    expect(read({ ...input, terms: byHour, month: monthOf('2026-07', byHour) }).revisions).toEqual([
      { start: '2026-06-30T16:00:00.000Z', lateAttempts: 20 },
    ]);
  });
});

describe('an exclusion in the books', () => {
  it('leaves the total as it is', () => {
    const scene = { entries: losing([0, 1, 2, 3, 4, 5, 6, 7, 8]) };
    expect(readScene(scene).availability.meetsTarget).toBe(false);
    const reading = readScene({ ...scene, exclusions: [excluding(july, 0, 5)] });
    expect(reading.period.windows).toBe(8_928);
    expect(reading.availability).toMatchObject({ meetsTarget: true, ratio: 8_920 / 8_928 });
  });

  it('judges what remains of a window alone', () => {
    const entries: Entry[] = [
      { minute: 0, attempts: 500 },
      { minute: 2, attempts: 80, failures: { provider: 80 } },
      { minute: 4, attempts: 503, failures: { provider: 3 } },
    ];
    expect(readScene({ entries }).budget.lost).toBe(1);
    expect(readScene({ entries, exclusions: [excluding(july, 2, 3)] }).budget.lost).toBe(0);
    // Leaving out the good minutes instead leaves a window that is worse.
    expect(
      readScene({ entries, exclusions: [excluding(july, 0, 1), excluding(july, 3, 5)] }).budget.lost,
    ).toBe(1);
  });

  it('decides what an agent saw by the minutes that remain', () => {
    const exclusions = [excluding(july, 0, 3)];
    expect(readScene({ alive: [1], exclusions }).windows.unmeasured).toBe(8_928);
    expect(readScene({ alive: [3], exclusions }).windows.idle).toBe(1);
    expect(readScene({ alive: [], exclusions: [excluding(july, 0, 5)] }).windows.excluded).toBe(1);
  });
});

describe('windows that must come in a row', () => {
  const terms = { minConsecutive: 2 };

  it('count from the second on, and then all of them', () => {
    expect(readScene({ entries: losing([3, 5, 7]), terms }).budget.lost).toBe(0);
    expect(readScene({ entries: losing([3, 4, 7]), terms }).budget.lost).toBe(2);
    expect(readScene({ entries: losing([3, 4, 5]), terms }).budget.lost).toBe(3);
  });

  it('are broken by an excluded or idle window, and do not reach beyond the month', () => {
    const exclusions = [excluding(july, 20, 25)];
    expect(readScene({ entries: losing([3, 4, 5]), terms, exclusions }).budget.lost).toBe(0);
    expect(readScene({ entries: losing([0]), terms }).budget.lost).toBe(0);
    expect(readScene({ entries: losing([8_927]), terms }).budget.lost).toBe(0);
    expect(readScene({ entries: losing([8_926, 8_927]), terms }).budget.lost).toBe(2);
  });

  it('are not lost while the next one is still open', () => {
    const scene = { entries: losing([3, 4]), terms };
    expect(readScene({ ...scene, atMinute: 24.9 }).budget.lost).toBe(0);
    expect(readScene({ ...scene, atMinute: 25 }).budget.lost).toBe(2);
  });

  it('apply to every figure alike', () => {
    const entries: Entry[] = [
      { minute: 0, attempts: 100, failures: { provider: 50 } },
      { minute: 5, attempts: 100, failures: { customer: 50 } },
    ];
    const { figures } = readScene({ entries, terms });
    expect([figures.providerAndUnknown.lost, figures.raw.lost]).toEqual([0, 2]);
  });
});

describe('a month with daylight saving', () => {
  const terms = { timeZone: 'America/New_York' };

  it('loses nothing in the hour that is skipped, even when empty windows are down', () => {
    const reading = readScene({ month: '2026-03', terms: { ...terms, emptyWindow: 'down' } });
    expect(reading.period).toMatchObject({ windows: 8_928, minutes: 44_640 });
    expect(reading.windows).toMatchObject({ down: 8_916, idle: 12 });
    expect(reading.figures.raw.lost).toBe(8_916);
  });

  it('judges the two passes of the repeated hour together, when the second is over', () => {
    const november = monthOf('2026-11', termsOf(terms));
    // 01:00 to 01:05 of 1 November, first and second pass: minutes 60 and 120.
    const entries: Entry[] = [
      { minute: 60, attempts: 100, failures: { provider: 2 } },
      { minute: 120, attempts: 100, failures: { provider: 0 } },
    ];
    expect(readScene({ month: '2026-11', terms, entries }).budget.lost).toBe(0);
    const worse = [entries[0]!, { minute: 120, attempts: 99 }];
    const reading = readScene({ month: '2026-11', terms, entries: worse });
    expect(reading.lostWindows).toEqual([
      { start: '2026-11-01T05:00:00.000Z', attempts: 199, failures: 2, lowVolume: false },
    ]);
    expect(readScene({ month: '2026-11', terms, entries: worse, atMinute: 124 }).budget.lost).toBe(0);
    expect(readScene({ month: '2026-11', terms, entries: worse, atMinute: 125 }).budget.lost).toBe(1);
    expect(november.windows).toBe(8_640);
  });
});

describe('a partial month counted as a full one', () => {
  it('measures only the service days and divides by all of them', () => {
    const terms = { serviceStart: '2026-07-30', partialMonth: 'full', emptyWindow: 'down' };
    const month = monthOf('2026-07', termsOf(terms));
    const reading = readScene({ terms, entries: losing([29 * 288]) });
    expect(reading.period).toMatchObject({ days: 31, windows: 8_928, start: '2026-06-30T16:00:00.000Z' });
    expect(reading.windows).toMatchObject({ idle: 29 * 288, down: 2 * 288 });
    expect(month.windows).toBe(8_928);
    expect(readScene({ terms, atMinute: 5 }).windows).toMatchObject({ idle: 29 * 288, remaining: 2 * 288 });
  });
});

describe('over any month', () => {
  const day = { serviceEnd: '2026-07-02' };
  const month = monthOf('2026-07', termsOf(day));
  const entries = fc.array(
    fc
      .record({
        minute: fc.nat(2 * 1_440 - 1),
        attempts: fc.integer({ min: 1, max: 120 }),
        failures: fc.record({ provider: fc.nat(1), unknown: fc.nat(1) }),
      })
      .map((entry) => ({ ...entry, attempts: entry.attempts + 2 })),
    { maxLength: 80 },
  );

  it('the order in which outcomes come changes nothing, and neither does splitting their counts', () => {
    fc.assert(
      fc.property(entries, fc.integer(), (list, seed) => {
        const once = readScene({ terms: day, entries: list });
        const shuffled = list
          .map((entry, i) => ({ entry, key: Math.imul(i + 1, seed | 1) }))
          .sort((a, b) => a.key - b.key);
        expect(readScene({ terms: day, entries: shuffled.map(({ entry }) => entry) })).toEqual(once);
        const split = list.flatMap((entry): Entry[] => [
          { minute: entry.minute, attempts: entry.attempts - 2 },
          { minute: entry.minute, attempts: 2, failures: entry.failures },
        ]);
        expect(readScene({ terms: day, entries: split })).toEqual(once);
      }),
      { numRuns: 40 },
    );
  });

  it('a success more never lowers the availability, and a failure more never raises it', () => {
    fc.assert(
      fc.property(
        entries,
        fc.nat(2 * 1_440 - 1),
        fc.integer({ min: 1, max: 500 }),
        (list, minute, attempts) => {
          const before = readScene({ terms: day, entries: list });
          const better = readScene({ terms: day, entries: [...list, { minute, attempts }] });
          expect(better.budget.lost).toBeLessThanOrEqual(before.budget.lost);
          expect(better.voucherPercent).toBeLessThanOrEqual(before.voucherPercent);
          const worse = readScene({
            terms: day,
            entries: [...list, { minute, attempts, failures: { provider: attempts } }],
          });
          expect(worse.budget.lost).toBeGreaterThanOrEqual(before.budget.lost);
          expect(worse.voucherPercent).toBeGreaterThanOrEqual(before.voucherPercent);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('the classes sum to the windows, the figures are ordered, and excluding a whole window never adds a loss', () => {
    fc.assert(
      fc.property(entries, fc.nat(2 * 1_440), fc.nat(575), (list, atMinute, window) => {
        const scene = { terms: day, entries: list, atMinute };
        const reading = readScene(scene);
        const { lowVolumeDown, ...classes } = reading.windows;
        expect(Object.values(classes).reduce((sum, count) => sum + count, 0)).toBe(reading.period.windows);
        expect(lowVolumeDown).toBeLessThanOrEqual(classes.down);
        expect(reading.lostWindows).toHaveLength(classes.down);
        expect(reading.figures.providerAndUnknown.lost).toBe(classes.down);
        const excluded = readScene({ ...scene, exclusions: [excluding(month, window * 5, window * 5 + 5)] });
        expect(excluded.budget.lost).toBeLessThanOrEqual(reading.budget.lost);
        expect(excluded.attempts).toBe(reading.attempts);
      }),
      { numRuns: 40 },
    );
  });
});
