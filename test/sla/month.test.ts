import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantText } from '../../sla/instant.ts';
import { contractDate, monthAt, serviceMonth } from '../../sla/month.ts';
import { boundsOf, closesAtMs, spansOf, windowOf } from '../../sla/window.ts';
import { isTimeZone, offsetMinutesAt, zonePieces } from '../../sla/zone.ts';
import { monthOf, termsOf } from './months.ts';

function messageOf(name: string, record = {}): string {
  const found = serviceMonth(name, termsOf(record));
  if (found.ok) throw new Error('was accepted');
  return found.message;
}

describe('a service month', () => {
  it('begins and ends at midnight of the contract zone', () => {
    const month = monthOf('2026-04');
    expect([instantText(month.startMs), instantText(month.endMs)]).toEqual([
      '2026-03-31T16:00:00.000Z',
      '2026-04-30T16:00:00.000Z',
    ]);
    expect(month).toMatchObject({ days: 30, windows: 8_640, minutes: 43_200, minuteCount: 43_200 });
  });

  it('of a service from 17 March to 16 June is the part inside it (1.6)', () => {
    const terms = termsOf({ serviceStart: '2026-03-17', serviceEnd: '2026-06-16' });
    const days = ['2026-03', '2026-04', '2026-05', '2026-06'].map((name) => {
      const { firstDate, lastDate, days, windows } = monthOf(name, terms);
      return [firstDate, lastDate, days, windows];
    });
    expect(days).toEqual([
      ['2026-03-17', '2026-03-31', 15, 4_320],
      ['2026-04-01', '2026-04-30', 30, 8_640],
      ['2026-05-01', '2026-05-31', 31, 8_928],
      ['2026-06-01', '2026-06-16', 16, 4_608],
    ]);
    expect(messageOf('2026-02', { serviceStart: '2026-03-17' })).toContain('outside the service period');
    expect(messageOf('2026-07', { serviceEnd: '2026-06-30' })).toContain('outside the service period');
  });

  it('counts as a full one when the terms say so, with windows that cannot be lost outside the service', () => {
    const month = monthOf('2026-03', termsOf({ serviceStart: '2026-03-17', partialMonth: 'full' }));
    expect(month).toMatchObject({ days: 31, windows: 8_928, firstDate: '2026-03-01' });
    expect(spansOf(month, 0)).toEqual([]);
    expect(windowOf(month, month.firstMinute)).toBe(-1);
    const first = 16 * 288;
    expect(spansOf(month, first - 1)).toEqual([]);
    expect(instantText(spansOf(month, first)[0]!.fromMinute * 60_000)).toBe('2026-03-16T16:00:00.000Z');
  });

  it.each([
    '',
    '2026',
    '2026-13',
    '2026-00',
    '2026-1',
    '26-01',
    '2026-01-01',
    '2000-12',
    '2100-01',
    'x'.repeat(99),
  ])('is not %j', (name) => expect(messageOf(name)).toContain('write YYYY-MM'));

  it('is the one that the contract clock shows, on both sides of its edge', () => {
    const terms = termsOf();
    const edge = Date.UTC(2026, 2, 31, 16);
    expect([monthAt(edge - 1, terms), monthAt(edge, terms)]).toEqual(['2026-03', '2026-04']);
    const newYork = termsOf({ timeZone: 'America/New_York' });
    expect(monthAt(Date.UTC(2026, 3, 1, 3, 59, 59, 999), newYork)).toBe('2026-03');
    expect(monthAt(Date.UTC(2026, 3, 1, 4), newYork)).toBe('2026-04');
  });

  it('joins the next without gap or overlap, in every zone', () => {
    const zones = [
      '+08:00',
      'UTC',
      '-03:30',
      'America/New_York',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Africa/Cairo',
    ];
    for (const timeZone of zones) {
      const terms = termsOf({ timeZone });
      for (let at = 0; at < 36; at += 1) {
        const name = (n: number) => `${2025 + Math.floor(n / 12)}-${`${(n % 12) + 1}`.padStart(2, '0')}`;
        const month = monthOf(name(at), terms);
        expect(month.endMs).toBe(monthOf(name(at + 1), terms).startMs);
        expect([month.firstMinute % 5, month.minuteCount % 5]).toEqual([0, 0]);
        expect(monthAt(month.startMs, terms)).toBe(month.month);
        expect(monthAt(month.endMs - 1, terms)).toBe(month.month);
        expect(contractDate(month.startMs, timeZone)).toBe(month.firstDate);
      }
    }
  });
});

describe('daylight saving', () => {
  const terms = termsOf({ timeZone: 'America/New_York' });

  it('leaves the contract its minutes: the hour that is skipped has windows without minutes', () => {
    const march = monthOf('2026-03', terms);
    expect(march).toMatchObject({ windows: 8_928, minutes: 44_640, minuteCount: 44_640 - 60 });
    // 8 March, 02:00 to 03:00 does not exist.
    const two = 7 * 288 + 24;
    for (let window = two; window < two + 12; window += 1) expect(spansOf(march, window)).toEqual([]);
    const after = spansOf(march, two + 12)[0]!.fromMinute;
    expect(instantText(after * 60_000)).toBe('2026-03-08T07:00:00.000Z');
    expect(spansOf(march, two - 1)[0]!.toMinute).toBe(after);
  });

  it('folds the hour that is repeated into the same windows', () => {
    const november = monthOf('2026-11', terms);
    expect(november).toMatchObject({ windows: 8_640, minuteCount: 43_200 + 60 });
    const one = 12;
    expect(spansOf(november, one).map((span) => instantText(span.fromMinute * 60_000))).toEqual([
      '2026-11-01T05:00:00.000Z',
      '2026-11-01T06:00:00.000Z',
    ]);
    expect(closesAtMs(november, one, 3)).toBe(Date.UTC(2026, 10, 1, 6, 8));
  });

  it('gives each elapsed minute exactly one window, and the bounds agree', () => {
    const cases = [
      ['America/New_York', '2026-03'],
      ['America/New_York', '2026-11'],
      ['Australia/Lord_Howe', '2026-04'],
      ['Africa/Cairo', '2026-04'],
      ['America/Havana', '2026-11'],
    ] as const;
    for (const [timeZone, name] of cases) {
      for (const windowMinutes of [5, 60]) {
        const month = monthOf(name, termsOf({ timeZone, windowMinutes }));
        const bounds = boundsOf(month);
        let held = 0;
        for (let window = 0; window < month.windows; window += 1) {
          const spans = spansOf(month, window);
          for (const span of spans) {
            held += span.toMinute - span.fromMinute;
            expect(windowOf(month, span.fromMinute)).toBe(window);
            expect(windowOf(month, span.toMinute - 1)).toBe(window);
          }
          expect(bounds.fromMinute[window]).toBe(spans[0]?.fromMinute ?? 0);
          expect(bounds.toMinute[window]).toBe(spans.at(-1)?.toMinute ?? 0);
        }
        expect(held).toBe(month.minuteCount);
      }
    }
  });
});

describe('a window', () => {
  it('is found from its minute and back, in any month and window length', () => {
    const lengths = fc.constantFrom(1, 3, 5, 6, 15, 60, 1_440);
    const names = fc.constantFrom('2026-02', '2026-07', '2028-02');
    fc.assert(
      fc.property(lengths, names, fc.nat(), (windowMinutes, name, n) => {
        const month = monthOf(name, termsOf({ windowMinutes }));
        const minute = month.firstMinute + (n % month.minuteCount);
        const window = windowOf(month, minute);
        const [span] = spansOf(month, window);
        expect(span!.fromMinute <= minute && minute < span!.toMinute).toBe(true);
        expect(span!.toMinute - span!.fromMinute).toBe(windowMinutes);
        expect(window).toBe(Math.floor((minute - month.firstMinute) / windowMinutes));
      }),
    );
  });

  it('is none outside the month', () => {
    const month = monthOf('2026-07');
    expect(windowOf(month, month.firstMinute - 1)).toBe(-1);
    expect(windowOf(month, month.firstMinute)).toBe(0);
    expect(windowOf(month, month.firstMinute + month.minuteCount - 1)).toBe(8_927);
    expect(windowOf(month, month.firstMinute + month.minuteCount)).toBe(-1);
  });
});

describe('a time zone', () => {
  it.each(['UTC', '+08:00', '-11:45', '+14:00', 'Asia/Shanghai', 'America/St_Johns'])('may be %s', (zone) =>
    expect(isTimeZone(zone)).toBe(true),
  );
  it.each(['', 'Z', 'Z8', '+08:05', '-14:15', '+8', '0800', 'Mars/Olympus', 'x'.repeat(65)])(
    'may not be %j',
    (zone) => expect(isTimeZone(zone)).toBe(false),
  );

  it('may change and change back within weeks, as Morocco does for Ramadan', () => {
    const pieces = zonePieces('Africa/Casablanca', Date.UTC(2026, 1, 1), Date.UTC(2026, 3, 1));
    expect(pieces.map((one) => [instantText(one.fromMinute * 60_000), one.offsetMinutes])).toEqual([
      ['2026-02-01T00:00:00.000Z', 60],
      ['2026-02-15T02:00:00.000Z', 0],
      ['2026-03-22T02:00:00.000Z', 60],
    ]);
  });

  it('has pieces that cover a span without gap and show the offset of each instant', () => {
    const zones = fc.constantFrom(
      'Europe/Berlin',
      'America/Sao_Paulo',
      'Asia/Tehran',
      'Pacific/Apia',
      '+05:45',
    );
    const start = fc.integer({ min: 271_752, max: 555_555 });
    fc.assert(
      fc.property(zones, start, fc.integer({ min: 1, max: 24 * 60 }), fc.nat(), (zone, hour, hours, n) => {
        const fromMs = hour * 3_600_000;
        const toMs = fromMs + hours * 3_600_000;
        const pieces = zonePieces(zone, fromMs, toMs);
        expect([pieces[0]!.fromMinute, pieces.at(-1)!.toMinute]).toEqual([fromMs / 60_000, toMs / 60_000]);
        expect(pieces.slice(1).map((one) => one.fromMinute)).toEqual(
          pieces.slice(0, -1).map((one) => one.toMinute),
        );
        const minute = fromMs / 60_000 + (n % (hours * 60));
        const piece = pieces.find((one) => one.fromMinute <= minute && minute < one.toMinute);
        expect(piece!.offsetMinutes).toBe(offsetMinutesAt(zone, minute * 60_000));
      }),
      { numRuns: 60 },
    );
  });
});
