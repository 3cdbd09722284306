import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKOFF, Backoff, readRetryAfterMs } from '../../agent/backoff.ts';
import { seededRandom } from '../support/random.ts';

const NOW_MS = Date.UTC(2026, 10, 23);

describe('the wait before a connection', () => {
  it('is a place in rounds that double up to a minute, the first one too', () => {
    const waits = (place: number) => {
      const backoff = new Backoff(BACKOFF, () => place);
      return Array.from({ length: 9 }, () => backoff.nextMs(0));
    };
    expect(waits(0)).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    expect(waits(0.5)).toEqual([250, 750, 1_500, 3_000, 6_000, 12_000, 24_000, 46_000, 60_000]);
  });

  it('starts anew after a minute of a good connection, and not a moment sooner', () => {
    const backoff = new Backoff(BACKOFF, () => 0.999);
    for (let i = 0; i < 5; i++) backoff.nextMs(0);
    expect(backoff.nextMs(59_999)).toBeGreaterThan(500);
    expect(backoff.nextMs(60_000)).toBeLessThan(500);
  });

  it('begins with a round as long as the daemon says that its agents need', () => {
    const backoff = new Backoff(BACKOFF, () => 0.5);
    backoff.spreadOver({ spreadMs: 20_000, lastedMs: 0 });
    expect(backoff.nextMs(60_000)).toBe(10_000);
    expect(backoff.nextMs(0)).toBe(30_000);
  });

  it('is a place in the first round when nothing is wrong, however often that is, and the rounds then go on from it', () => {
    const backoff = new Backoff(BACKOFF, () => 0.5);
    backoff.spreadOver({ spreadMs: 20_000, lastedMs: 0 });
    for (let i = 0; i < 5; i++) expect(backoff.firstMs()).toBe(10_000);
    expect(backoff.nextMs(0)).toBe(10_000 + 20_000);
  });

  it('is lengthened by any daemon, and shortened only by one that has been there for a minute', () => {
    const firstRound = (...told: { spreadMs: number; lastedMs: number }[]) => {
      const backoff = new Backoff(BACKOFF, () => 0.5);
      for (const one of told) backoff.spreadOver(one);
      return 2 * backoff.nextMs(60_000);
    };
    const many = { spreadMs: 20_000, lastedMs: 0 };
    expect(firstRound(many, { spreadMs: 800, lastedMs: 59_999 })).toBe(20_000);
    expect(firstRound(many, { spreadMs: 800, lastedMs: 60_000 })).toBe(800);
    expect(firstRound(many, { spreadMs: 0, lastedMs: 60_000 })).toBe(BACKOFF.baseMs);
    expect(firstRound({ spreadMs: 3_600_000, lastedMs: 0 })).toBe(BACKOFF.maxMs);
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
});

describe('two thousand agents that lose their daemon in the same instant', () => {
  const AGENTS = 2_000;
  /** What the daemon says of so many; see SPREAD_MS of the gateway. */
  const SPREAD_MS = 20_000;
  const SEEDS = [1, 2, 3, 4, 5];

  /** Connects by second since the daemon was back, at a daemon that is away for `outageMs`. */
  function connects(outageMs: number, { seed, isDrained }: { seed: number; isDrained: boolean }): number[] {
    const random = seededRandom(seed);
    const bySecond: number[] = [];
    for (let agent = 0; agent < AGENTS; agent++) {
      const backoff = new Backoff(BACKOFF, random.next);
      backoff.spreadOver({ spreadMs: SPREAD_MS, lastedMs: 0 });
      let atMs = isDrained ? backoff.askedMs(500, SPREAD_MS) : backoff.nextMs(60_000);
      while (atMs < outageMs) atMs += backoff.nextMs(0);
      const second = Math.floor((atMs - outageMs) / 1_000);
      bySecond[second] = (bySecond[second] ?? 0) + 1;
    }
    return [...bySecond].map((n) => n ?? 0);
  }

  it('come back spread as evenly when all of them say hello anew, for a service that is new to all', () => {
    for (const seed of SEEDS) {
      const random = seededRandom(seed);
      const bySecond: number[] = [];
      for (let agent = 0; agent < AGENTS; agent++) {
        const backoff = new Backoff(BACKOFF, random.next);
        backoff.spreadOver({ spreadMs: SPREAD_MS, lastedMs: 0 });
        const second = Math.floor(backoff.firstMs() / 1_000);
        bySecond[second] = (bySecond[second] ?? 0) + 1;
      }
      expect(Math.max(...[...bySecond].map((n) => n ?? 0)), `seed ${seed}`).toBeLessThanOrEqual(AGENTS / 10);
    }
  });

  it('are spread as well when it goes down again and again before it was there for a minute', () => {
    for (const seed of SEEDS) {
      const random = seededRandom(seed);
      const fleet = Array.from({ length: AGENTS }, () => new Backoff(BACKOFF, random.next));
      for (const backoff of fleet) backoff.spreadOver({ spreadMs: SPREAD_MS, lastedMs: 0 });
      for (let restart = 0; restart < 8; restart++) {
        const bySecond: number[] = [];
        for (const backoff of fleet) {
          const second = Math.floor(backoff.nextMs(30_000) / 1_000);
          bySecond[second] = (bySecond[second] ?? 0) + 1;
        }
        expect(
          Math.max(...bySecond.map((n) => n ?? 0)),
          `seed ${seed}, restart ${restart}`,
        ).toBeLessThanOrEqual(AGENTS / 10);
      }
    }
  });

  for (const isDrained of [false, true]) {
    // Around the ends of rounds, where waits that are drawn one by one pile up.
    for (const outageMs of [0, 3_000, 10_000, 19_000, 20_500, 30_000, 59_000, 60_000, 600_000]) {
      const how = isDrained ? 'a stop that was announced' : 'a kill';
      it(`put at most a tenth of them into any second after ${how} and ${outageMs / 1_000} s`, () => {
        for (const seed of SEEDS) {
          const bySecond = connects(outageMs, { seed, isDrained });
          expect(bySecond.reduce((sum, n) => sum + n, 0)).toBe(AGENTS);
          expect(Math.max(...bySecond), `seed ${seed}`).toBeLessThanOrEqual(AGENTS / 10);
          // Nobody is away for longer than two minutes after the daemon is back.
          expect(bySecond.length).toBeLessThanOrEqual(120);
        }
      });
    }
  }
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
