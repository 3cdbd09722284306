import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKOFF, Backoff, readRetryAfterMs } from '../../agent/backoff.ts';

const NOW_MS = Date.UTC(2026, 10, 23);

describe('the wait before a connection', () => {
  it('is spread from zero up to a limit that doubles to a minute, the first one too', () => {
    const ceilings = (random: number) => {
      const backoff = new Backoff(BACKOFF, () => random);
      return Array.from({ length: 9 }, () => backoff.nextMs(0));
    };
    const most = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    expect(ceilings(0)).toEqual(most.map(() => 0));
    expect(ceilings(0.5)).toEqual(most.map((ms) => ms / 2));
  });

  it('starts anew after a minute of a good connection, and not a moment sooner', () => {
    const backoff = new Backoff(BACKOFF, () => 0.999);
    for (let i = 0; i < 5; i++) backoff.nextMs(0);
    expect(backoff.nextMs(59_999)).toBeGreaterThan(500);
    expect(backoff.nextMs(60_000)).toBeLessThan(500);
  });

  it('is never below what was asked for, and never for longer than its spread on top', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.9999, noNaN: true }),
        fc.nat(900_000),
        fc.nat(60_000),
        (random, afterMs, spreadMs) => {
          const waitMs = new Backoff(BACKOFF, () => random).askedMs(afterMs, spreadMs);
          expect(waitMs).toBeGreaterThanOrEqual(afterMs);
          expect(waitMs).toBeLessThanOrEqual(afterMs + spreadMs);
        },
      ),
    );
  });

  it('of two thousand agents whose daemon was away for a minute puts less than a tenth into any second', () => {
    let state = 1;
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const arrivals = Array.from({ length: 2_000 }, () => {
      const backoff = new Backoff(BACKOFF, random);
      let atMs = 0;
      while (atMs < 60_000) atMs += backoff.nextMs(0);
      return atMs;
    });
    const bySecond = new Map<number, number>();
    for (const atMs of arrivals) {
      const second = Math.floor(atMs / 1_000);
      bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...bySecond.values())).toBeLessThan(200);
  });
});

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    expect(readRetryAfterMs('120', NOW_MS)).toBe(120_000);
    expect(readRetryAfterMs(new Date(NOW_MS + 5_000).toUTCString(), NOW_MS)).toBe(5_000);
    expect(readRetryAfterMs(new Date(NOW_MS - 5_000).toUTCString(), NOW_MS)).toBe(0);
    expect(readRetryAfterMs('soon', NOW_MS)).toBeUndefined();
    expect(readRetryAfterMs(undefined, NOW_MS)).toBeUndefined();
  });
});
