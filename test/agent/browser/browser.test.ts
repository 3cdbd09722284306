import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, type RunningAgent, startAgent } from '../../../agent/app.ts';
import { launchBrowser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Peer, startPeer } from '../peer.ts';
import { PoisonedDisk } from '../spool/poisoned-disk.ts';
import { temporaryFolder } from '../spool/spool-folder.ts';
import { startPageServer } from './page-server.ts';

let pages: Awaited<ReturnType<typeof startPageServer>>;
let browser: Browser;
let folder: string;
let peer: Peer;
let port: number;
let agent: RunningAgent | undefined;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  [pages, browser] = await Promise.all([startPageServer(), launchBrowser()]);
}, 60_000);
afterAll(async () => {
  await browser.close();
  await pages.stop();
});

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  port = await freePort();
  context = await browser.newContext();
  page = await context.newPage();
  await page.goto(`http://127.0.0.1:${pages.port}/`);
});
afterEach(async () => {
  await context.close();
  await stop();
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<AgentOptions> = {}): Promise<void> {
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port },
    origins: [`http://127.0.0.1:${pages.port}`],
    ...options,
  });
}

async function stop(): Promise<void> {
  await agent?.stop(100);
  agent = undefined;
}

/** Runs a scenario of page/scenarios.ts, which is compiled with a browser's types. */
function run<T>(name: string, ...args: readonly unknown[]): Promise<T> {
  return page.evaluate(`scenarios.${name}(...${JSON.stringify(args)})`);
}

interface State {
  readonly waiting: number;
  readonly dropped: Record<string, number>;
  readonly drops: readonly unknown[];
}

const open = (options: object = {}) =>
  run('open', { url: `http://127.0.0.1:${port}/v1/outcomes`, region: 'eu', ...options });

/** What the daemon has counted, as 'result cause code' with the number. */
function counted(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const frame of [...peer.books.values()].flat()) {
    if (frame.type !== 'batch') continue;
    for (const { platform, result, cause, code, n } of frame.cells) {
      const name = [platform, result, cause, code].filter((part) => part !== '').join(' ');
      counts[name] = (counts[name] ?? 0) + n;
    }
  }
  return counts;
}

const isCounted = (what: Record<string, number>) =>
  waitFor(
    JSON.stringify(what),
    async () => {
      // Not only once a second, for which twenty tests would wait.
      await agent?.spool.seal();
      expect(counted()).toEqual(what);
      return true;
    },
    { withinMs: 20_000 },
  );

describe('entries of TRTC', () => {
  it('are counted with the cause of each error, and the application sees what it saw before', async () => {
    await start();
    await open();
    const origin = (code: number, extraCode: number, message: string) => ({ code, extraCode, message });
    const seen = await run<{ seen: string[]; entered: number }>('enterTrtc', [
      null,
      { code: 5400, extraCode: -10015 },
      { code: 5400, extraCode: 0, message: 'join room timeout.' },
      { code: 5500, originError: origin(16385, -10015, 'SignalChannel setup failure') },
      { code: 5500, originError: origin(16460, 0, 'Failed to join room - schedule failed: x code: -100013') },
      { code: 5500, message: 'refused, code: 70001', originError: origin(16385, 0, 'setup failure') },
      { code: 5500, originError: origin(16460, 0, 'Failed to join room - schedule failed code: 0') },
      { code: 5500, originError: origin(16459, 0, 'timeout') },
      { code: 5500 },
      { code: 5998 },
      { code: 5200, extraCode: 5202 },
    ]);
    expect(seen.seen).toEqual([
      'entered',
      'SERVER_ERROR 5400',
      'SERVER_ERROR 5400',
      ...Array(6).fill('OPERATION_FAILED 5500'),
      'OPERATION_ABORT 5998',
      'ENV_NOT_SUPPORTED 5200',
    ]);
    // Once watched and once after the watching ended.
    expect(seen.entered).toBe(2);
    expect(await run('flush')).toBe(true);
    await isCounted({
      'web-v5 ok': 1,
      'web-v5 failed provider 5400/-10015': 1,
      'web-v5 failed unknown 5400/0': 1,
      'web-v5 failed provider 5500/-10015': 1,
      'web-v5 failed customer 5500/-100013': 1,
      'web-v5 failed customer 5500/70001': 1,
      'web-v5 failed unknown 5500/16460': 1,
      'web-v5 failed unknown 5500/16459': 1,
      'web-v5 failed unknown 5500': 1,
      'web-v5 failed customer 5998': 1,
      'web-v5 failed network 5200/5202': 1,
    });
    expect(await run('state')).toMatchObject({ waiting: 0, drops: [] });
  });

  it('are not what the error event tells of later: 5501 and 5502', async () => {
    await start();
    await open();
    expect(await run('failAfterEntry')).toEqual(['OPERATION_FAILED 5500', 'OPERATION_FAILED 5500']);
    await run('flush');
    await isCounted({ 'web-v5 ok': 1 });
  });

  it('include the one that a switch of rooms makes where the server cannot switch', async () => {
    await start();
    await open();
    await run('switchRoom');
    await run('flush');
    await isCounted({ 'web-v5 ok': 2 });
  });

  it('count once, also when a watching was ended twice', async () => {
    await start();
    await open();
    await run('endTwice');
    await run('flush');
    await isCounted({ 'web-v5 ok': 1 });
  });

  it('leave a rejection uncaught that the application does not catch', async () => {
    await start();
    await open();
    expect(await run('failUncaught')).toBe('SERVER_ERROR 5400');
    await run('flush');
    await isCounted({ 'web-v5 failed provider 5400/-10015': 1 });
  });
});

describe('entries of TRTC’s own SDK', () => {
  const dispatch = (answer: (route: Route) => Promise<void>) =>
    // Nothing leaves this machine.
    page.route(({ hostname }) => hostname !== '127.0.0.1', answer);

  it('count with what its server answered, which the SDK calls a 5500', async () => {
    await start();
    await open();
    await dispatch((route) =>
      route.fulfill({
        headers: { 'Access-Control-Allow-Origin': '*' },
        json: { code: -100013, msg: 'arrears' },
      }),
    );
    expect(await run('enterRealTrtc')).toBe('OPERATION_FAILED 5500');
    await run('flush');
    await isCounted({ 'web-v5 failed customer 5500/-100013': 1 });
  });

  it('count with the step that failed when no server answers', async () => {
    await start();
    await open();
    await dispatch((route) => route.abort());
    expect(await run('enterRealTrtc')).toBe('OPERATION_FAILED 5500');
    await run('flush');
    await isCounted({ 'web-v5 failed unknown 5500/16460': 1 });
  });
});

describe('connections of LiveKit', () => {
  it('count once for a room, however often it is connected', async () => {
    await start();
    await open();
    // And nothing of ours stays with it.
    expect(await run('connectLiveKit')).toEqual(['connected', 0]);
    await run('flush');
    await isCounted({ 'livekit ok': 1 });
  });

  it('count each when the application does not wait for the end of the one before', async () => {
    await start();
    await open();
    const connected = Array(4).fill('connected');
    expect(await run('changeLiveKitRooms')).toEqual(['ConnectionError 1', ...connected]);
    await run('flush');
    await isCounted({ 'livekit ok': 4, 'livekit failed customer 3': 1 });
  });

  it('that its real client gave up for another count, too', async () => {
    await start();
    await open();
    const silent = createServer();
    const sockets: Duplex[] = [];
    silent.on('upgrade', (_, socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const silentUrl = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const closedUrl = `ws://127.0.0.1:${await freePort()}`;
    expect(await run('changeRealLiveKitServers', silentUrl, closedUrl)).toEqual(
      Array(3).fill('ConnectionError 1'),
    );
    for (const socket of sockets) socket.destroy();
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
    await run('flush');
    await waitFor('two failures', () => peer.totals().failed === 2);
    expect(counted()).toMatchObject({ 'livekit failed customer 3': 1 });
  });

  it('that its real client could not make count with their reason', async () => {
    await start();
    await open();
    const refusing = createServer((_, response) =>
      response.writeHead(401, { 'Access-Control-Allow-Origin': '*' }).end(),
    );
    refusing.on('upgrade', (_, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'));
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
    expect(await run('connectRealLiveKit', url)).toBe('ConnectionError 1');
    refusing.closeAllConnections();
    await new Promise((resolve) => refusing.close(resolve));
    expect(await run('connectRealLiveKit', url)).toBe('ConnectionError 1');
    await run('flush');
    await waitFor('two failures', () => peer.totals().failed === 2);
    expect(counted()).toMatchObject({ 'livekit failed customer 0/401': 1 });
    expect(Object.keys(counted()).filter((name) => name.startsWith('livekit failed unknown'))).toHaveLength(
      1,
    );
  });
});

describe('a closed beacon', () => {
  it('has delivered what it had, and lets calls through', async () => {
    await start();
    await open();
    expect(await run('enterAfterClose')).toEqual(['done', 2, 0]);
    await isCounted({ 'web-v5 ok': 1 });
  });
});

describe('any function', () => {
  it('is reported as its platform and reader say', async () => {
    await start();
    await open();
    expect(await run('watchAny')).toEqual(['a', 'no room']);
    await run('flush');
    await isCounted({ 'own ok': 1, 'own failed customer 42': 1 });
  });
});

describe('a page that ends', () => {
  it('leaves its outcomes to the browser, which delivers them', async () => {
    await start();
    await open({ intervalMs: 600_000 });
    await run('record', 3);
    // No page is left that could send it.
    await page.goto('about:blank');
    await isCounted({ 'web-v5 ok': 3 });
  });

  it('or is only hidden reports each once, and cleanly', async () => {
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    await start();
    await open({ intervalMs: 600_000 });
    await run('record', 3);
    await run('hide');
    await isCounted({ 'web-v5 ok': 3 });
    // The browser does not say what became of a beacon, so the page reports again when it may.
    expect(await run<State>('state')).toMatchObject({ waiting: 3 });
    expect(await run('flush')).toBe(true);
    await isCounted({ 'web-v5 ok': 3 });
    expect(agent?.metrics.render()).toContain('roomwatch_agent_outcomes_repeated_total 3\n');
    expect(complaints).toEqual([]);
  });

  it('does so when its tab is closed, too', async () => {
    await start();
    await open({ intervalMs: 600_000 });
    await run('record', 3);
    await page.close({ runBeforeUnload: true });
    await isCounted({ 'web-v5 ok': 3 });
  });

  it('and is loaded again while the agent is away has what waited', async () => {
    await open();
    await run('record', 2);
    expect(await run('flush')).toBe(false);
    await page.reload();
    await start();
    await open();
    expect((await run<State>('state')).waiting).toBe(2);
    expect(await run('flush')).toBe(true);
    await isCounted({ 'web-v5 ok': 2 });
  });

  it('or sleeps reports once, however long that is', async () => {
    const accepted = () => Number(/accepted_total\{.*\} (\d+)/.exec(agent?.metrics.render() ?? '')?.[1] ?? 0);
    let sleptMs = 0;
    const clock = {
      nowMs: () => Date.now() + sleptMs,
      monotonicMs: () => performance.now() + sleptMs,
    };
    await start({ clock, correctsClock: false });
    await open({ intervalMs: 600_000 });
    await run('record', 3);
    await run('hide');
    await waitFor('the copies', () => accepted() === 3);
    sleptMs = 28 * 3_600_000;
    // With another's report the agent forgets the ids of the day before.
    const body = JSON.stringify({ result: 'ok', platform: 'other', id: 'x' });
    await fetch(`http://127.0.0.1:${port}/v1/outcomes`, { method: 'POST', body });
    await run('passTime', sleptMs);
    expect(await run('flush')).toBe(true);
    expect(accepted()).toBe(4);
  });

  it('and is loaded again after hours does not repeat what the browser took', async () => {
    await start();
    await open({ intervalMs: 600_000 });
    await run('record', 3);
    await run('hide');
    await isCounted({ 'web-v5 ok': 3 });
    await page.reload();
    await run('passTime', 3_600_000);
    await open();
    expect((await run<State>('state')).waiting).toBe(3);
    expect(await run('flush')).toBe(true);
    expect(/repeated_total (\d+)/.exec(agent?.metrics.render() ?? '')?.[1] ?? '0').toBe('0');
  });

  it('without a word, as a tab that is discarded, leaves nothing behind that was acknowledged', async () => {
    await start();
    await open({ intervalMs: 600_000 });
    await run('refuseBeacons');
    await run('record', 3);
    await run('hide');
    expect(await run('stored')).toBe(1);
    expect(await run('flush')).toBe(true);
    expect(await run('stored')).toBe(0);
  });

  it('and has several beacons gives each back its own', async () => {
    await open();
    await run('record', 2);
    await open({ app: 'other' });
    await run('record', 3);
    await page.reload();
    await start();
    await open();
    expect((await run<State>('state')).waiting).toBe(2);
    await open({ app: 'other' });
    expect((await run<State>('state')).waiting).toBe(3);
  });
});

describe('an agent that is away', () => {
  it('gets everything once when it is back, also what it took without the page hearing of it', async () => {
    await start();
    await open({ intervalMs: 50 });
    let hasTaken = false;
    // The agent takes the report; its answer is lost on the way.
    await page.route('**/v1/outcomes*', async (route) => {
      await route.fetch();
      hasTaken = true;
      await route.abort();
    });
    await run('record', 2);
    await waitFor('a report', () => hasTaken);
    expect(await run<State>('state')).toMatchObject({ waiting: 2 });
    await page.unrouteAll({ behavior: 'wait' });
    await isCounted({ 'web-v5 ok': 2 });
    await stop();
    await run('record', 3);
    expect(await run('flush')).toBe(false);
    await start();
    await waitFor('an empty buffer', async () => (await run<State>('state')).waiting === 0, {
      withinMs: 20_000,
    });
    await isCounted({ 'web-v5 ok': 5 });
  });

  it('whose disk is full gets the report when it asked for it, and no sooner', async () => {
    const disk = new PoisonedDisk('poison');
    disk.failures = 2;
    await start({ disk });
    await open({ intervalMs: 50 });
    const sentAtMs: number[] = [];
    page.on('request', () => sentAtMs.push(performance.now()));
    await run('record', 1, { platform: 'poison' });
    await isCounted({ 'poison ok': 1 });
    expect(sentAtMs).toHaveLength(2);
    // Retry-After: 5, which a page of another origin can read.
    expect((sentAtMs[1] ?? 0) - (sentAtMs[0] ?? 0)).toBeGreaterThan(4_900);
  });

  it('costs the newest outcomes when the buffer is full, and the network’s return is noticed', async () => {
    await start();
    await open({ bufferMax: 3 });
    await context.setOffline(true);
    await run('record', 5);
    expect(await run('flush')).toBe(false);
    expect(await run('state')).toMatchObject({ waiting: 3, dropped: { 'buffer-full': 2 } });
    await context.setOffline(false);
    await isCounted({ 'web-v5 ok': 3 });
  });
});

describe('the agent', () => {
  it('refuses the pages of another origin', async () => {
    await start();
    await page.goto(`http://localhost:${pages.port}/`);
    await open();
    await run('record', 1);
    expect(await run('flush')).toBe(false);
    expect(await run('state')).toMatchObject({ waiting: 1 });
    expect(counted()).toEqual({});
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).not.toContain('accepted_total{');
  });

  it('says which records it refuses, and the page drops them', async () => {
    await start();
    await open();
    await run('record', 1, { region: 'x'.repeat(65) });
    await run('record', 1);
    expect(await run('flush')).toBe(true);
    const { drops } = await run<State>('state');
    expect(drops).toEqual([
      { reason: 'refused', count: 1, message: expect.stringContaining('64 characters') },
    ]);
    await isCounted({ 'web-v5 ok': 1 });
  });

  it('books an entry in the minute in which it began, whatever the browser’s clock says', async () => {
    await start();
    await page.addInitScript('{ const now = Date.now; Date.now = () => now() - 5 * 3_600_000; }');
    await page.reload();
    await open();
    const startedAtMs = Date.now();
    await run('enterTrtc', [null], 300);
    await run('flush');
    await isCounted({ 'web-v5 ok': 1 });
    const [cell] = [...peer.books.values()]
      .flat()
      .flatMap((frame) => (frame.type === 'batch' ? frame.cells : []));
    const minute = Math.floor(startedAtMs / 60_000);
    expect([minute, minute + 1]).toContain(cell?.minute);
  });
});

describe('a mistake', () => {
  it('is told to the window and harms neither the application nor the other outcomes', async () => {
    await start();
    await open();
    const { told, results, dropped, own } = await run<{
      told: string[];
      results: string[];
      dropped: Record<string, number>;
      own: Record<string, number>;
    }>('misuse');
    expect(results).toEqual(['done', 'done', 'done', 'connected']);
    expect(told[0]).toContain('BEACON_OPTION_INVALID: bufferMax is 0; write');
    expect(told[0]).toContain('url is ftp:// no; write');
    expect(told.slice(1, 3)).toEqual(Array(2).fill(expect.stringContaining('url is undefined; write')));
    expect(told).toHaveLength(8);
    expect(dropped.closed).toBe(1);
    expect(own.invalid).toBe(1);
    await run('flush');
    await isCounted({ ok: 2 });
  });
});
