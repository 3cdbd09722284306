import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { type Past, writeBooks } from './books.ts';

/** Noon of 23 November in the contract's zone. */
const NOW_MS = Date.parse('2026-11-23T12:02:30+08:00');
const NOW_MINUTE = Math.floor(NOW_MS / 60_000);
const SURGE_MINUTE = Date.parse('2026-11-23T10:30:00+08:00') / 60_000;

/** Four hours of steady traffic; in one of the two the vendor calls back and a crowd is back after a time-out. */
const past = (service: string, isToldOf: boolean): Past => ({
  service,
  fromMinute: NOW_MINUTE - 240,
  toMinute: NOW_MINUTE,
  minute(minute) {
    if (!isToldOf) return { attempts: 99 };
    const crowd = minute === SURGE_MINUTE;
    return { attempts: 99, callbacks: { entered: 100, returned: crowd ? 3_101 : 0, left: 100 } };
  },
});

let browser: Browser;
let daemon: TestDaemon;
let folder: string;
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-page-'));
  await writeBooks(join(folder, 'books'), [past('acme', true), past('globex', false)]);
  daemon = await bootDaemon({ folder, nowMs: () => NOW_MS });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('shows how much of what the vendor saw was measured, and offers to exclude a surge, saying who it is made of', async () => {
  const { page, complaints, close } = await openPage(browser, daemon.url);
  await page.goto(`${daemon.url}/#/acme`);
  const box = page.locator('#callbacks');
  await box.locator('text=clause 4.6').waitFor();
  const text = (await box.textContent()) ?? '';
  expect(text).toContain('24 000 entries');
  expect(text).toContain('agents reported 23 760 successes in the same minutes (99.0%).');
  expect(text).toContain('3 101 users came on top, 2026-11-23 10:30 to 2026-11-23 11:30.');
  expect(text).toContain('While it rose, 100 users entered and 3 101 came back after a time-out;');
  await box.getByRole('button', { name: 'Exclude it' }).click();
  expect(await page.locator('input[name=from]').inputValue()).toBe('2026-11-23T10:30');
  expect(await page.locator('input[name=to]').inputValue()).toBe('2026-11-23T11:30');
  expect(complaints).toEqual([]);
  await close();
});

it('says nothing of callbacks where none came', async () => {
  const { page, complaints, close } = await openPage(browser, daemon.url);
  await page.goto(`${daemon.url}/#/globex`);
  await page.locator('#incidents >> text=No window was lost.').waitFor();
  expect(await page.locator('#callbacks').isHidden()).toBe(true);
  expect(complaints).toEqual([]);
  await close();
});
