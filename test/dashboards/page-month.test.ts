import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Reading } from '../../sla/reading.ts';
import { launchBrowser, openPage, type Watched } from '../support/browser.ts';
import { ADMIN_TOKEN, bootDaemon, READER_TOKEN, type TestDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Past, writeBooks } from './books.ts';

const SERVICE = 'acme';
/** Noon of 23 November in the contract's zone. */
const NOW_MS = Date.parse('2026-11-23T12:02:30+08:00');
const MONTH_START_MINUTE = Date.parse('2026-11-01T00:00:00+08:00') / 60_000;

const minuteOf = (text: string) => Date.parse(`2026-11-${text}:00+08:00`) / 60_000;

/** Seven lost windows in three incidents, one of them of low volume; a night without an agent. */
const PAST: Past = {
  service: SERVICE,
  fromMinute: MONTH_START_MINUTE,
  toMinute: NOW_MS / 60_000,
  minute(minute) {
    const between = (from: string, to: string) => minute >= minuteOf(from) && minute < minuteOf(to);
    if (between('05T02:00', '05T04:00')) return null;
    if (between('03T10:00', '03T10:20'))
      return { attempts: 200, failures: { provider: 1, unknown: 5, customer: 3 } };
    if (between('09T21:30', '09T21:40')) return { attempts: 200, failures: { provider: 40 } };
    if (between('12T04:00', '12T04:05'))
      return { attempts: 4, failures: { unknown: minute % 5 === 0 ? 1 : 0 } };
    if (between('14T00:00', '14T06:00')) return { attempts: 0 };
    return { attempts: 200 };
  },
};

let browser: Browser;
let daemon: TestDaemon;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-page-'));
  await writeBooks(join(folder, 'books'), [PAST]);
  daemon = await bootDaemon({
    folder,
    nowMs: () => NOW_MS,
    config: { terms: { preset: 'trtc', monthlyFee: { amount: '2000.00', currency: 'USD' } } },
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

const readingOf = (month = '2026-11') =>
  daemon.getJson<Reading>(`/api/v1/services/${SERVICE}/months/${month}`);

async function opened(path = '', options: Parameters<typeof openPage>[2] = {}): Promise<Watched> {
  const watched = await openPage(browser, daemon.url, options);
  await watched.page.goto(`${daemon.url}/${path}`);
  await watched.page.locator('#grid[aria-busy=false]').waitFor();
  return watched;
}

/** Closes the page, after making sure that it never complained. */
async function closed({ complaints, close }: Watched): Promise<void> {
  expect(complaints).toEqual([]);
  await close();
}

/** Where a window is on the screen, after scrolling to it; days from 1. */
async function middleOf(page: Page, day: number, slot: number): Promise<{ x: number; y: number }> {
  const grid = page.locator('#grid');
  await grid.scrollIntoViewIfNeeded();
  const box = (await grid.boundingBox())!;
  const [labels, hours, row] = [52, 20, 16];
  return {
    x: box.x + labels + (slot + 0.5) * ((box.width - labels) / 288),
    y: box.y + hours + (day - 1) * row + 5,
  };
}

/** The machine may be busy with other tests: a browser then takes its time. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

describe('the month on the page', () => {
  it('says the numbers of the reading, the windows left biggest', async () => {
    const watched = await opened();
    const { page } = watched;
    const reading = await readingOf();
    expect(reading.budget).toEqual({ allowed: 8, lost: 7, left: 1 });
    expect(await page.locator('#left-number').textContent()).toBe('1');
    expect(await page.locator('#left-words').textContent()).toBe('window left');
    expect(await page.locator('#left-more').textContent()).toContain('7 lost of the 8 that 99.9% allows.');
    const values = await page.locator('.value').allTextContents();
    expect(values[0]).toBe(reading.availability.display);
    expect(values[2]).toBe('none');
    expect(await page.title()).toBe('1 window left – acme, November 2026');
    const sizes: number[] = await page.evaluate(
      `[...document.querySelectorAll('body *')].map((one) => parseFloat(getComputedStyle(one).fontSize))`,
    );
    const biggest: number = await page.evaluate(
      `parseFloat(getComputedStyle(document.getElementById('left-number')).fontSize)`,
    );
    expect(Math.max(...sizes)).toBe(biggest);
    expect(sizes.filter((size) => size === biggest)).toHaveLength(1);
    await closed(watched);
  });

  it('tells each day in words, for those who do not see the picture', async () => {
    const watched = await opened();
    const { page } = watched;
    await page.getByText('The same as a table').click();
    const cells = (row: number) =>
      page
        .locator('#day-table tbody tr')
        .nth(row - 1)
        .locator('th, td')
        .allTextContents();
    expect(await cells(3)).toEqual(['Tue 3', '284', '4', '–', '–', '–', '10:00, 10:05, 10:10, 10:15']);
    expect(await cells(5)).toEqual(['Thu 5', '264', '–', '–', '–', '24', '']);
    expect(await cells(14)).toEqual(['Sat 14', '216', '–', '–', '72', '–', '']);
    expect(await cells(30)).toEqual(['Mon 30', '–', '–', '–', '–', '–', '']);
    await closed(watched);
  });

  it('draws every verdict where it belongs', async () => {
    const watched = await opened('', { colorScheme: 'light' });
    const { page } = watched;
    // The colour of the picture in the middle of a window.
    const colourAt = (day: number, slot: number): Promise<number[]> =>
      page.evaluate(`(() => {
        const canvas = document.getElementById('month-picture');
        const cell = (canvas.width - 52) / 288;
        const x = Math.round(52 + (${slot} + 0.5) * cell - 0.5), y = 20 + ${day - 1} * 16 + 2;
        return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data];
      })()`);
    const [lost, clean] = [
      [194, 65, 12, 255],
      [213, 226, 240, 255],
    ];
    expect(await colourAt(3, 120)).toEqual(lost);
    expect(await colourAt(3, 123)).toEqual(lost);
    expect(await colourAt(3, 130)).toEqual(clean);
    expect(await colourAt(9, 259)).toEqual(lost);
    expect((await colourAt(5, 36))[3]).toBe(0);
    expect((await colourAt(30, 100))[3]).toBe(0);
    await closed(watched);
  });

  it('lists incidents and explains a window in the words of the daemon', async () => {
    const watched = await opened();
    const { page } = watched;
    const incidents = page.locator('.incidents li');
    expect(await incidents.locator('> button').allTextContents()).toEqual([
      '12 November, 04:00 to 04:05',
      '9 November, 21:30 to 21:40',
      '3 November, 10:00 to 10:20',
    ]);
    expect(await incidents.locator('.count').allTextContents()).toEqual([
      '1 window',
      '2 windows',
      '4 windows',
    ]);
    expect(await incidents.first().textContent()).toContain('Fewer than 100 attempts');
    await page.getByText('3 November, 10:00 to 10:20').click();
    const at = encodeURIComponent('2026-11-03T10:00:00+08:00');
    const { sentences } = await daemon.getJson<{ sentences: string[] }>(
      `/api/v1/services/${SERVICE}/explain?at=${at}`,
    );
    await page.locator('#explain h2').waitFor();
    expect(await page.locator('#explain').textContent()).toContain(sentences[0]);
    expect(await page.locator('#explain h2').textContent()).toBe('3 November, 10:00 to 10:05');
    await closed(watched);
  });

  it('opens at the window that a link names', async () => {
    const watched = await opened(`#/acme/2026-11?at=${Date.parse('2026-11-09T21:31:00+08:00')}`);
    await watched.page.locator('#explain h2', { hasText: '9 November, 21:30 to 21:35' }).waitFor();
    await closed(watched);
  });

  it('tells the counts of the window under the pointer', async () => {
    const watched = await opened();
    const { page } = watched;
    const { x, y } = await middleOf(page, 3, 122);
    await page.mouse.move(x, y);
    const hint = page.locator('#hint');
    expect(await hint.textContent()).toContain('3 November, 10:10 to 10:15');
    // 5 minutes of 200 attempts, 3 of each minute the customer's own.
    expect(await hint.textContent()).toContain('96.95% of 985 counted attempts');
    expect(await hint.textContent()).toContain('5 provider, 25 unknown, 15 customer');
    await page.mouse.move(0, 0);
    expect(await hint.isVisible()).toBe(false);
    await closed(watched);
  });

  it('goes back a month, and says why there is nothing before the service', async () => {
    const watched = await opened();
    const { page } = watched;
    expect(await page.locator('#month-after').getAttribute('href')).toBeNull();
    await page.locator('#month-before').click();
    await page.getByText('October 2026').waitFor();
    expect(await page.locator('#left-words').textContent()).toBe('windows were left');
    await page.locator('#month-after').click();
    await page.getByText('November 2026').waitFor();
    await page.goto(`${daemon.url}/#/nobody`);
    await page.getByText('no agent ever reported for nobody').waitFor();
    await closed(watched);
  });

  it('hands out the statement in each form, byte for byte', async () => {
    const watched = await opened('', { acceptDownloads: true });
    const { page } = watched;
    for (const [format, ending] of [
      ['html', 'html'],
      ['json', 'json'],
      ['csv', 'csv'],
      ['text', 'txt'],
    ] as const) {
      // A store that is late on a busy machine answers 503, which a browser calls a cancelled download.
      const download = await waitFor(
        `the statement as ${format}`,
        async () => {
          const waiting = page.waitForEvent('download');
          await page.getByRole('link', { name: `Statement as ${format}` }).click();
          const begun = await waiting;
          return (await begun.failure()) === null && begun;
        },
        { withinMs: 60_000 },
      );
      expect(download.suggestedFilename()).toBe(`roomwatch-acme-2026-11.${ending}`);
      const path = `/api/v1/services/acme/statement?month=2026-11&format=${format}`;
      const chunks: Buffer[] = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
      const served = Buffer.from(await (await daemon.get(path)).arrayBuffer());
      expect(Buffer.concat(chunks).equals(served), format).toBe(true);
    }
    await closed(watched);
  });
});

describe('the keyboard', () => {
  it('reads the whole month: windows, days, lost windows, why', async () => {
    const watched = await opened();
    const { page } = watched;
    const grid = page.locator('#grid');
    const said = () => grid.getAttribute('aria-valuetext');
    await grid.focus();
    expect(await said()).toBe('1 November, 00:00 to 00:05. up. 100.00% of 1 000 counted attempts');
    await page.keyboard.press('ArrowRight');
    expect(await said()).toContain('1 November, 00:05 to 00:10');
    await page.keyboard.press('ArrowDown');
    expect(await said()).toContain('2 November, 00:05 to 00:10');
    await page.keyboard.press('End');
    expect(await said()).toContain('2 November, 23:55 to 00:00');
    await page.keyboard.press('PageDown');
    expect(await said()).toContain('3 November, 10:00 to 10:05. lost');
    await page.keyboard.press('PageUp');
    expect(await said()).toContain('3 November, 10:00 to 10:05. lost');
    await page.keyboard.press('Home');
    expect(await said()).toContain('3 November, 00:00 to 00:05');
    await page.keyboard.press('PageDown');
    await page.keyboard.press('Enter');
    await page.locator('#explain h2', { hasText: '3 November, 10:00 to 10:05' }).waitFor();
    await closed(watched);
  });

  it('stops at the edges of the month', async () => {
    const watched = await opened();
    const { page } = watched;
    const grid = page.locator('#grid');
    await grid.focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowUp');
    expect(await grid.getAttribute('aria-valuenow')).toBe('0');
    expect(await grid.getAttribute('aria-valuemax')).toBe(String(30 * 288 - 1));
    for (let day = 0; day < 31; day += 1) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowRight');
    expect(await grid.getAttribute('aria-valuetext')).toBe('30 November, 23:55 to 00:00. to come');
    await closed(watched);
  });

  it('reaches every control in order, and shows where it is', async () => {
    const watched = await opened();
    const { page } = watched;
    const reached: string[] = [];
    for (let i = 0; i < 30; i += 1) {
      await page.keyboard.press('Tab');
      const [name, outline] = (await page.evaluate(
        `(() => { const one = document.activeElement; return [one.id || one.className || one.textContent.trim(), getComputedStyle(one).outlineStyle]; })()`,
      )) as [string, string];
      reached.push(name);
      expect(outline, name).not.toBe('none');
      if (name.startsWith('button')) break;
    }
    expect(reached.slice(0, 5)).toEqual(['skip', 'mark', 'token-button', 'month-before', 'grid']);
    await closed(watched);
  });
});

describe('an exclusion', () => {
  it('asks for a token, gives the windows back, and takes them again when withdrawn', async () => {
    const watched = await opened();
    const { page } = watched;
    const left = page.locator('#left-number');
    await page.locator('.incidents li').nth(2).getByRole('button', { name: 'Exclude it' }).click();
    expect(await page.locator('input[name=from]').inputValue()).toBe('2026-11-03T10:00');
    expect(await page.locator('input[name=to]').inputValue()).toBe('2026-11-03T10:20');
    await page.locator('select[name=clause]').selectOption('4.10');
    await page.locator('input[name=author]').fill('Lin');
    await page.locator('#exclusion-form input[name=reason]').fill('announced cutover');
    await page.locator('input[name=noticeAt]').fill('2026-11-01T09:00');
    await page.locator('#exclusion-form button').click();

    // Without a token nothing is changed, and the page asks for one.
    const dialog = page.locator('#token-dialog');
    await dialog.waitFor();
    expect((await readingOf()).budget.left).toBe(1);
    await dialog.locator('input').fill(ADMIN_TOKEN);
    await dialog.getByRole('button', { name: 'Use it' }).click();
    await page.waitForFunction('sessionStorage.length === 1');
    expect(await page.evaluate('JSON.stringify([localStorage.length, document.cookie])')).toBe('[0,""]');
    await page.locator('#exclusion-form button').click();
    await left.getByText('5', { exact: true }).waitFor();
    expect(await page.locator('#exclusions').textContent()).toContain('2026-11-03 10:00 to 2026-11-03 10:20');
    expect(await page.locator('#exclusions').textContent()).toContain('entered with the token ops');
    expect(await page.locator('.incidents li').count()).toBe(2);

    const why = page.getByPlaceholder('Why?');
    expect(await why.isVisible()).toBe(false);
    await page.locator('.withdrawal summary').click();
    await why.fill('the notice was for another month');
    await page.locator('.withdrawal button').click();
    await left.getByText('1', { exact: true }).waitFor();
    expect(await page.locator('#exclusions').textContent()).toContain('the notice was for another month');
    await closed(watched);
  });

  it('is refused in the words of the daemon', async () => {
    const watched = await opened();
    const { page } = watched;
    await page.evaluate(`sessionStorage.setItem('roomwatch-token', '${ADMIN_TOKEN}')`);
    await page.getByText('Add an exclusion').click();
    await page.locator('input[name=from]').fill('2026-11-03T10:20');
    await page.locator('input[name=to]').fill('2026-11-03T10:00');
    await page.locator('input[name=author]').fill('Lin');
    await page.locator('#exclusion-form input[name=reason]').fill('a mistake');
    await page.locator('#exclusion-form button').click();
    await page.getByText('to is not after from').waitFor();
    await page.evaluate(`sessionStorage.setItem('roomwatch-token', '${READER_TOKEN}')`);
    await page.locator('#exclusion-form button').click();
    await page.locator('#token-dialog').waitFor();
    await closed(watched);
  });
});

describe('looks', () => {
  it.each(['light', 'dark'] as const)('follow the %s scheme of the reader', async (scheme) => {
    const watched = await opened('', { colorScheme: scheme });
    const ground = await watched.page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(ground).toBe(scheme === 'light' ? 'rgb(251, 250, 247)' : 'rgb(20, 23, 29)');
    const drawn = await watched.page.evaluate(`(() => {
      const canvas = document.getElementById('month-picture');
      const cell = (canvas.width - 52) / 288;
      return [...canvas.getContext('2d').getImageData(Math.round(52 + 10.5 * cell), 22, 1, 1).data];
    })()`);
    expect(drawn).toEqual(scheme === 'light' ? [213, 226, 240, 255] : [38, 60, 86, 255]);
    await closed(watched);
  });

  it.each([320, 390, 768])('fit a screen %i pixels wide without scrolling sideways', async (width) => {
    const watched = await opened('', { viewport: { width, height: 800 } });
    const { page } = watched;
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    // A finger a few pixels beside a lost window still finds it.
    const { x, y } = await middleOf(page, 3, 120);
    await page.mouse.click(x - 4, y);
    await page.locator('#explain h2', { hasText: '3 November, 10:00 to 10:05' }).waitFor();
    await closed(watched);
  });
});
