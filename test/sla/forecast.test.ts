import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Chance,
  expectedLosses,
  lossDistribution,
  probabilityOfMore,
  quantileOf,
  stepDistribution,
} from '../../sla/chain.ts';
import { addTransitions, chainOf, DEFAULT_PRIOR, transitionsOf } from '../../sla/forecast.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { logGamma } from '../../sla/log-gamma.ts';
import { read } from '../../sla/read.ts';
import { type Entry, excluding, factsOf, losing, monthOf, readScene, termsOf } from './months.ts';

const known = (p: number): Chance => ({ kind: 'known', p });

/** P(k lost) by the textbook: every window in turn, over (state, lost so far). Shares no code with the chain. */
function textbook(windows: number, startsDown: boolean, a: number, b: number): number[] {
  let up = [startsDown ? 0 : 1];
  let down = [startsDown ? 1 : 0];
  for (let i = 0; i < windows; i += 1) {
    const at = (list: number[], k: number) => list[k] ?? 0;
    const size = up.length + 1;
    const nextUp = Array.from({ length: size }, (_, k) => at(up, k) * (1 - a) + at(down, k) * (1 - b));
    down = Array.from({ length: size }, (_, k) => at(up, k - 1) * a + at(down, k - 1) * b);
    up = nextUp;
  }
  return up.map((share, k) => share + (down[k] ?? 0));
}

describe('the reference values of the contract page', () => {
  it.each([
    [6, 4_320, 0.0005, 0.0005, 0.366553],
    [6, 4_320, 0.0005, 0.5, 0.630424],
    [1, 8_352, 0.0002, 0.5, 0.105105],
  ])('%d lost, %d to come, a %d, b %d: P(breach) %d', (lost, windows, a, b, breach) => {
    const outlook = { windows, run: 0 };
    const byRuns = lossDistribution(outlook, { a: known(a), b: known(b) }, 8 - lost);
    expect(Math.abs(probabilityOfMore(byRuns, 8 - lost) - breach)).toBeLessThan(1e-6);
    const bySteps = stepDistribution(outlook, { a, b, least: 1 }, 8 - lost);
    expect(Math.abs(probabilityOfMore(bySteps, 8 - lost) - breach)).toBeLessThan(1e-6);
  });
});

describe('the distribution of losses', () => {
  const chance = fc.double({ min: 0.001, max: 0.999, noNaN: true });

  it('is the textbook one, from either state', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        chance,
        chance,
        (windows, startsDown, a, b) => {
          const expected = textbook(windows, startsDown, a, b);
          const outlook = { windows, run: startsDown ? 3 : 0 };
          const byRuns = lossDistribution(outlook, { a: known(a), b: known(b) }, windows);
          const bySteps = stepDistribution(outlook, { a, b, least: 1 }, windows);
          for (let k = 0; k <= windows; k += 1) {
            expect(Math.abs(byRuns[k]! - expected[k]!)).toBeLessThan(1e-12);
            expect(Math.abs(bySteps[k]! - expected[k]!)).toBeLessThan(1e-12);
          }
        },
      ),
    );
  });

  it('under a posterior is the mean of the known ones over it', () => {
    // Beta(2, 3) for a and Beta(1, 2) for b, summed over a grid of midpoints.
    const steps = 120;
    const windows = 12;
    const mean = new Float64Array(windows + 1);
    for (let i = 0; i < steps; i += 1) {
      for (let j = 0; j < steps; j += 1) {
        const a = (i + 0.5) / steps;
        const b = (j + 0.5) / steps;
        const weight = (12 * a * (1 - a) ** 2 * 2 * (1 - b)) / steps ** 2;
        const one = lossDistribution({ windows, run: 0 }, { a: known(a), b: known(b) }, windows);
        for (let k = 0; k <= windows; k += 1) mean[k]! += weight * one[k]!;
      }
    }
    const posterior = {
      a: { kind: 'beta', lost: 2, kept: 3 },
      b: { kind: 'beta', lost: 1, kept: 2 },
    } as const;
    const found = lossDistribution({ windows, run: 0 }, posterior, windows);
    for (let k = 0; k <= windows; k += 1) expect(Math.abs(found[k]! - mean[k]!)).toBeLessThan(1e-4);
    expect(found.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it('comes to one over a whole month, however extreme the posterior', () => {
    for (const [lost, kept] of [
      [0.5, 0.5],
      [1, 6_999],
      [4_000, 40],
    ] as const) {
      for (const run of [0, 1]) {
        const chain = {
          a: { kind: 'beta', lost, kept },
          b: { kind: 'beta', lost: kept, kept: lost },
        } as const;
        const all = lossDistribution({ windows: 288, run }, chain, 288);
        expect(all.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      }
    }
  });

  it('refuses certainties, of which there is nothing to forecast', () => {
    expect(() => lossDistribution({ windows: 3, run: 0 }, { a: known(0), b: known(0.5) }, 1)).toThrow(
      /CHANCE_CERTAIN/,
    );
    expect(() => lossDistribution({ windows: 3, run: 0 }, { a: known(0.5), b: known(1) }, 1)).toThrow(
      /CHANCE_CERTAIN/,
    );
  });

  it('counts only runs that are long enough when the contract asks for several in a row', () => {
    // Every path of six windows, lost by the rule, weighed by its probability.
    const [windows, a, b, least] = [6, 0.3, 0.6, 3];
    for (const run of [0, 1, 2, 3, 9]) {
      const expected = new Float64Array(windows + 1);
      for (let path = 0; path < 2 ** windows; path += 1) {
        const states = Array.from({ length: windows }, (_, i) => (path >> i) % 2 === 1);
        let probability = 1;
        let isDown = run > 0;
        for (const state of states) {
          const p = isDown ? b : a;
          probability *= state ? p : 1 - p;
          isDown = state;
        }
        expected[lostBy([...Array<boolean>(run).fill(true), ...states], least) - (run >= least ? run : 0)]! +=
          probability;
      }
      const found = stepDistribution({ windows, run }, { a, b, least }, windows);
      // A run that is completed loses what came before now as well.
      for (let k = 0; k <= windows; k += 1)
        expect(Math.abs(found[k]! - (expected[k] ?? 0))).toBeLessThan(1e-12);
    }
  });

  it('has the expectation of its shares', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.nat(3), chance, chance, (windows, run, a, b) => {
        const shares = stepDistribution({ windows, run }, { a, b, least: 1 }, windows);
        const mean = shares.reduce((sum, share, k) => sum + k * share, 0);
        expect(expectedLosses({ windows, run }, { a, b, least: 1 })).toBeCloseTo(mean, 9);
      }),
    );
  });

  it('gives quantiles as far as it reaches', () => {
    const distribution = Float64Array.of(0.5, 0.3, 0.1);
    expect(quantileOf(distribution, 0.05)).toBe(0);
    expect(quantileOf(distribution, 0.5)).toBe(0);
    expect(quantileOf(distribution, 0.51)).toBe(1);
    expect(quantileOf(distribution, 0.95)).toBeUndefined();
    expect(probabilityOfMore(distribution, -1)).toBe(1);
    expect(probabilityOfMore(distribution, 0)).toBe(0.5);
  });
});

function lostBy(states: readonly boolean[], least: number): number {
  let lost = 0;
  let run = 0;
  for (const down of [...states, false]) {
    if (!down && run >= least) lost += run;
    run = down ? run + 1 : 0;
  }
  return lost;
}

describe('ln Γ', () => {
  it('is ln of factorials, of π and of its own recurrence', () => {
    expect(logGamma(1)).toBeCloseTo(0, 13);
    expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 12);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13);
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 50_000, noNaN: true }), (x) => {
        expect(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x))).toBeLessThan(1e-9);
      }),
    );
  });
});

describe('what a month teaches', () => {
  const july = monthOf('2026-07');
  const judged = (
    entries: readonly Entry[],
    record = {},
    minutes = july.minuteCount,
    exclusions = [excluding(july, 0, 0)],
  ) => {
    const terms = termsOf(record);
    const facts = factsOf(july, entries);
    return judgeMonth({ month: july, facts, terms, exclusions, nowMs: july.startMs + minutes * 60_000 });
  };

  it('is how its closed windows followed each other', () => {
    expect(transitionsOf(judged(losing([2, 3, 4, 9]), {}, 60))).toEqual({
      upUp: 5,
      upDown: 2,
      downUp: 2,
      downDown: 2,
    });
    expect(transitionsOf(judged([], {}, 4))).toEqual({ upUp: 0, upDown: 0, downUp: 0, downDown: 0 });
  });

  it('says nothing across an excluded window', () => {
    const exclusions = [excluding(july, 15, 20)];
    expect(transitionsOf(judged(losing([2, 3, 4]), {}, 60, exclusions))).toEqual({
      upUp: 7,
      upDown: 1,
      downUp: 1,
      downDown: 0,
    });
  });

  it('says nothing of windows without minutes', () => {
    const terms = termsOf({ timeZone: 'America/New_York', serviceEnd: '2026-03-08' });
    const march = monthOf('2026-03', terms);
    const facts = factsOf(march, []);
    const seen = transitionsOf(
      judgeMonth({ month: march, facts, terms, exclusions: [], nowMs: march.endMs }),
    );
    expect(seen).toEqual({ upUp: 8 * 288 - 12 - 1, upDown: 0, downUp: 0, downDown: 0 });
  });

  it('is about single windows even when only runs of them count', () => {
    expect(transitionsOf(judged(losing([2]), { minConsecutive: 3 }, 60))).toMatchObject({
      upDown: 1,
      downUp: 1,
    });
  });

  it('moves the posterior means, and adds up over months', () => {
    const seen = { upUp: 2_997, upDown: 3, downUp: 3, downDown: 6 };
    expect(
      chainOf(addTransitions(seen, seen), { up: { lost: 1, kept: 3_999 }, down: { lost: 1, kept: 1 } }),
    ).toEqual({
      a: { kind: 'beta', lost: 7, kept: 9_993 },
      b: { kind: 'beta', lost: 13, kept: 7 },
    });
  });
});

describe('the projection of a reading', () => {
  const history = { upUp: 25_000, upDown: 5, downUp: 5, downDown: 5 };

  it('is what happened once the month is over', () => {
    const { projection, availability } = readScene({ entries: losing([1, 2, 3]) });
    expect(projection.expectedLost).toBe(3);
    expect(projection.availability).toEqual({
      expected: availability.ratio,
      low: availability.ratio,
      high: availability.ratio,
    });
    expect(projection.breachProbability).toEqual({ '99.9': 0, '99.5': 0, '99': 0 });
  });

  it('is certain of a line that is crossed, and never certain of one that can still be', () => {
    const reading = readScene({ entries: losing([0, 1, 2, 3, 4, 5, 6, 7, 8]), atMinute: 1_440 });
    expect(reading.projection.breachProbability['99.9']).toBe(1);
    expect(reading.projection.breachProbability['99.5']).toBeGreaterThan(0);
    expect(reading.projection.breachProbability['99.5']).toBeLessThan(1);
  });

  it('cannot breach with fewer windows to come than may be lost', () => {
    const at = (atMinute: number) =>
      readScene({ entries: losing([0]), atMinute }).projection.breachProbability['99.9'];
    expect(at(44_640 - 7 * 5)).toBe(0);
    expect(at(44_640 - 8 * 5)).toBeGreaterThan(0);
  });

  it('knows that a run too short to count is lost with the window that completes it', () => {
    // Two of three windows are down, one window is to come, and two may be lost: it alone decides.
    const terms = { minConsecutive: 3, serviceEnd: '2026-07-01', tiers: [], target: '99.3' };
    const reading = readScene({ entries: losing([285, 286]), terms, atMinute: 1_435 });
    expect(reading.budget).toEqual({ allowed: 2, lost: 0, left: 2 });
    expect(reading.projection.breachProbability['99.3']).toBeGreaterThan(0.1);
    expect(
      readScene({ entries: losing([284]), terms, atMinute: 1_435 }).projection.breachProbability['99.3'],
    ).toBe(0);
  });

  it('is calm about a service that has lost one window on its first day', () => {
    const reading = readScene({ entries: losing([10]), atMinute: 1_440 });
    expect(reading.projection.breachProbability['99.9']).toBeLessThan(0.25);
    expect(reading.projection.availability.expected).toBeGreaterThan(0.999);
    expect(readScene({ atMinute: 0 }).projection.breachProbability['99.9']).toBeLessThan(0.1);
  });

  it('knows from which state the rest of the month begins', () => {
    const now = { atMinute: 15_000 };
    const afterUp = readScene({ ...now, entries: losing([2_996]) }).projection;
    const afterDown = readScene({ ...now, entries: losing([2_999]) }).projection;
    expect(afterDown.breachProbability['99.9']).toBeGreaterThan(afterUp.breachProbability['99.9']!);
    expect(afterDown.expectedLost).toBeGreaterThan(afterUp.expectedLost);
  });

  it('takes an open window that is already lost as lost, while the books do not', () => {
    const quiet: Entry[] = Array.from({ length: 60 }, (_, i) => ({ minute: 940 + i, attempts: 100 }));
    const failing: Entry = { minute: 1_000, attempts: 100, failures: { provider: 90 } };
    const reading = readScene({ entries: [...quiet, failing], atMinute: 1_000.9 });
    expect(reading.openWindow?.alreadyLost).toBe(true);
    expect(reading.budget.lost).toBe(0);
    expect(reading.projection.expectedLost).toBeGreaterThan(1);
    const ended = readScene({ entries: [...quiet, failing], atMinute: 1_005 });
    expect(ended.projection).toEqual(reading.projection);
  });

  it('goes on beyond the losses that it works out one by one when a month is lost anyway', () => {
    const outage = Array.from({ length: 400 }, (_, i) => i);
    const { availability, breachProbability, expectedLost } = readScene({
      entries: losing(outage),
      atMinute: 2_000,
    }).projection;
    expect(expectedLost).toBeGreaterThan(500);
    expect(availability.low).toBeLessThan(availability.expected);
    expect(availability.expected).toBeLessThan(availability.high);
    expect(availability.low).toBeGreaterThan(0);
    expect(breachProbability).toEqual({ '99.9': 1, '99.5': 1, '99': 1 });
  });

  it('leaves out windows that an announced exclusion takes away', () => {
    const july = monthOf('2026-07');
    const rest = excluding(july, 10_000, 44_640);
    const reading = readScene({ atMinute: 10_000, exclusions: [rest] });
    expect(reading.projection.expectedLost).toBe(0);
    expect(reading.projection.breachProbability['99.9']).toBe(0);
  });

  it('listens to history and to the prior that it is given', () => {
    const month = monthOf('2026-07');
    const input = {
      service: 'acme',
      month,
      facts: factsOf(month, []),
      terms: termsOf(),
      exclusions: [],
      nowMs: month.startMs,
    };
    const fresh = read(input).projection;
    const taught = read({ ...input, history }).projection;
    const { up, down } = DEFAULT_PRIOR;
    expect(fresh.a).toBeCloseTo(up.lost / (up.lost + up.kept), 12);
    expect(taught.a).toBeCloseTo((up.lost + 5) / (up.lost + up.kept + 25_005), 12);
    expect(taught.b).toBeCloseTo((down.lost + 5) / (down.lost + down.kept + 10), 12);
    const grim = { up: { lost: 10, kept: 90 }, down: { lost: 9, kept: 1 } };
    const feared = read({ ...input, prior: grim }).projection;
    expect(feared.breachProbability['99.9']).toBeGreaterThan(0.999);
    expect(feared.availability.low).toBeLessThan(feared.availability.expected);
    expect(feared.availability.low).toBeGreaterThanOrEqual(0);
  });

  it('keeps its figures in order at any time of any month', () => {
    const spells = fc.array(fc.record({ at: fc.nat(8_900), length: fc.integer({ min: 1, max: 20 }) }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(
        spells,
        fc.nat(44_640),
        fc.integer({ min: 1, max: 3 }),
        (list, atMinute, minConsecutive) => {
          const windows = new Set(list.flatMap(({ at, length }) => Array.from({ length }, (_, i) => at + i)));
          const reading = readScene({ entries: losing([...windows]), atMinute, terms: { minConsecutive } });
          const { availability, breachProbability, expectedLost } = reading.projection;
          expect(availability.low).toBeLessThanOrEqual(availability.high);
          expect(expectedLost).toBeGreaterThanOrEqual(reading.budget.lost);
          const [first, second, third] = ['99.9', '99.5', '99'].map((line) => breachProbability[line]!);
          expect(first! >= second! && second! >= third! && third! >= 0 && first! <= 1).toBe(true);
          for (const line of reading.lines) if (line.crossed) expect(breachProbability[line.target]).toBe(1);
        },
      ),
      { numRuns: 40 },
    );
  });
});
