import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dateText, dayNumber, daysOfMonth, parseDate, parseInstant } from '../../sla/instant.ts';

describe('parseInstant', () => {
  it.each([
    ['2026-11-03T02:00:00Z', Date.UTC(2026, 10, 3, 2)],
    ['2026-11-03t02:00:00z', Date.UTC(2026, 10, 3, 2)],
    ['2026-11-03T10:00:00+08:00', Date.UTC(2026, 10, 3, 2)],
    ['2026-11-02T21:30:00-04:30', Date.UTC(2026, 10, 3, 2)],
    ['2026-11-03T02:00:00-00:00', Date.UTC(2026, 10, 3, 2)],
    ['2026-11-03T02:00:00.1Z', Date.UTC(2026, 10, 3, 2) + 100],
    ['2026-11-03T02:00:00.120Z', Date.UTC(2026, 10, 3, 2) + 120],
    ['2026-11-03T02:04:59.999999999Z', Date.UTC(2026, 10, 3, 2, 4, 59, 999)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2026-11-03T23:59:59+23:59', Date.UTC(2026, 10, 3, 0, 0, 59)],
  ])('%s is read', (text, atMs) => expect(parseInstant(text)).toBe(atMs));

  it('folds a leap second into the millisecond before it, in its own window', () => {
    expect(parseInstant('2016-12-31T23:59:60Z')).toBe(Date.UTC(2017, 0, 1) - 1);
    expect(parseInstant('2017-01-01T07:59:60.5+08:00')).toBe(Date.UTC(2017, 0, 1) - 1);
    expect(parseInstant('2016-12-31T23:58:60Z')).toBeUndefined();
  });

  it.each([
    '',
    '2026',
    '2026-11-03',
    '2026-11-03T02:00:00',
    '2026-11-03 02:00:00Z',
    '2026-11-03T02:00Z',
    '2026-11-03T02:00:00.Z',
    '2026-11-03T02:00:00+08',
    '2026-11-03T02:00:00+0800',
    '2026-11-03T02:00:00+24:00',
    '2026-11-03T02:00:00+08:60',
    '2026-11-03T02:00:00Zjunk',
    '2026-11-03T24:00:00Z',
    '2026-11-03T02:60:00Z',
    '2026-11-03T02:00:61Z',
    '2016-12-31T23:59:61Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '٢٠٢٦-11-03T02:00:00Z',
    '+026-11-03T02:00:00Z',
    'Tue Nov 03 2026',
  ])('refuses %j', (text) => expect(parseInstant(text)).toBeUndefined());

  it('agrees with the platform on every instant that both can write', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_300_799_999 }),
        fc.integer({ min: -1_439, max: 1_439 }),
        (atMs, offset) => {
          const local = new Date(atMs + offset * 60_000).toISOString();
          fc.pre(/^\d{4}-/.test(local));
          const sign = offset < 0 ? '-' : '+';
          const pad = (n: number) => `${Math.floor(n)}`.padStart(2, '0');
          const zone = `${sign}${pad(Math.abs(offset) / 60)}:${pad(Math.abs(offset) % 60)}`;
          expect(parseInstant(local.replace('Z', zone))).toBe(atMs);
        },
      ),
    );
  });

  it('never throws and never takes what the platform would refuse', () => {
    const nearly = fc.stringMatching(
      /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)?$/,
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (text) => {
        const atMs = parseInstant(text);
        if (atMs === undefined || text.slice(17, 19) === '60') return;
        expect(atMs).toBe(Date.parse(text.toUpperCase().replace(/(\.\d{3})\d+/, '$1')));
      }),
    );
  });

  it('reads a fraction of a hundred thousand digits in one pass', () => {
    expect(parseInstant(`2026-11-03T02:00:00.${'9'.repeat(100_000)}Z`)).toBe(Date.UTC(2026, 10, 3, 2) + 999);
  });
});

describe('dates', () => {
  it('number the days as the platform does', () => {
    fc.assert(
      fc.property(fc.integer({ min: -25_000, max: 60_000 }), (day) => {
        const [year, month, date] = dateText(day).split('-').map(Number) as [number, number, number];
        expect(dayNumber(year, month, date)).toBe(day);
        expect(parseDate(dateText(day))).toBe(day);
      }),
    );
  });

  it('know the length of every month', () => {
    expect([2024, 2026, 1900, 2000].map((year) => daysOfMonth(year, 2))).toEqual([29, 28, 28, 29]);
    expect(Array.from({ length: 12 }, (_, i) => daysOfMonth(2026, i + 1))).toEqual([
      31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    ]);
  });
});
