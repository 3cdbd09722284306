import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../alerts/backoff.ts';
import { Cap } from '../../alerts/cap.ts';

describe('the wait after a failure', () => {
  it('doubles from a second to five minutes, with the upper half at random', () => {
    expect([1, 2, 3, 20].map((n) => backoffMs(n, null, () => 0))).toEqual([1_000, 2_000, 4_000, 150_000]);
    expect([1, 2, 3, 20].map((n) => backoffMs(n, null, () => 0.999_999))).toEqual([
      2_000, 4_000, 8_000, 300_000,
    ]);
  });

  it('is never shorter than the receiver asked, and always within its bounds', () => {
    const asked = fc.option(fc.integer({ min: 0, max: 3_600_000 }));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), asked, random, (failures, afterMs, drawn) => {
        const waitMs = backoffMs(failures, afterMs, () => drawn);
        expect(waitMs).toBeGreaterThanOrEqual(Math.max(1_000, afterMs ?? 0));
        expect(waitMs).toBeLessThanOrEqual(Math.max(300_000, afterMs ?? 0));
      }),
    );
  });
});

describe('the outbound cap', () => {
  it('lets a minute of messages go at once, and then one each time a share of the minute is over', () => {
    const cap = new Cap(4, 0);
    expect([1, 2, 3, 4].map(() => cap.take(0))).toEqual([0, 0, 0, 0]);
    expect(cap.take(0)).toBe(15_000);
    expect(cap.take(14_999)).toBe(1);
    expect(cap.take(15_000)).toBe(0);
    expect(cap.take(15_000)).toBe(15_000);
  });

  it('whatever the times, never lets more go than the burst and the rate allow', () => {
    const steps = fc.array(fc.integer({ min: -5_000, max: 30_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), steps, (perMinute, gaps) => {
        const cap = new Cap(perMinute, 0);
        let nowMs = 0;
        let forwardMs = 0;
        let sent = 0;
        for (const gap of gaps) {
          nowMs += gap;
          // A clock that is set back gives nothing; when it has caught up the time counts again.
          forwardMs += Math.max(0, gap);
          if (cap.take(nowMs) === 0) sent += 1;
        }
        expect(sent).toBeLessThanOrEqual(perMinute + (forwardMs * perMinute) / 60_000 + 1e-6);
      }),
    );
  });
});
