import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentDisplay } from '../../sla/display.ts';
import { amountText, currencyDecimals, parseAmount, shareOf } from '../../sla/money.ts';
import { allowedLosses, isBelow, parsePercent } from '../../sla/percent.ts';

const percent = (text: string) => {
  const parsed = parsePercent(text);
  if (parsed === undefined) throw new Error(`${text} is no percentage`);
  return parsed;
};

describe('a percentage', () => {
  it.each([
    ['99', 99, 100],
    ['99.9', 999, 1_000],
    ['99.90', 999, 1_000],
    ['99.95', 1_999, 2_000],
    ['99.999999', 99_999_999, 100_000_000],
    ['100', 1, 1],
    ['0.5', 1, 200],
  ])('%s is exactly %d/%d', (text, numerator, denominator) => {
    expect(percent(text)).toEqual({ text, numerator, denominator });
  });

  it.each([
    '',
    '.5',
    '5.',
    '-1',
    '+1',
    '1e1',
    ' 99',
    '99%',
    '100.1',
    '101',
    '1000',
    '99.9999999',
    '٩٩',
    '0x10',
  ])('refuses %j', (text) => expect(parsePercent(text)).toBeUndefined());

  it('decides whether a share is lower as exact rationals do, at any size', () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 53 - 1 }));
    fc.assert(
      fc.property(
        size,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        (whole, share, hundredths) => {
          const part = Math.min(whole, Math.round(whole * share));
          const line = percent((hundredths / 100).toFixed(2));
          const exactly = BigInt(part) * 10_000n < BigInt(whole) * BigInt(hundredths);
          expect(isBelow(part, whole, line)).toBe(exactly);
        },
      ),
    );
  });

  it('knows both sides of 99 %, and that 0/0 is not lower', () => {
    expect(isBelow(99, 100, percent('99'))).toBe(false);
    expect(isBelow(98, 99, percent('99'))).toBe(true);
    expect(isBelow(0, 0, percent('99'))).toBe(false);
    expect(isBelow(0, 0, percent('100'))).toBe(false);
    expect(isBelow(2 ** 52 - 1, 2 ** 52, percent('100'))).toBe(true);
  });

  it('allows the most losses that keep the line, in any month of any window', () => {
    const windows = fc.integer({ min: 1, max: 44_640 });
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 100_000_000 }), (count, millionths) => {
        const line = percent((millionths / 1_000_000).toFixed(6));
        const allowed = allowedLosses(count, line);
        expect(isBelow(count - allowed, count, line)).toBe(false);
        if (allowed < count) expect(isBelow(count - allowed - 1, count, line)).toBe(true);
      }),
    );
  });
});

describe('the display of a share', () => {
  it.each([
    [8_919, 8_928, 3, '99.899%'],
    [8_922, 8_928, 3, '99.932%'],
    [8_928, 8_928, 3, '100.000%'],
    [7_164, 7_200, 3, '99.500%'],
    [0, 288, 3, '0.000%'],
    [8_919, 8_928, 0, '99%'],
    [8_919, 8_928, 2, '99.89%'],
    [8_919, 8_928, 6, '99.899193%'],
    [1, 44_640, 2, '0.00%'],
  ])('of %d/%d to %d decimals is %s', (part, whole, decimals, text) => {
    expect(percentDisplay(part, whole, decimals)).toBe(text);
  });

  it('never rounds up: less than all is never 100 %, and less than a line is never shown as the line', () => {
    const whole = fc.integer({ min: 1, max: 44_640 });
    fc.assert(
      fc.property(whole, fc.nat(), fc.integer({ min: 0, max: 6 }), (of, n, decimals) => {
        const part = n % (of + 1);
        const shown = BigInt(percentDisplay(part, of, decimals).replace(/[.%]/g, ''));
        const scaled = BigInt(part) * 100n * 10n ** BigInt(decimals);
        expect(shown * BigInt(of) <= scaled && scaled < (shown + 1n) * BigInt(of)).toBe(true);
      }),
    );
  });
});

describe('money', () => {
  it.each([
    ['1234.50', 'USD', '1234.50'],
    ['1234.5', 'USD', '1234.50'],
    ['1234', 'USD', '1234.00'],
    ['0.05', 'CNY', '0.05'],
    ['1234', 'JPY', '1234'],
    ['1.234', 'KWD', '1.234'],
  ])('%s %s is kept in minor units', (amount, currency, text) => {
    expect(amountText(parseAmount(amount, currency)!)).toBe(text);
  });

  it.each([
    ['1.234', 'USD'],
    ['1.5', 'JPY'],
    ['-1', 'USD'],
    ['1,000', 'USD'],
    ['', 'USD'],
    ['1', 'usd'],
    ['1', 'DOLLARS'],
    ['1'.repeat(19), 'USD'],
  ])('%j %s is refused', (amount, currency) => expect(parseAmount(amount, currency)).toBeUndefined());

  it('knows no decimals of what is no currency', () => expect(currencyDecimals('dollar')).toBeUndefined());

  it('gives a voucher truncated to the minor unit and never above the fee', () => {
    expect(amountText(shareOf(parseAmount('0.99', 'USD')!, 10))).toBe('0.09');
    expect(amountText(shareOf(parseAmount('1234.50', 'USD')!, 100))).toBe('1234.50');
    expect(amountText(shareOf(parseAmount('99', 'JPY')!, 50))).toBe('49');
  });
});
