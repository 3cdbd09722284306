import { describe, expect, it } from 'vitest';
import { exhaustionOf } from '../../sla/exhaustion.ts';
import { type Entry, excluding, losing, monthOf, readScene } from './months.ts';

const july = monthOf('2026-07');

/** An hour of even traffic before minute 1,000. */
function hourOf(perMinute: number): Entry[] {
  return Array.from({ length: 60 }, (_, i) => ({ minute: 940 + i, attempts: perMinute }));
}

/** The window from minute 1,000, after an hour of `perMinute`. */
function openAfter(perMinute: number, entries: readonly Entry[], atMinute: number) {
  return readScene({ entries: [...hourOf(perMinute), ...entries], atMinute }).openWindow;
}

describe('the window in progress', () => {
  it('at 100 attempts a second is lost after a little over three seconds of total failure', () => {
    const failing = (count: number) => [{ minute: 1_000, attempts: count, failures: { unknown: count } }];
    const seconds = (s: number) => 1_000 + s / 60;
    expect(openAfter(6_000, failing(300), seconds(3))).toMatchObject({
      expectedAttempts: 30_000,
      alreadyLost: false,
      failuresUntilLost: 1,
    });
    expect(openAfter(6_000, failing(301), seconds(3.01))?.alreadyLost).toBe(true);
  });

  it('at half a percent of failures is never called lost', () => {
    const minutes = [0, 1, 2, 3, 4].map(
      (i): Entry => ({ minute: 1_000 + i, attempts: 6_000, failures: { provider: 30 } }),
    );
    for (let i = 0; i < 5; i += 1) {
      expect(openAfter(6_000, minutes.slice(0, i + 1), 1_000.999 + i)?.alreadyLost).toBe(false);
    }
  });

  it('expects the traffic of the hour before, or its own when that is more', () => {
    expect(openAfter(100, [], 1_000)?.expectedAttempts).toBe(500);
    const lull = hourOf(100).map((entry) => (entry.minute >= 970 ? { ...entry, attempts: 20 } : entry));
    expect(readScene({ entries: lull, atMinute: 1_000 }).openWindow?.expectedAttempts).toBe(300);
    const surge = [{ minute: 1_000, attempts: 1_000 }];
    expect(openAfter(100, surge, 1_000.5)?.expectedAttempts).toBe(1_450);
    expect(openAfter(100, surge, 1_001)?.expectedAttempts).toBe(5_000);
    expect(openAfter(100, surge, 1_004)?.expectedAttempts).toBe(1_250);
  });

  it('expects a ramp that earlier days had at the same time, at the level of today', () => {
    const day = 1_440;
    /** An hour and its next window of an earlier day. */
    const earlier = (days: number, before: number, then: number): Entry[] => [
      ...hourOf(before).map((entry) => ({ ...entry, minute: entry.minute + (7 - days) * day })),
      ...[0, 1, 2, 3, 4].map((i) => ({ minute: 1_000 + (7 - days) * day + i, attempts: then })),
    ];
    const today = hourOf(100).map((entry) => ({ ...entry, minute: entry.minute + 7 * day }));
    const expected = (entries: Entry[]) =>
      readScene({ entries: [...entries, ...today], atMinute: 1_000 + 7 * day }).openWindow?.expectedAttempts;
    expect(expected([])).toBe(500);
    // Twice the hour before, on a weekday that was ten times as busy.
    expect(expected(earlier(1, 1_000, 2_000))).toBe(1_000);
    // An evening that falls by half; two days speak louder than one.
    expect(expected([...earlier(1, 100, 50), ...earlier(2, 100, 50)])).toBe(250);
    expect(expected([...earlier(1, 100, 50), ...earlier(7, 100, 150)])).toBe(500);
    // At most fourfold either way, and nothing from a handful of attempts.
    expect(expected(earlier(1, 10, 900))).toBe(2_000);
    expect(expected(earlier(1, 900, 30))).toBe(125);
    expect(expected(earlier(1, 1, 19))).toBe(500);
  });

  it('expects nothing in the first minute of a service that nobody has watched before', () => {
    const open = (attempts: number, failed: number, atMinute: number) =>
      readScene({
        entries: [{ minute: 1_000, attempts, failures: { provider: failed } }],
        alive: [1_000, 1_001],
        atMinute,
      }).openWindow;
    expect(open(10, 10, 1_000.5)).toMatchObject({
      expectedAttempts: null,
      alreadyLost: false,
      failuresUntilLost: 1,
    });
    expect(open(10, 10, 1_001)).toMatchObject({
      expectedAttempts: 50,
      alreadyLost: true,
      failuresUntilLost: 0,
    });
  });

  it('says how many more failures would lose it, and one fewer would not', () => {
    const counts = [
      [100, 0],
      [499, 4],
      [600, 4],
      [2_000, 15],
    ] as const;
    for (const [attempts, failed] of counts) {
      const open = openAfter(100, [{ minute: 1_000, attempts, failures: { provider: failed } }], 1_004.9)!;
      const more = open.failuresUntilLost;
      const isLostWith = (n: number) => {
        const expected = Math.max(open.expectedAttempts!, attempts + n);
        return 100 * (failed + n) > expected;
      };
      expect([isLostWith(more), isLostWith(more - 1)]).toEqual([true, false]);
    }
  });

  it('does not count minutes that are excluded, nor expect traffic in them', () => {
    const entries = [...hourOf(100), { minute: 1_001, attempts: 90, failures: { provider: 90 } }];
    const exclusions = [excluding(july, 1_001, 1_004)];
    expect(readScene({ entries, exclusions, atMinute: 1_002 }).openWindow).toMatchObject({
      attempts: 0,
      failures: 0,
      expectedAttempts: 100,
      alreadyLost: false,
    });
    expect(
      readScene({ entries, exclusions: [excluding(july, 1_000, 1_005)], atMinute: 1_002 }).openWindow,
    ).toBeNull();
  });

  it('is there from its first instant to its last, and only within the month', () => {
    const startAt = (atMinute: number) => readScene({ atMinute }).openWindow?.start;
    expect(startAt(-0.001)).toBeUndefined();
    expect(startAt(0)).toBe('2026-06-30T16:00:00.000Z');
    expect(startAt(4.999)).toBe('2026-06-30T16:00:00.000Z');
    expect(startAt(5)).toBe('2026-06-30T16:05:00.000Z');
    expect(startAt(44_639.999)).toBe('2026-07-31T15:55:00.000Z');
    expect(startAt(44_640)).toBeUndefined();
  });
});

describe('the trailing five minutes', () => {
  it('are the current minute and the four before it, as far as they are not excluded', () => {
    const entries = Array.from(
      { length: 10 },
      (_, i): Entry => ({
        minute: 1_000 + i,
        attempts: 10 ** 3 + i,
        failures: { provider: 1, customer: 1 },
      }),
    );
    const counted = (...minutes: number[]) => ({
      attempts: minutes.reduce((sum, i) => sum + 999 + i, 0),
      failures: minutes.length,
    });
    expect(readScene({ entries, atMinute: 1_006.5 }).rolling).toEqual(counted(2, 3, 4, 5, 6));
    expect(readScene({ entries, atMinute: 1_000.5 }).rolling).toEqual(counted(0));
    const exclusions = [excluding(july, 1_003, 1_005)];
    expect(readScene({ entries, exclusions, atMinute: 1_006.5 }).rolling).toEqual(counted(2, 5, 6));
    expect(readScene({ entries, atMinute: 1_020 }).rolling).toEqual({ attempts: 0, failures: 0 });
  });
});

describe('if this goes on', () => {
  const lostUntil = (lost: number, atMinute: number, month = '2026-07') => {
    const reading = readScene({
      month,
      entries: losing(Array.from({ length: lost }, (_, i) => i)),
      atMinute,
    });
    const found = exhaustionOf(reading, '99.9');
    return found === null
      ? null
      : [(found.atMs - Date.parse(reading.period.start)) / 60_000, found.inMs / 60_000];
  };

  it('the line is lost with the window that comes after those left', () => {
    // Two windows left, three minutes into one: this one, the next, and the one that crosses.
    expect(lostUntil(6, 1_003)).toEqual([1_015, 12]);
    expect(lostUntil(8, 1_003)).toEqual([1_005, 2]);
    expect(lostUntil(0, 1_000)).toEqual([1_045, 45]);
  });

  it('nothing is left to say of a line that is crossed or out of reach', () => {
    expect(lostUntil(9, 1_003)).toBeNull();
    expect(lostUntil(8, 44_639)).toEqual([44_640, 1]);
    expect(lostUntil(7, 44_634)).toEqual([44_640, 6]);
    expect(lostUntil(7, 44_635)).toBeNull();
    expect(lostUntil(0, 44_640)).toBeNull();
    expect(exhaustionOf(readScene({ atMinute: 10 }), '98')).toBeNull();
  });

  it('goes on behind a window that is wholly excluded', () => {
    const exclusions = [excluding(july, 1_000, 1_005)];
    const reading = readScene({ exclusions, atMinute: 1_003 });
    expect(reading.openWindow).toBeNull();
    expect(exhaustionOf(reading, '99.9')?.atMs).toBe(july.startMs + 1_045 * 60_000);
  });
});
