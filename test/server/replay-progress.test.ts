import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { progressLine } from '../../server/replay/progress.ts';

const GIB = 1024 ** 3;

describe('the progress line', () => {
  it('shows share, size, rate and the time that is left', () => {
    const progress = { readBytes: 0.45 * GIB, totalBytes: GIB, lines: 5_000_000, elapsedMs: 1_250 };
    expect(progressLine(progress, 100)).toBe(
      '[##########--------------]  45 %  of 1.0 GiB  4.0M lines/s  0:02 left',
    );
  });

  it('counts bytes and lines when the size is not known', () => {
    const progress = { readBytes: 5 * 1024 ** 2, totalBytes: undefined, lines: 12_345, elapsedMs: 60_000 };
    expect(progressLine(progress, 80)).toBe('5.0 MiB read  12k lines  206 lines/s');
  });

  it('estimates nothing in the first second, and hours when it takes hours', () => {
    const progress = { readBytes: 1, totalBytes: 10_000, lines: 1, elapsedMs: 999 };
    expect(progressLine(progress, 80)).not.toContain('left');
    expect(progressLine({ ...progress, elapsedMs: 1_000 }, 80)).toMatch(/ 2:46:39 left$/);
  });

  it('fits any terminal, and a file that grew while it was read is not beyond 100 %', () => {
    const progress = fc.record({
      readBytes: fc.nat(),
      totalBytes: fc.option(fc.integer({ min: 1, max: 2 ** 31 }), { nil: undefined }),
      lines: fc.nat(),
      elapsedMs: fc.nat(),
    });
    fc.assert(
      fc.property(progress, fc.integer({ min: 1, max: 200 }), (given, columns) => {
        const line = progressLine(given, columns);
        expect(line.length).toBeLessThan(columns);
        const percent = /(\d+) %/.exec(line)?.[1];
        expect(Number(percent ?? 0)).toBeLessThanOrEqual(100);
        expect(line).not.toMatch(/NaN|Infinity|undefined|\n/);
      }),
    );
  });
});
