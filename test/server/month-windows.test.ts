import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Past, writeBooks } from '../dashboards/books.ts';
import { bootDaemon, type TestDaemon } from '../support/daemon.ts';

/** An hour after Europe's clocks went back: 03:02:30 by the new time. */
const NOW_MS = Date.parse('2026-10-25T02:02:30Z');
const MONTH_START_MS = Date.parse('2026-10-01T00:00:00+02:00');
const past = (service: string): Past => ({
  service,
  fromMinute: MONTH_START_MS / 60_000,
  toMinute: Math.floor(NOW_MS / 60_000),
  minute: (minute) => ({
    attempts: 60 + (minute % 11),
    failures: { provider: minute % 997 < 5 ? 30 : 0, network: minute % 2 },
  }),
});

interface Columns {
  readonly from: number;
  readonly timeZone: string;
  readonly clock: readonly { from: string; to: string; offsetMinutes: number }[];
  readonly verdict: readonly string[];
  readonly attempts: readonly number[];
  readonly failures: readonly number[];
  readonly failuresByCause: Readonly<Record<string, readonly number[]>>;
  readonly lowVolume: readonly boolean[];
}
interface Row {
  readonly verdict: string;
  readonly attempts: number;
  readonly failures: number;
  readonly failuresByCause: Readonly<Record<string, number>>;
  readonly lowVolume: boolean;
}

let daemon: TestDaemon;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-columns-'));
  await writeBooks(join(folder, 'books'), [past('berlin'), past('shanghai')]);
  daemon = await bootDaemon({
    folder,
    nowMs: () => NOW_MS,
    config: { services: { berlin: { terms: { preset: 'trtc', timeZone: 'Europe/Berlin' } } } },
  });
});
afterAll(async () => {
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

const columnsOf = (service: string, query = '', month = '2026-10') =>
  daemon.getJson<Columns>(`/api/v1/services/${service}/months/${month}/windows${query}`);

describe('the windows of a month as columns', () => {
  it.each(['berlin', 'shanghai'])(
    'of %s are its windows as records, as far as they are over',
    async (name) => {
      const columns = await columnsOf(name);
      const [from, to] = ['2026-09-30T16:00:00Z', '2026-10-25T02:00:00Z'];
      const { windows } = await daemon.getJson<{ windows: Row[] }>(
        `/api/v1/services/${name}/windows?from=${name === 'berlin' ? '2026-09-30T22:00:00Z' : from}&to=${to}`,
      );
      const records = columns.verdict.map((verdict, i) => ({
        verdict,
        attempts: columns.attempts[i],
        failures: columns.failures[i],
        failuresByCause: Object.fromEntries(
          Object.entries(columns.failuresByCause).map(([cause, counts]) => [cause, counts[i]]),
        ),
        lowVolume: columns.lowVolume[i],
      }));
      expect(records).toEqual(
        windows.map(({ verdict, attempts, failures, failuresByCause, lowVolume }) => ({
          verdict,
          attempts,
          failures,
          failuresByCause,
          lowVolume,
        })),
      );
      // The repeated hour is judged once, over both passes: 288 windows a day and three hours.
      expect(records).toHaveLength(name === 'berlin' ? 24 * 288 + 36 : 24 * 288 + 120);
      expect(columns.verdict).toContain('down');
    },
  );

  it('say how the clock of the zone went', async () => {
    expect(await columnsOf('berlin')).toMatchObject({
      timeZone: 'Europe/Berlin',
      firstDate: '2026-10-01',
      days: 31,
      windowMinutes: 5,
      windowsPerDay: 288,
      clock: [
        { from: '2026-09-30T22:00:00.000Z', to: '2026-10-25T01:00:00.000Z', offsetMinutes: 120 },
        { from: '2026-10-25T01:00:00.000Z', to: '2026-10-31T23:00:00.000Z', offsetMinutes: 60 },
      ],
    });
    const march = await columnsOf('berlin', '', '2027-03');
    expect(march.clock.map(({ offsetMinutes }) => offsetMinutes)).toEqual([60, 120]);
    // An hour that the clock will skip is nothing that is over.
    expect(march.verdict).toEqual([]);
  });

  it('begin at the place that is asked for, and none lie past the end', async () => {
    const whole = await columnsOf('shanghai');
    const rest = await columnsOf('shanghai', `?from=${whole.verdict.length - 3}`);
    expect(rest.from).toBe(whole.verdict.length - 3);
    expect(rest.attempts).toEqual(whole.attempts.slice(-3));
    expect((await columnsOf('shanghai', '?from=999999')).attempts).toEqual([]);
  });

  it.each([
    ['months/2026-10/windows?from=-1', 'from'],
    ['months/2026-10/windows?from=1.5', 'from'],
    ['months/2026-10/windows?from=', 'from'],
    ['months/2026-13/windows', 'month'],
  ])('refuse %s with the field at fault', async (path, field) => {
    const response = await daemon.get(`/api/v1/services/shanghai/${path}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'FIELD_INVALID', field } });
  });

  it('of an unknown service are not there', async () => {
    expect((await daemon.get('/api/v1/services/nobody/months/2026-10/windows')).status).toBe(404);
  });
});
