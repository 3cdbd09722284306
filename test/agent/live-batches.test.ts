import { expect, it } from 'vitest';
import { LiveBatches } from '../../agent/live-batches.ts';

it('what an earlier process sealed is backlog from the start', () => {
  const live = new LiveBatches(7);
  expect(live.isLive(7, 0)).toBe(false);
  live.sealed(7, 0);
  expect(live.isLive(7, 0)).toBe(false);
});

it('a batch is live for five seconds after it was sealed', () => {
  const live = new LiveBatches(7);
  live.sealed(8, 1_000);
  live.sealed(9, 2_000);
  expect(live.isLive(7, 2_000)).toBe(false);
  expect(live.isLive(8, 5_999)).toBe(true);
  expect(live.isLive(8, 6_000)).toBe(false);
  expect(live.isLive(9, 6_999)).toBe(true);
  expect(live.isLive(9, 7_000)).toBe(false);
});

it('of batches sealed within a tenth of a second the later ones are live as long as the first', () => {
  const live = new LiveBatches(0);
  for (let seq = 1; seq <= 10; seq++) live.sealed(seq, 1_000 + seq);
  live.sealed(11, 1_101);
  expect(live.isLive(10, 6_000)).toBe(true);
  expect(live.isLive(10, 6_001)).toBe(false);
  expect(live.isLive(11, 6_100)).toBe(true);
  expect(live.isLive(11, 6_101)).toBe(false);
});

it('all that a new identity begins with is backlog', () => {
  const live = new LiveBatches(0);
  live.sealed(100, 1_000);
  live.reset(40);
  expect(live.isLive(40, 1_000)).toBe(false);
  live.sealed(41, 1_001);
  expect(live.isLive(40, 1_001)).toBe(false);
  expect(live.isLive(41, 1_001)).toBe(true);
});
