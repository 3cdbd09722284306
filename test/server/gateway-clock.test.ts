import { describe, expect, it } from 'vitest';
import { readClock } from '../../server/gateway/clock.ts';

/** A ping that leaves at `sentMs`, takes its ways, and an agent whose clock is `aheadMs` ahead of ours. */
function exchange(sentMs: number, thereMs: number, backMs: number, aheadMs: number) {
  const t1 = sentMs + thereMs + aheadMs;
  const pong = { type: 'pong', t0: sentMs, t1, t2: t1 + 3 } as const;
  return { pong, nowMs: sentMs + thereMs + 3 + backMs };
}

describe("the estimate of an agent's clock", () => {
  it('is exact when both ways take the same time', () => {
    const { pong, nowMs } = exchange(1_000, 20, 20, 5_000);
    expect(readClock(null, 0, pong, nowMs).clock).toEqual({ offsetMs: -5_000, roundTripMs: 40 });
  });

  it('errs by at most half of the round trip', () => {
    const { pong, nowMs } = exchange(1_000, 90, 10, -5_000);
    const { offsetMs, roundTripMs } = readClock(null, 0, pong, nowMs).clock;
    expect(Math.abs(offsetMs - 5_000)).toBeLessThanOrEqual(roundTripMs / 2);
  });

  it('keeps the sample with the lowest round trip', () => {
    const good = exchange(1_000, 5, 5, 100);
    const bad = exchange(2_000, 400, 5, 100);
    const first = readClock(null, 0, good.pong, good.nowMs);
    expect(readClock(first.clock, first.samples, bad.pong, bad.nowMs).clock).toBe(first.clock);
  });

  it('forgets it after eight samples: clocks drift', () => {
    const good = exchange(1_000, 5, 5, 100);
    let kept = readClock(null, 0, good.pong, good.nowMs);
    for (let i = 1; i < 8; i += 1) {
      const bad = exchange(1_000 * i, 50, 50, 900);
      expect(kept.clock.roundTripMs).toBe(10);
      kept = readClock(kept.clock, kept.samples, bad.pong, bad.nowMs);
    }
    const later = exchange(9_000, 50, 50, 900);
    kept = readClock(kept.clock, kept.samples, later.pong, later.nowMs);
    expect(kept.clock).toEqual({ offsetMs: -900, roundTripMs: 100 });
  });

  it('takes no negative round trip from an agent whose timestamps make none', () => {
    const kept = readClock(null, 0, { type: 'pong', t0: 1_000, t1: 0, t2: 9_000 }, 1_010);
    expect(kept.clock.roundTripMs).toBe(0);
  });
});
