import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Past, writeBooks } from './books.ts';
import { fleetPasts } from './scene.ts';

/** The end of a month: every window of it is there to be shown. */
const END_MS = Date.parse('2026-12-01T00:00:00+08:00') - 2_000;
const END_MINUTE = Math.floor(END_MS / 60_000);

let browser: Browser;
let daemon: TestDaemon;
let folder: string;

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-weight-'));
  const [missed] = fleetPasts(END_MS).filter(({ service }) => service === 'live-shopping');
  const others = Array.from(
    { length: 99 },
    (_, i): Past => ({
      service: `tenant-${i + 1}`,
      fromMinute: END_MINUTE - 60,
      toMinute: END_MINUTE,
      minute: (minute) => ({ attempts: 40 + (minute % (i + 7)) }),
    }),
  );
  await writeBooks(join(folder, 'books'), [missed!, ...others]);
  daemon = await bootDaemon({ folder, nowMs: () => END_MS });
  await waitFor(
    'every service to be read',
    async () => {
      const { services } = await daemon.getJson<{ services: { budget?: object }[] }>('/api/v1/services');
      return services.length === 100 && services.every(({ budget }) => budget !== undefined);
    },
    { withinMs: 120_000 },
  );
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Opens the page with nothing kept, and says what crossed the wire by path, and how long it took. */
async function load() {
  const watched = await openPage(browser, daemon.url);
  const { page } = watched;
  const session = await page.context().newCDPSession(page);
  const paths = new Map<string, string>();
  /** Headers and packed bodies. */
  const taken = new Map<string, number>();
  await session.send('Network.enable');
  session.on('Network.requestWillBeSent', ({ requestId, request }) =>
    paths.set(requestId, new URL(request.url).pathname),
  );
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    taken.set(paths.get(requestId) ?? requestId, encodedDataLength),
  );
  // Processor time of the page's thread: what the page costs, however busy the machine is with something else.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const startedAtMs = performance.now();
  await page.goto(`${daemon.url}/#/live-shopping`);
  await page.locator('#grid[aria-busy=false]').waitFor();
  const elapsedMs = performance.now() - startedAtMs;
  const { metrics } = await session.send('Performance.getMetrics');
  const spentMs = metrics.find(({ name }) => name === 'TaskDuration')!.value * 1_000;
  await page.locator('#services-list li').nth(99).waitFor();
  const bytesOf = (isApi: boolean) =>
    [...taken].reduce((sum, [path, bytes]) => sum + (path.startsWith('/api/') === isApi ? bytes : 0), 0);
  const [files, figures] = [bytesOf(false), bytesOf(true)];
  process.stdout.write(
    `the page: ${files} B of files, ${figures} B of figures, in ${Math.round(elapsedMs)} ms, ` +
      `${Math.round(spentMs)} ms of them the page's own\n`,
  );
  return { ...watched, paths: [...taken.keys()], bytes: files + figures, spentMs };
}

it('the page takes 100 KB and a second at most, figures included, with 100 services and a whole month', async () => {
  // The first load finds the files not packed yet.
  await (await load()).close();
  const { page, complaints, close, paths, bytes, spentMs } = await load();
  expect(paths.filter((path) => path.startsWith('/api/')).sort()).toEqual([
    '/api/v1/alerts',
    '/api/v1/exclusions',
    '/api/v1/services',
    '/api/v1/services/live-shopping/months/2026-11',
    '/api/v1/services/live-shopping/months/2026-11/windows',
  ]);
  expect(paths.length).toBeGreaterThan(25);
  expect(bytes).toBeLessThanOrEqual(100_000);
  expect(spentMs).toBeLessThan(1_000);
  expect(await page.locator('.incidents li').count()).toBeGreaterThan(1);

  await page.locator('#services-filter').fill('tenant-4');
  expect(await page.locator('#services-list li').count()).toBe(11);
  expect(complaints).toEqual([]);
  await close();
});
