import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser, openPage, type Watched } from '../support/browser.ts';
import { ADMIN_TOKEN, AGENT_TOKEN, bootDaemon, READER_TOKEN, type TestDaemon } from '../support/daemon.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Past, writeBooks } from './books.ts';

/** In the middle of a window of the contract's 23 November. */
const START_MS = Date.parse('2026-11-23T12:02:30+08:00');
const MINUTE_MS = 60_000;
const HOSTILE = `<img src=x onerror="document.title='owned'">`;
/** Within seconds, on a machine that may be busy. */
const SOON = { timeout: 60_000 };

/** The machine may be busy with other tests: a browser then takes its time. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let browser: Browser;
const undo: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A daemon whose clock stands still until a test moves it. */
async function daemonAt(
  clock: { nowMs: number },
  pasts: readonly Past[] = [],
  config: object = {},
): Promise<TestDaemon> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-live-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  if (pasts.length > 0) await writeBooks(join(folder, 'books'), pasts);
  const daemon = await bootDaemon({ folder, nowMs: () => clock.nowMs, config });
  undo.push(() => daemon.stop());
  return daemon;
}

async function agentOf(daemon: TestDaemon): Promise<RawAgent> {
  const { agent } = await RawAgent.greet(daemon.daemon.port, { services: ['acme'] }, AGENT_TOKEN);
  undo.push(() => agent.end());
  return agent;
}

async function pageOf(daemon: TestDaemon, path = ''): Promise<Watched> {
  const watched = await openPage(browser, daemon.url);
  undo.push(() => watched.close());
  await watched.page.goto(`${daemon.url}/${path}`);
  return watched;
}

describe('the page while the month goes on', () => {
  it('shows an incident as it happens, and the window it cost, without being asked', {
    timeout: 90_000,
  }, async () => {
    const clock = { nowMs: START_MS };
    const daemon = await daemonAt(clock);
    const agent = await agentOf(daemon);
    const minute = () => Math.floor(clock.nowMs / MINUTE_MS);
    agent.send(agent.batch(1, { minute: minute(), cells: [cell({ minute: minute(), n: 1_000 })] }));
    await agent.acknowledged(1);
    const watched = await openPage(browser, daemon.url);
    undo.push(() => watched.close());
    const { page, complaints } = watched;
    const events: string[] = [];
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.eventSourceMessageReceived', ({ eventName, data }) =>
      events.push(`${eventName} ${data}`),
    );
    const listening = page.waitForResponse((response) => response.url().endsWith('/api/v1/events'));
    await page.goto(daemon.url);
    expect((await listening).status()).toBe(200);
    await page.locator('#left-number').getByText('8', { exact: true }).waitFor();
    await page.locator('#open-window').getByText('0 failures in 1 000 attempts').waitFor(SOON);
    const before = events.length;

    agent.send(agent.batch(2, { minute: minute(), cells: [failedCell({ minute: minute(), n: 900 })] }));
    await agent.acknowledged(2);
    await page.locator('#open-window[data-state=lost]').getByText('already lost').waitFor(SOON);
    expect(await page.locator('#left-number').textContent()).toBe('8');
    // Told, not asked.
    expect(events.slice(before)).toContain('reading {"service":"acme","month":"2026-11"}');

    clock.nowMs += 4 * MINUTE_MS;
    await page.locator('#left-number').getByText('7', { exact: true }).waitFor(SOON);
    expect(await page.title()).toBe('7 windows left – acme, November 2026');
    await page.locator('.incidents').getByText('23 November, 12:00 to 12:05').waitFor(SOON);
    expect(await page.locator('#announcer').textContent()).toBe('acme: 7 windows left, 1 lost');
    expect(complaints).toEqual([]);
  });

  it('lets somebody acknowledge an alert', async () => {
    const clock = { nowMs: START_MS };
    const daemon = await daemonAt(clock);
    const agent = await agentOf(daemon);
    const minute = Math.floor(clock.nowMs / MINUTE_MS);
    agent.send(
      agent.batch(1, { minute, cells: [cell({ minute, n: 1_000 }), failedCell({ minute, n: 900 })] }),
    );
    await agent.acknowledged(1);
    const { page, complaints } = await pageOf(daemon);
    const alert = page.locator('.alerts li', { hasText: 'entry-failing' });
    await alert.getByRole('button', { name: 'Acknowledge' }).click(SOON);
    const dialog = page.locator('#token-dialog');
    await dialog.waitFor(SOON);
    await page.keyboard.press('Escape');
    // What was refused stays said while the page goes on.
    await page.evaluate(`dispatchEvent(new Event('online'))`);
    await page.waitForResponse((response) => response.url().endsWith('/services'));
    expect(await page.locator('#trouble').textContent()).toContain('Authorization: Bearer');
    await alert.getByRole('button', { name: 'Acknowledge' }).click(SOON);
    await dialog.locator('input').fill(ADMIN_TOKEN);
    await dialog.getByRole('button', { name: 'Use it' }).click();
    await alert.getByRole('button', { name: 'Acknowledge' }).click(SOON);
    await alert.getByText('Acknowledged by ops').waitFor(SOON);
    expect(complaints).toEqual([]);
  });

  it('says so when the daemon no longer answers, and recovers by itself', async () => {
    const clock = { nowMs: START_MS };
    const past: Past = {
      service: 'acme',
      fromMinute: Math.floor(START_MS / MINUTE_MS) - 30,
      toMinute: Math.floor(START_MS / MINUTE_MS),
      minute: () => ({ attempts: 50 }),
    };
    const daemon = await daemonAt(clock, [past]);
    const { page } = await pageOf(daemon);
    await page.locator('#left-number').getByText('8', { exact: true }).waitFor();
    await page.context().setOffline(true);
    await page.locator('#trouble').getByText('the daemon does not answer').waitFor(SOON);
    await page.locator('#freshness[data-state=stale]').waitFor(SOON);
    expect(await page.locator('#left-number').textContent()).toBe('8');
    await page.context().setOffline(false);
    await page.locator('#freshness[data-state=fresh]').waitFor(SOON);
    expect(await page.locator('#trouble').isVisible()).toBe(false);
  });
});

describe('a reader who has not chosen a service', () => {
  it('sees the worst one, and is not taken away from it when another one becomes the worst', async () => {
    const minute = Math.floor(START_MS / MINUTE_MS);
    // Whole windows of the past: the worse one lost two, the other one.
    const past = (service: string, lost: number): Past => ({
      service,
      fromMinute: minute - 60,
      toMinute: minute,
      minute: (at) => ({
        attempts: 100,
        failures: { provider: at < minute - 60 + 3 + 5 * (lost - 1) ? 50 : 0 },
      }),
    });
    const daemon = await daemonAt({ nowMs: START_MS }, [past('alpha', 1), past('beta', 2)]);
    const { page, complaints } = await pageOf(daemon);
    await page.getByRole('heading', { name: 'beta', exact: true }).waitFor(SOON);
    const names = page.locator('#services-list .name');
    expect(await names.allTextContents()).toEqual(['beta', 'alpha']);
    const excluded = await daemon.write('POST', '/api/v1/exclusions', {
      service: 'beta',
      from: new Date((minute - 61) * MINUTE_MS).toISOString(),
      to: new Date((minute - 40) * MINUTE_MS).toISOString(),
      clause: '4.12',
      author: 'Lin',
      reason: 'force majeure',
    });
    expect(excluded.status).toBe(201);
    await page.locator('#left-number').getByText('8', { exact: true }).waitFor(SOON);
    await waitFor('the list', async () => (await names.allTextContents()).join() === 'alpha,beta', {
      withinMs: 60_000,
    });
    expect(await page.locator('#service-name').textContent()).toBe('beta');
    expect(complaints).toEqual([]);
  });
});

describe('text from elsewhere', () => {
  it('stays text: regions, codes, reasons, authors, addresses', async () => {
    const clock = { nowMs: START_MS };
    const daemon = await daemonAt(clock);
    const agent = await agentOf(daemon);
    const minute = Math.floor(clock.nowMs / MINUTE_MS);
    const hostile = { region: HOSTILE, platform: HOSTILE, code: HOSTILE, minute, n: 500 };
    agent.send(agent.batch(1, { minute, cells: [cell({ minute, n: 500 }), failedCell(hostile)] }));
    await agent.acknowledged(1);
    const entered = await daemon.write('POST', '/api/v1/exclusions', {
      service: 'acme',
      from: '2026-11-20T00:00:00+08:00',
      to: '2026-11-20T01:00:00+08:00',
      clause: '4.1',
      author: HOSTILE,
      reason: `${HOSTILE}<script>document.title='owned'</script>`,
    });
    expect(entered.status).toBe(201);
    const { page, complaints } = await pageOf(daemon);
    await page.locator('.alerts li', { hasText: 'entry-failing' }).waitFor(SOON);
    await page.locator('#exclusions').getByText(`4.1: ${HOSTILE}<script>`).waitFor(SOON);
    await page.locator('#grid').focus();
    await page.keyboard.press('Enter');
    await page.locator('#explain h2').waitFor();
    expect(await page.locator('body img').count()).toBe(1);
    expect(await page.locator('body script').count()).toBe(0);
    await page.goto(`${daemon.url}/#/${encodeURIComponent(HOSTILE)}`);
    await page.getByText(`Nothing to show of ${HOSTILE}`).waitFor(SOON);
    expect(await page.locator('body img').count()).toBe(1);
    expect(await page.title()).not.toBe('owned');
    expect(complaints).toEqual([]);
  });
});

describe('the first moments', () => {
  it('tell how to connect an agent when there is no service', async () => {
    const daemon = await daemonAt({ nowMs: START_MS });
    const { page, complaints } = await pageOf(daemon);
    await page.getByRole('heading', { name: 'No service yet' }).waitFor();
    expect(await page.locator('pre').first().textContent()).toContain(
      `roomwatch-agent --server ws://127.0.0.1:${daemon.daemon.port} `,
    );
    const agent = await agentOf(daemon);
    const minute = Math.floor(START_MS / MINUTE_MS);
    agent.send(agent.batch(1, { minute, cells: [cell({ minute, n: 10 })] }));
    await agent.acknowledged(1);
    await page.getByRole('heading', { name: 'acme' }).waitFor(SOON);
    expect(await page.locator('#welcome').isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });

  it('ask for a token where the daemon is open to others', async () => {
    const minute = Math.floor(START_MS / MINUTE_MS);
    const past = {
      service: 'acme',
      fromMinute: minute - 30,
      toMinute: minute,
      minute: () => ({ attempts: 50 }),
    };
    const daemon = await daemonAt({ nowMs: START_MS }, [past], { listen: { host: '0.0.0.0', port: 0 } });
    const url = `http://127.0.0.1:${daemon.daemon.port}`;
    const watched = await openPage(browser, url);
    undo.push(() => watched.close());
    const { page, complaints } = watched;
    await page.goto(url);
    const dialog = page.locator('#token-dialog');
    await dialog.waitFor(SOON);
    await page.keyboard.press('Escape');
    // Put aside, it does not come back by itself; the page keeps asking, and says why it shows nothing.
    await page.waitForResponse(
      (response) => response.url().endsWith('/services') && response.status() === 401,
    );
    expect(await dialog.isVisible()).toBe(false);
    await page.locator('#token-button').click();
    await dialog.locator('input').fill('not-the-token-of-anybody');
    await dialog.getByRole('button', { name: 'Use it' }).click();
    await page.locator('#trouble').getByText('the token is not known here').waitFor(SOON);
    await dialog.locator('input').fill(READER_TOKEN);
    await dialog.getByRole('button', { name: 'Use it' }).click();
    await page.locator('#left-number').getByText('8', { exact: true }).waitFor(SOON);
    expect(await page.locator('#token-button').textContent()).toBe('Token set');
    const waiting = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Statement as csv' }).click();
    expect((await waiting).suggestedFilename()).toBe('roomwatch-acme-2026-11.csv');
    await page.locator('#token-button').click();
    await dialog.getByRole('button', { name: 'Forget it' }).click();
    await page.locator('#trouble').getByText('Authorization: Bearer').waitFor(SOON);
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(complaints).toEqual([]);
  });
});
