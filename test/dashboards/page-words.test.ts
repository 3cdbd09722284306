import { describe, expect, it } from 'vitest';
import { pageModule } from './page-module.ts';

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
const { lookOf: lookAt } = await pageModule<{
  lookOf(month: { absent: ReadonlySet<number> }, place: number, cell: object | undefined): string;
}>('calendar-cells.js');
const lookOf = (cell: object | undefined) => lookAt({ absent: new Set([9]) }, 0, cell);

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
    const absent = { absent: new Set([9]) };
    expect([8, 9].map((place) => lookAt(absent, place, undefined))).toEqual(['ahead', 'absent']);
    expect(lookAt(absent, 9, { verdict: 'idle', attempts: 0, failures: 0, lowVolume: true })).toBe('absent');
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
