import { describe, expect, it } from 'vitest';
import { pageModule } from './page-module.ts';

interface Month {
  readonly firstDate: string;
  readonly offsetMinutes: number;
  readonly perDay: number;
}
type Place = (month: Month, place: number) => string;
const time = await pageModule<{
  contractMonth(reading: { month: string; period: { start: string; days: number; windows: number } }): Month;
  placeOf(month: Month, at: number | string): number | null;
  startMsOf(month: Month, place: number): number;
  windowLabel: Place;
  dayLabel: Place;
  clock: Place;
  zoneSuffix(month: Month): string;
  localTime(month: Month, at: string): string;
  hasClockChange(reading: { period: { start: string; end: string; minutes: number } }): boolean;
  monthAfter(month: string, by: number): string;
}>('contract-time.js');
const { incidents } = await pageModule<{
  incidents(
    lost: readonly object[],
  ): { place: number; windows: number; attempts: number; failures: number; lowVolume: boolean }[];
}>('incidents.js');
const figures = await pageModule<{
  availabilityText(ratio: number): string;
  chanceText(ratio: number): string;
  successText(failures: number, attempts: number): string;
  durationText(minutes: number): string;
  shareText(ratio: number): string;
}>('figures.js');
const { readRoute, routeTo } = await pageModule<{
  readRoute(hash: string): { service: string | null; month: string | null; at: string | number | null };
  routeTo(service: string, month: string | null, at?: string): string;
}>('route.js');
const { lookOf } = await pageModule<{ lookOf(cell: object | undefined): string }>('calendar-cells.js');

const month = (name: string, start: string, days: number) =>
  time.contractMonth({ month: name, period: { start, days, windows: 288 * days } });
const march2019 = month('2019-03', '2019-02-28T16:00:00.000Z', 31);

describe("the contract's calendar", () => {
  it('begins a month at midnight of the zone that the reading implies', () => {
    expect(time.zoneSuffix(march2019)).toBe('+08:00');
    expect(time.zoneSuffix(month('2026-11', '2026-11-01T00:00:00.000Z', 30))).toBe('+00:00');
    expect(time.zoneSuffix(month('2026-11', '2026-11-01T04:00:00.000Z', 30))).toBe('-04:00');
    expect(time.zoneSuffix(month('2026-11', '2026-10-31T18:30:00.000Z', 30))).toBe('+05:30');
    expect(time.zoneSuffix(month('2026-11', '2026-11-01T03:30:00.000Z', 30))).toBe('-03:30');
  });

  it('begins a service month that starts on the 17th on the 17th', () => {
    const partial = month('2026-03', '2026-03-16T16:00:00.000Z', 15);
    expect(partial.firstDate).toBe('2026-03-17');
    expect(time.dayLabel(partial, 0)).toBe('Tue 17');
  });

  it('finds the window of an instant, and the instant of a window', () => {
    // The worked example of clause 2.1: 10:00 to 10:30.
    expect(time.placeOf(march2019, '2019-03-10T02:00:00.000Z')).toBe(9 * 288 + 120);
    expect(time.placeOf(march2019, '2019-03-10T02:04:59.999Z')).toBe(9 * 288 + 120);
    expect(time.placeOf(march2019, '2019-03-10T02:05:00.000Z')).toBe(9 * 288 + 121);
    expect(time.windowLabel(march2019, 9 * 288 + 120)).toBe('10 March, 10:00 to 10:05');
    for (const place of [0, 1, 287, 288, 8927]) {
      expect(time.placeOf(march2019, time.startMsOf(march2019, place))).toBe(place);
    }
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

  it('notices that a clock changes within the month', () => {
    // Europe/Berlin: the last Sunday of October has 25 hours.
    const october = {
      start: '2026-09-30T22:00:00.000Z',
      end: '2026-10-31T23:00:00.000Z',
      minutes: 31 * 1440,
    };
    expect(time.hasClockChange({ period: october })).toBe(true);
    const november = {
      start: '2026-10-31T23:00:00.000Z',
      end: '2026-11-30T23:00:00.000Z',
      minutes: 30 * 1440,
    };
    expect(time.hasClockChange({ period: november })).toBe(false);
  });

  it('steps over the turn of a year', () => {
    expect(time.monthAfter('2026-12', 1)).toBe('2027-01');
    expect(time.monthAfter('2027-01', -1)).toBe('2026-12');
  });
});

describe('incidents', () => {
  const lost = (place: number, lowVolume = false) => ({ place, attempts: 100, failures: 2, lowVolume });

  it('are runs of lost windows, the latest first', () => {
    expect(incidents([lost(12), lost(10), lost(11), lost(14)])).toEqual([
      { place: 14, windows: 1, attempts: 100, failures: 2, lowVolume: false },
      { place: 10, windows: 3, attempts: 300, failures: 6, lowVolume: false },
    ]);
  });

  it('are of low volume only when every window is', () => {
    expect(incidents([lost(1, true), lost(2, true)])[0]?.lowVolume).toBe(true);
    expect(incidents([lost(1, true), lost(2, false)])[0]?.lowVolume).toBe(false);
    expect(incidents([])).toEqual([]);
  });
});

describe('numbers on the page', () => {
  it('never flatter: nine lost windows are 99.899%, not 99.900%', () => {
    expect(figures.availabilityText(1 - 9 / 8928)).toBe('99.899%');
    expect(figures.availabilityText(1 - 6 / 8928)).toBe('99.932%');
    expect(figures.availabilityText(1)).toBe('100.000%');
    expect(figures.successText(1, 3)).toBe('66.66%');
    expect(figures.successText(0, 0)).toBe('no attempts');
    expect(figures.shareText(0.9999)).toBe('99.9%');
  });

  it('claim certainty only where there is some', () => {
    const said = [0, 0.001, 0.01, 0.314, 0.99, 0.995, 1].map(figures.chanceText);
    expect(said).toEqual(['0%', '< 1%', '1%', '31%', '99%', '> 99%', '100%']);
  });

  it('say long times in hours', () => {
    expect([5, 59, 60, 125].map(figures.durationText)).toEqual(['5 min', '59 min', '1 h', '2 h 5 min']);
  });
});

describe('a window in the picture', () => {
  const up = (failures: number) => ({ verdict: 'up', attempts: 1000, failures, lowVolume: false });

  it('gets darker at 0.2 % and 0.5 % of failures', () => {
    expect([0, 1, 2, 4, 5, 10].map((failures) => lookOf(up(failures)))).toEqual([
      'clean',
      'clean',
      'some',
      'some',
      'close',
      'close',
    ]);
    expect(lookOf({ verdict: 'up', attempts: 0, failures: 0, lowVolume: true })).toBe('clean');
  });

  it('has a look of its own for each verdict', () => {
    const look = (verdict: string, lowVolume = false) =>
      lookOf({ verdict, attempts: 10, failures: 1, lowVolume });
    const looks = [
      look('down'),
      look('down', true),
      look('excluded'),
      look('idle'),
      look('unmeasured'),
      lookOf(undefined),
    ];
    expect(looks).toEqual(['lost', 'lost-few', 'excluded', 'idle', 'unmeasured', 'ahead']);
  });
});

describe('an address within the page', () => {
  it('comes back as it was given', () => {
    const at = '2026-11-03T02:00:00Z';
    expect(readRoute(routeTo('acme.live_1', '2026-11', at))).toEqual({
      service: 'acme.live_1',
      month: '2026-11',
      at,
    });
    expect(readRoute(routeTo('acme', null))).toEqual({ service: 'acme', month: null, at: null });
  });

  it('may be empty, from a dashboard (epoch milliseconds), or broken', () => {
    expect(readRoute('')).toEqual({ service: null, month: null, at: null });
    expect(readRoute('#/acme?at=1793671200000').at).toBe(1_793_671_200_000);
    expect(readRoute('#/%E0%A4%A/2026-13-1')).toEqual({ service: '%E0%A4%A', month: null, at: null });
  });
});
