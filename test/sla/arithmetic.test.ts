import { describe, expect, it } from 'vitest';
import { linesOf, standing, voucherOf, voucherPercentOf } from '../../sla/budget.ts';
import { losing, readScene, termsOf } from './months.ts';

/** Windows that may be lost at 99.9, 99.5 and 99 % by the days of the service month, as the contract's table. */
const TABLE = [
  [1, 288, 0, 1, 2],
  [2, 576, 0, 2, 5],
  [3, 864, 0, 4, 8],
  [4, 1_152, 1, 5, 11],
  [5, 1_440, 1, 7, 14],
  [6, 1_728, 1, 8, 17],
  [7, 2_016, 2, 10, 20],
  [8, 2_304, 2, 11, 23],
  [9, 2_592, 2, 12, 25],
  [10, 2_880, 2, 14, 28],
  [11, 3_168, 3, 15, 31],
  [12, 3_456, 3, 17, 34],
  [13, 3_744, 3, 18, 37],
  [14, 4_032, 4, 20, 40],
  [15, 4_320, 4, 21, 43],
  [16, 4_608, 4, 23, 46],
  [17, 4_896, 4, 24, 48],
  [18, 5_184, 5, 25, 51],
  [19, 5_472, 5, 27, 54],
  [20, 5_760, 5, 28, 57],
  [21, 6_048, 6, 30, 60],
  [22, 6_336, 6, 31, 63],
  [23, 6_624, 6, 33, 66],
  [24, 6_912, 6, 34, 69],
  [25, 7_200, 7, 36, 72],
  [26, 7_488, 7, 37, 74],
  [27, 7_776, 7, 38, 77],
  [28, 8_064, 8, 40, 80],
  [29, 8_352, 8, 41, 83],
  [30, 8_640, 8, 43, 86],
  [31, 8_928, 8, 44, 89],
] as const;

/** A service month of `days` days in which the first `lost` windows are lost. */
function monthOfDays(days: number, lost: number, record = {}) {
  const serviceEnd = `2026-07-${`${days}`.padStart(2, '0')}`;
  return readScene({
    terms: { serviceEnd, ...record },
    entries: losing(Array.from({ length: lost }, (_, i) => i)),
  });
}

describe('the windows of a service month', () => {
  it.each(TABLE)('of %d days are %d and allow %d, %d and %d losses', (days, windows, ...allowed) => {
    const reading = monthOfDays(days, 0);
    expect(reading.period.windows).toBe(windows);
    expect(reading.lines.map((line) => line.allowed)).toEqual(allowed);
    expect(reading.budget).toEqual({ allowed: allowed[0], lost: 0, left: allowed[0] });
  });

  it.each(TABLE)(
    'of %d days keep each line at the last loss allowed and cross it at the next',
    (days, _, ...allowed) => {
      for (const [i, most] of allowed.entries()) {
        const kept = monthOfDays(days, most);
        expect(kept.lines[i]).toMatchObject({ left: 0, crossed: false });
        expect(kept.voucherPercent).toBe([0, 10, 20][i]);
        expect(kept.availability.meetsTarget).toBe(i === 0);
        const crossed = monthOfDays(days, most + 1);
        expect(crossed.lines[i]).toMatchObject({ left: 0, crossed: true });
        expect(crossed.voucherPercent).toBeGreaterThanOrEqual([10, 20, 50][i]!);
        expect(crossed.availability.meetsTarget).toBe(false);
        expect(crossed.downtimeMinutes).toBe((most + 1) * 5);
      }
    },
  );
});

describe('a full month', () => {
  it.each(['2026-02', '2028-02', '2026-04', '2026-07'])(
    '%s allows eight lost windows, and the ninth breaches',
    (month) => {
      const lose = (count: number) =>
        readScene({ month, entries: losing(Array.from({ length: count }, (_, i) => i * 7)) });
      expect(lose(8).availability.meetsTarget).toBe(true);
      expect(lose(8).budget).toEqual({ allowed: 8, lost: 8, left: 0 });
      expect(lose(9).availability.meetsTarget).toBe(false);
      expect(lose(9).budget).toEqual({ allowed: 8, lost: 9, left: 0 });
      expect(lose(9).voucherPercent).toBe(10);
    },
  );

  it('shows nine lost windows of 31 days as 99.899 %, never as 99.90', () => {
    const reading = monthOfDays(31, 9);
    expect(reading.availability.display).toBe('99.899%');
    expect(monthOfDays(31, 9, { displayDecimals: 2 }).availability.display).toBe('99.89%');
  });

  it('that only a day of 25 can be exactly on a line, and keeps the better tier there', () => {
    expect(monthOfDays(25, 36)).toMatchObject({ voucherPercent: 10, availability: { display: '99.500%' } });
    expect(monthOfDays(25, 37).voucherPercent).toBe(20);
    expect(monthOfDays(25, 72)).toMatchObject({ voucherPercent: 20, availability: { display: '99.000%' } });
    expect(monthOfDays(25, 73).voucherPercent).toBe(50);
    const exact = TABLE.flatMap(([days, windows]) =>
      [1_000, 200, 100].filter((parts) => windows % parts === 0).map((parts) => [days, parts]),
    );
    expect(exact).toEqual([
      [25, 200],
      [25, 100],
    ]);
  });
});

describe('the lines of a contract', () => {
  const linesFor = (record: Readonly<Record<string, unknown>>) =>
    linesOf(termsOf(record)).map(({ percent, voucherPercent }) => [percent.text, voucherPercent]);

  it('are its tiers when the target is the edge of one, under the name of the target', () => {
    expect(linesFor({})).toEqual([
      ['99.9', 10],
      ['99.5', 20],
      ['99', 50],
    ]);
    expect(linesFor({ target: '99.90' })[0]).toEqual(['99.90', 10]);
  });

  it('include a target of its own, which owes what the tiers above it owe', () => {
    expect(linesFor({ target: '99.95' })[0]).toEqual(['99.95', 0]);
    expect(linesFor({ target: '99.7' }).slice(0, 3)).toEqual([
      ['99.9', 10],
      ['99.7', 10],
      ['99.5', 20],
    ]);
    expect(linesFor({ target: '98' }).at(-1)).toEqual(['98', 50]);
    expect(linesFor({ tiers: [] })).toEqual([['99.9', 0]]);
  });

  it('grow a voucher that never shrinks as more windows are lost', () => {
    const lines = linesOf(termsOf());
    let before = 0;
    for (let lost = 0; lost <= 200; lost += 1) {
      const owed = voucherPercentOf(lines.map((line) => standing(line, 8_928, lost)));
      expect(owed).toBeGreaterThanOrEqual(before);
      before = owed;
    }
    expect(before).toBe(50);
  });

  it('turn into money with a fee only', () => {
    const terms = termsOf({ monthlyFee: { amount: '1234.56', currency: 'USD' } });
    expect(voucherOf(terms, 10)).toEqual({ amount: '123.45', currency: 'USD' });
    expect(voucherOf(termsOf(), 10)).toBeUndefined();
    expect(monthOfDays(31, 9, { monthlyFee: { amount: '99', currency: 'JPY' } }).voucher).toEqual({
      amount: '9',
      currency: 'JPY',
    });
  });
});
