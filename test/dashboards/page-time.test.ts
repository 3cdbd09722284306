import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockOf } from '../../server/http/routes/month-windows.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { type Terms, termsSchema } from '../../sla/terms.ts';
import { spansOf, windowOf } from '../../sla/window.ts';
import { pageModule } from './page-module.ts';

interface Month {
  readonly firstDate: string;
  readonly absent: ReadonlySet<number>;
}
type Place = (month: Month, place: number) => string;
const time = await pageModule<{
  contractMonth(answer: object): Month;
  placeOf(month: Month, at: number | string): number | null;
  startMsOf(month: Month, place: number): number | null;
  endMsOf(month: Month, place: number): number | null;
  isRepeated(month: Month, place: number): boolean;
  instantOf(month: Month, text: string, role: 'beginning' | 'end'): string;
  windowLabel: Place;
  dayLabel: Place;
  zoneWords(month: Month): string;
  localTime(month: Month, at: number | string): string;
  monthAfter(month: string, by: number): string;
}>('contract-time.js');

function monthOf(name: string, terms: Partial<Terms>): ServiceMonth {
  const found = serviceMonth(name, termsSchema.parse({ preset: 'trtc', ...terms }));
  if (!found.ok) throw new Error(found.message);
  return found.month;
}
/** As the daemon tells it. */
const onPage = (month: ServiceMonth) => time.contractMonth({ month: month.month, ...clockOf(month) });
const month = (name: string, terms: Partial<Terms> = {}) => onPage(monthOf(name, terms));
const march2019 = month('2019-03');
const berlin = { timeZone: 'Europe/Berlin' };

/** Days of 23, 23.5, 24.5 and 25 hours; changes at midnight; two changes in a month; none. */
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Asia/Kathmandu',
  'UTC',
  '+08:00',
  '-03:30',
];
const anyMonth = fc
  .record({
    zone: fc.constantFrom(...ZONES),
    year: fc.integer({ min: 2019, max: 2031 }),
    number: fc.integer({ min: 1, max: 12 }),
    startDay: fc.option(fc.integer({ min: 1, max: 28 })),
    partialMonth: fc.constantFrom('actual' as const, 'full' as const),
  })
  .map(({ zone, year, number, startDay, partialMonth }) => {
    const name = `${year}-${String(number).padStart(2, '0')}`;
    const start = startDay && { serviceStart: `${name}-${String(startDay).padStart(2, '0')}` };
    return monthOf(name, { timeZone: zone, partialMonth, ...start });
  });

describe("the contract's calendar on the page", () => {
  it('is that of the books, in every zone and month, whatever its clock does', () => {
    fc.assert(
      fc.property(anyMonth, fc.double({ min: 0, max: 1, noNaN: true }), (books, share) => {
        const page = onPage(books);
        const window = Math.min(books.windows - 1, Math.floor(share * books.windows));
        const spans = spansOf(books, window);
        expect(time.startMsOf(page, window)).toBe(spans.length === 0 ? null : spans[0]!.fromMinute * 60_000);
        expect(time.endMsOf(page, window)).toBe(spans.length === 0 ? null : spans.at(-1)!.toMinute * 60_000);
        expect(time.isRepeated(page, window)).toBe(spans.length > 1);
        expect(page.absent.has(window)).toBe(spans.length === 0);
        const minute = books.firstMinute + Math.floor(share * books.minuteCount);
        const place = windowOf(books, minute);
        expect(time.placeOf(page, minute * 60_000 + 59_999)).toBe(place === -1 ? null : place);
      }),
    );
  });

  it('takes what a person types for the edges of a window back to that window', () => {
    fc.assert(
      fc.property(anyMonth, fc.double({ min: 0, max: 1, noNaN: true }), (books, share) => {
        const page = onPage(books);
        const window = Math.min(books.windows - 1, Math.floor(share * books.windows));
        const [startMs, endMs] = [time.startMsOf(page, window), time.endMsOf(page, window)];
        if (startMs === null || endMs === null) return;
        const typed = (atMs: number) => time.localTime(page, atMs).replace(' ', 'T');
        expect(Date.parse(time.instantOf(page, typed(startMs), 'beginning'))).toBe(startMs);
        expect(Date.parse(time.instantOf(page, typed(endMs), 'end'))).toBe(endMs);
      }),
    );
  });

  it('says the zone, and when its clock changes', () => {
    expect(time.zoneWords(march2019)).toBe('UTC+08:00');
    expect(time.zoneWords(month('2026-11', { timeZone: 'UTC' }))).toBe('UTC+00:00');
    expect(time.zoneWords(month('2026-11', { timeZone: '-03:30' }))).toBe('UTC-03:30');
    expect(time.zoneWords(month('2026-11', berlin))).toBe('Europe/Berlin: UTC+01:00');
    expect(time.zoneWords(month('2026-03', berlin))).toBe(
      'Europe/Berlin: UTC+01:00, from 29 March, 03:00 UTC+02:00',
    );
    expect(time.zoneWords(month('2026-10', berlin))).toBe(
      'Europe/Berlin: UTC+02:00, from 25 October, 02:00 UTC+01:00',
    );
  });

  it('has a day of 276 windows where the clock skips an hour, and twelve that come twice where it repeats one', () => {
    const march = month('2026-03', berlin);
    const lastSunday = 28 * 288;
    expect([...march.absent]).toEqual(Array.from({ length: 12 }, (_, i) => lastSunday + 24 + i));
    expect(time.windowLabel(march, lastSunday + 36)).toBe('29 March, 03:00 to 03:05');
    expect(time.startMsOf(march, lastSunday + 36)).toBe(Date.parse('2026-03-29T01:00:00Z'));
    const october = month('2026-10', berlin);
    const twice = Array.from({ length: 31 * 288 }, (_, place) => place).filter((place) =>
      time.isRepeated(october, place),
    );
    expect(twice).toEqual(Array.from({ length: 12 }, (_, i) => 24 * 288 + 24 + i));
    expect(time.placeOf(october, '2026-10-25T00:02:00Z')).toBe(twice[0]);
    expect(time.placeOf(october, '2026-10-25T01:02:00Z')).toBe(twice[0]);
    expect(time.placeOf(october, '2026-10-25T02:00:00Z')).toBe(24 * 288 + 36);
  });

  it('takes a time that the clock skips by the clock before, and leaves alone what is no time', () => {
    const march = month('2026-03', berlin);
    expect(time.instantOf(march, '2026-03-29T02:30', 'beginning')).toBe('2026-03-29T01:30:00.000Z');
    expect(time.instantOf(march, '2026-02-28T09:00', 'beginning')).toBe('2026-02-28T08:00:00.000Z');
    expect(time.instantOf(march, '', 'beginning')).toBe('');
  });

  it('begins a service month that starts on the 17th on the 17th', () => {
    const partial = month('2026-03', { serviceStart: '2026-03-17' });
    expect(partial.firstDate).toBe('2026-03-17');
    expect(time.dayLabel(partial, 0)).toBe('Tue 17');
  });

  it('finds the window of an instant, and the instant of a window', () => {
    // The worked example of clause 2.1: 10:00 to 10:30.
    expect(time.placeOf(march2019, '2019-03-10T02:00:00.000Z')).toBe(9 * 288 + 120);
    expect(time.placeOf(march2019, '2019-03-10T02:04:59.999Z')).toBe(9 * 288 + 120);
    expect(time.placeOf(march2019, '2019-03-10T02:05:00.000Z')).toBe(9 * 288 + 121);
    expect(time.windowLabel(march2019, 9 * 288 + 120)).toBe('10 March, 10:00 to 10:05');
  });

  it('knows no window before the month or after it', () => {
    expect(time.placeOf(march2019, '2019-02-28T15:59:59.999Z')).toBeNull();
    expect(time.placeOf(march2019, '2019-03-31T15:59:59.999Z')).toBe(8927);
    expect(time.placeOf(march2019, '2019-03-31T16:00:00.000Z')).toBeNull();
  });

  it('names the last window of a day by the midnight that ends it', () => {
    expect(time.windowLabel(march2019, 287)).toBe('1 March, 23:55 to 00:00');
    expect(time.localTime(march2019, '2019-02-28T16:00:00Z')).toBe('2019-03-01 00:00');
  });

  it('steps over the turn of a year', () => {
    expect(time.monthAfter('2026-12', 1)).toBe('2027-01');
    expect(time.monthAfter('2027-01', -1)).toBe('2026-12');
  });
});
