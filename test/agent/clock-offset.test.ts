import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockOffset, correctionMs, StepWatch } from '../../agent/clock-offset.ts';

/** An exchange with a daemon whose clock is `offsetMs` ahead, over ways of different length. */
function exchange(
  atMs: number,
  { offsetMs, thereMs, backMs }: Record<'offsetMs' | 'thereMs' | 'backMs', number>,
) {
  const t1 = atMs + thereMs + offsetMs;
  return { t0: atMs, t1, t2: t1, t3: atMs + thereMs + backMs };
}

describe('the offset', () => {
  it('is off by no more than half the round trip, however uneven the ways', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -10_000_000, max: 10_000_000 }),
        fc.nat(5_000),
        fc.nat(5_000),
        (offsetMs, thereMs, backMs) => {
          const clock = new ClockOffset(1e12, 0);
          clock.add(exchange(1e12, { offsetMs, thereMs, backMs }), thereMs + backMs);
          const { estimate } = clock;
          expect(Math.abs(estimate!.offsetMs - offsetMs)).toBeLessThanOrEqual(estimate!.roundTripMs / 2);
        },
      ),
    );
  });

  it('is taken from the quickest of the last eight exchanges', () => {
    const clock = new ClockOffset(1e12, 0);
    const add = (atMs: number, thereMs: number, backMs: number) =>
      clock.add(exchange(1e12 + atMs, { offsetMs: 0, thereMs, backMs }), atMs + thereMs + backMs);
    add(0, 1, 1);
    for (let i = 1; i < 8; i++) add(i * 1_000, 400, 0);
    expect(clock.estimate).toEqual({ offsetMs: 0, roundTripMs: 2 });
    add(8_000, 400, 0);
    expect(clock.estimate).toEqual({ offsetMs: 200, roundTripMs: 400 });
  });

  it('forgets what it measured when our own clock was set, and does not believe an answer that spans that', () => {
    for (const setByMs of [3_600_000, -3_600_000]) {
      const clock = new ClockOffset(1e12, 0);
      clock.add(exchange(1e12, { offsetMs: 3_600_000, thereMs: 1, backMs: 1 }), 2);
      const asked = exchange(1e12 + 1_000, { offsetMs: 3_600_000, thereMs: 50, backMs: 50 });
      clock.add({ ...asked, t3: asked.t3 + setByMs }, 1_100);
      expect(clock.estimate).toBeUndefined();
      const offsetMs = 3_600_000 - setByMs;
      clock.add(exchange(1e12 + 2_000 + setByMs, { offsetMs, thereMs: 60, backMs: 60 }), 2_120);
      expect(clock.estimate).toEqual({ offsetMs, roundTripMs: 120 });
    }
  });

  it('does not believe the first answer either when our clock was set since the question', () => {
    const clock = new ClockOffset(1e12, 0);
    const asked = exchange(1e12, { offsetMs: 0, thereMs: 1, backMs: 1 });
    clock.add({ ...asked, t3: asked.t3 + 3_600_000 }, 2);
    expect(clock.estimate).toBeUndefined();
  });

  it('does not believe an answer from before the question', () => {
    const clock = new ClockOffset(1_000, 0);
    clock.add({ t0: 1_000, t1: 500, t2: 500, t3: 900 }, 0);
    expect(clock.estimate).toBeUndefined();
  });
});

describe('a clock that is set', () => {
  it('is noticed beyond half a second, in either direction, once', () => {
    for (const sign of [1, -1]) {
      const watch = new StepWatch(1e12, 0);
      expect(watch.look(1e12 + 1_000 + sign * 500, 1_000)).toBe(0);
      expect(watch.look(1e12 + 2_000 + sign * 501, 2_000)).toBe(sign * 501);
      expect(watch.look(1e12 + 3_000 + sign * 501, 3_000)).toBe(0);
    }
  });

  it('is noticed also when it is set in little steps, by their sum', () => {
    const watch = new StepWatch(1e12, 0);
    expect(watch.look(1e12 + 1_300, 1_000)).toBe(0);
    expect(watch.look(1e12 + 2_600, 2_000)).toBe(600);
  });
});

describe('the correction', () => {
  it('is made beyond two seconds, and beyond twice a long round trip', () => {
    expect(correctionMs({ offsetMs: 2_000, roundTripMs: 10 }, null)).toBe(0);
    expect(correctionMs({ offsetMs: 2_001, roundTripMs: 10 }, null)).toBe(2_001);
    expect(correctionMs({ offsetMs: -2_001, roundTripMs: 10 }, null)).toBe(-2_001);
    expect(correctionMs({ offsetMs: 6_000, roundTripMs: 3_000 }, null)).toBe(0);
    expect(correctionMs({ offsetMs: 6_001, roundTripMs: 3_000 }, null)).toBe(6_001);
  });

  it('in use is kept while the measurement trembles', () => {
    expect(correctionMs({ offsetMs: 5_250, roundTripMs: 10 }, 5_000)).toBe(5_000);
    expect(correctionMs({ offsetMs: 5_251, roundTripMs: 10 }, 5_000)).toBe(5_251);
    expect(correctionMs({ offsetMs: 1_900, roundTripMs: 10 }, 2_100)).toBe(0);
  });
});
