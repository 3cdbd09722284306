import { describe, expect, it } from 'vitest';
import { Turns, type TurnTaker } from '../../server/gateway/turns.ts';
import { waitFor } from '../support/wait-for.ts';

/** Takes `work` turns, each `costMs` long, and notes them. */
function taker(name: string, work: number, log: string[], costMs = 0): TurnTaker & { left: number } {
  return {
    left: work,
    isInLine: false,
    hasWork() {
      return this.left > 0;
    },
    takeTurn() {
      this.left -= 1;
      log.push(name);
      const until = performance.now() + costMs;
      while (performance.now() < until);
      return 20_000;
    },
  };
}

describe('turns', () => {
  it('go around: one frame of each in line, then the next of each', async () => {
    const turns = new Turns(1_000, () => false);
    const log: string[] = [];
    for (const one of [taker('a', 3, log), taker('b', 2, log), taker('c', 1, log)]) turns.join(one);
    await waitFor('all turns', () => turns.isEmpty);
    expect(log.join('')).toBe('abcaba');
  });

  it('let the process run after each slice', async () => {
    const turns = new Turns(5, () => false);
    const log: string[] = [];
    for (let i = 0; i < 20; i += 1) turns.join(taker('x', 5, log, 1));
    let longestMs = 0;
    let lastAt = performance.now();
    await new Promise<void>((resolve) => {
      const look = () => {
        const now = performance.now();
        longestMs = Math.max(longestMs, now - lastAt);
        lastAt = now;
        if (turns.isEmpty) resolve();
        else setImmediate(look);
      };
      setImmediate(look);
    });
    expect(log).toHaveLength(100);
    // A hundred milliseconds of work, and never more than a slice and its last frame at a time.
    expect(longestMs).toBeLessThan(50);
  });

  it('wait while they are held up, and go on when resumed', async () => {
    let isHeldUp = true;
    const turns = new Turns(10, () => isHeldUp);
    const log: string[] = [];
    turns.join(taker('a', 2, log));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log).toEqual([]);
    isHeldUp = false;
    turns.resume();
    await waitFor('all turns', () => turns.isEmpty);
    expect(log).toEqual(['a', 'a']);
  });
});
