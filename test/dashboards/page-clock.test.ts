import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser, openPage, type Watched } from '../support/browser.ts';
import { ADMIN_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Past, writeBooks } from './books.ts';

/** Months in which the contract's clock changes: Europe/Berlin, 29 March (23 hours) and 25 October (25 hours). */
const NOW_MS = Date.parse('2026-11-03T12:02:30+01:00');
const minuteOf = (text: string) => Date.parse(text) / 60_000;

/** Lost: after the spring change, in both passes of the repeated hour, and after the autumn change. */
const LOST = ['2026-03-29T01:05:00Z', '2026-10-25T00:10:00Z', '2026-10-25T01:10:00Z', '2026-10-26T09:00:00Z'];
const past = (from: string, to: string): Past => ({
  service: 'berlin',
  fromMinute: minuteOf(from),
  toMinute: minuteOf(to),
  minute: (minute) => ({
    attempts: 200,
    failures: { provider: LOST.some((at) => minute >= minuteOf(at) && minute < minuteOf(at) + 5) ? 20 : 0 },
  }),
});

let browser: Browser;
let daemon: TestDaemon;
let folder: string;

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-clock-'));
  await writeBooks(join(folder, 'books'), [
    past('2026-03-28T00:00:00Z', '2026-03-31T00:00:00Z'),
    past('2026-10-24T00:00:00Z', '2026-10-28T00:00:00Z'),
  ]);
  const terms = { preset: 'trtc', timeZone: 'Europe/Berlin' };
  daemon = await bootDaemon({ folder, nowMs: () => NOW_MS, config: { services: { berlin: { terms } } } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function opened(month: string): Promise<Watched> {
  const watched = await openPage(browser, daemon.url, { colorScheme: 'light' });
  await watched.page.goto(`${daemon.url}/#/berlin/${month}`);
  await watched.page.locator('#grid[aria-busy=false]').waitFor();
  return watched;
}

/** The colour of the picture in a window; days from 1, slots of five minutes by the clock. */
const colourAt = (page: Page, day: number, slot: number): Promise<number[]> =>
  page.evaluate(`(() => {
    const canvas = document.getElementById('month-picture');
    const cell = (canvas.width - 52) / 288;
    const x = Math.round(52 + (${slot} + 0.5) * cell - 0.5), y = 20 + ${day - 1} * 16 + 5;
    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data];
  })()`);
const LOST_COLOUR = [194, 65, 12, 255];
const CLEAN_COLOUR = [213, 226, 240, 255];

describe('a month in which the clock goes forward', () => {
  it('leaves the skipped hour out, and has everything after it where the clock says', async () => {
    const { page, complaints, close } = await opened('2026-03');
    expect(await page.locator('#grid-zone').textContent()).toContain('from 29 March, 03:00 UTC+02:00');
    expect(await page.locator('#warnings').isVisible()).toBe(false);
    // 03:05 by the new clock; an hour earlier by the old one.
    expect(await colourAt(page, 29, 37)).toEqual(LOST_COLOUR);
    expect(await colourAt(page, 29, 36)).toEqual(CLEAN_COLOUR);
    expect(await colourAt(page, 29, 23)).toEqual(CLEAN_COLOUR);
    expect((await colourAt(page, 29, 25))[3]).toBe(0);
    expect(await page.locator('.incidents li > button').allTextContents()).toEqual([
      '29 March, 03:05 to 03:10',
    ]);
    await page.getByText('The same as a table').click();
    const sunday = page.locator('#day-table tbody tr').nth(28).locator('th, td');
    expect(await sunday.allTextContents()).toEqual(['Sun 29', '275', '1', '–', '–', '–', '03:05']);
    expect(await page.locator('#legend').textContent()).toContain('skipped by the clock');

    await page.locator('.incidents li > button').click();
    await page.locator('#explain h2', { hasText: '29 March, 03:05 to 03:10' }).waitFor();
    expect(await page.locator('#explain').textContent()).toContain('1 000');
    // A window without a minute says so, and is not asked about.
    await page.locator('#grid').focus();
    for (let i = 0; i < 3; i += 1) await page.keyboard.press('ArrowLeft');
    expect(await page.locator('#grid').getAttribute('aria-valuetext')).toBe(
      '29 March, 02:50 to 02:55. not there: skipped by the clock or out of service',
    );
    await page.keyboard.press('Enter');
    expect(await page.locator('#explain h2').textContent()).toBe('29 March, 03:05 to 03:10');
    expect(complaints).toEqual([]);
    await close();
  });
});

describe('a month in which the clock goes back', () => {
  it('shows the repeated hour once, and takes an exclusion over both of its passes', async () => {
    const { page, complaints, close } = await opened('2026-10');
    expect(await page.locator('#grid-zone').textContent()).toContain('from 25 October, 02:00 UTC+01:00');
    expect(await page.locator('.incidents li > button').allTextContents()).toEqual([
      '26 October, 10:00 to 10:05',
      '25 October, 02:10 to 02:15',
    ]);
    expect(await colourAt(page, 26, 120)).toEqual(LOST_COLOUR);
    expect(await colourAt(page, 25, 26)).toEqual(LOST_COLOUR);
    await page.locator('.incidents li > button').last().click();
    await page.locator('#explain h2', { hasText: '25 October, 02:10 to 02:15' }).waitFor();
    expect(await page.locator('#explain').textContent()).toContain('2 000');
    await page.locator('#grid').focus();
    expect(await page.locator('#grid').getAttribute('aria-valuetext')).toContain('the clock showed it twice');

    await page.evaluate(`sessionStorage.setItem('roomwatch-token', '${ADMIN_TOKEN}')`);
    await page.locator('.incidents li').last().getByRole('button', { name: 'Exclude it' }).click();
    expect(await page.locator('input[name=from]').inputValue()).toBe('2026-10-25T02:10');
    expect(await page.locator('input[name=to]').inputValue()).toBe('2026-10-25T02:15');
    await page.locator('select[name=clause]').selectOption('4.12');
    await page.locator('input[name=author]').fill('Lin');
    await page.locator('#exclusion-form input[name=reason]').fill('force majeure');
    await page.locator('#exclusion-form button').click();
    await page.locator('#exclusions').getByText('2026-10-25 02:10 to 2026-10-25 02:15').waitFor();
    const { exclusions } = await daemon.getJson<{ exclusions: { from: string; to: string }[] }>(
      '/api/v1/exclusions?service=berlin',
    );
    expect(exclusions.map(({ from, to }) => [Date.parse(from), Date.parse(to)])).toEqual([
      [Date.parse('2026-10-25T00:10:00Z'), Date.parse('2026-10-25T01:15:00Z')],
    ]);
    await waitFor('one incident', async () => (await page.locator('.incidents li').count()) === 1);
    expect(await page.locator('#exclusions').textContent()).not.toContain('Overlaps');

    // Another one over the same hour: each says so.
    const second = await daemon.write('POST', '/api/v1/exclusions', {
      service: 'berlin',
      from: '2026-10-25T01:00:00Z',
      to: '2026-10-25T02:00:00Z',
      clause: '4.4',
      author: 'Lin',
      reason: 'an attack',
    });
    expect(second.status).toBe(201);
    await page.reload();
    await page.locator('#grid[aria-busy=false]').waitFor();
    expect(await page.locator('#exclusions li').getByText('Overlaps 1 other:').count()).toBe(2);
    expect(complaints).toEqual([]);
    await close();
  });
});
