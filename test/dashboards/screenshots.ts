import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.ts';
import { AGENT_TOKEN, bootDaemon } from '../support/daemon.ts';
import { openMail } from '../support/mail-page.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Past, writeBooks } from './books.ts';
import { fleetPasts } from './scene.ts';

/**
 * Pictures of the page for people and of a mail, from a real daemon with a made-up month, into dashboards/pictures/.
 * Usage: npm run screenshots [-- NAME...], from the top of the checkout; by default all of them.
 */
const NOW_MS = Date.parse('2026-11-23T20:42:30+08:00');
const FOLDER = join('dashboards', 'pictures');

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  readonly arrange?: (page: Page) => Promise<void>;
}

const explained = async (page: Page) => {
  await page.locator('.incidents button').first().click();
  await page.locator('#explain h2').waitFor();
};
const SHOTS: readonly Shot[] = [
  { name: 'month-light', path: '#/classroom', width: 1280, height: 1120, scheme: 'light' },
  {
    name: 'explained-dark',
    path: '#/classroom',
    width: 1280,
    height: 1120,
    scheme: 'dark',
    arrange: explained,
  },
  { name: 'missed-light', path: '#/live-shopping', width: 1280, height: 1120, scheme: 'light' },
  // A month with a clock change: the last Sunday of March has 23 hours.
  {
    name: 'clock-change-light',
    path: '#/helpdesk-berlin/2026-03',
    width: 1280,
    height: 1120,
    scheme: 'light',
  },
  { name: 'phone-light', path: '#/telehealth', width: 390, height: 1180, scheme: 'light' },
  { name: 'phone-dark', path: '#/voice-rooms', width: 390, height: 1180, scheme: 'dark' },
];

/** The mail about failing entries, as an SMTP server received it. */
const MAILS = [
  { name: 'mail-light', width: 680, scheme: 'light' },
  { name: 'mail-dark', width: 680, scheme: 'dark' },
] as const;

const wanted = process.argv.slice(2);
const isWanted = ({ name }: { readonly name: string }) => wanted.length === 0 || wanted.includes(name);
const names = [...SHOTS, ...MAILS].map(({ name }) => name);
const unknown = wanted.find((name) => !names.includes(name as (typeof names)[number]));
if (unknown !== undefined) throw new Error(`no picture is called ${unknown}; there are ${names.join(', ')}`);

const folder = await mkdtemp(join(tmpdir(), 'roomwatch-screenshots-'));
await writeBooks(join(folder, 'books'), [...fleetPasts(NOW_MS), ...march()]);
const sink = await startMailSink();
const daemon = await bootDaemon({
  folder,
  nowMs: () => NOW_MS,
  config: {
    terms: { preset: 'trtc', monthlyFee: { amount: '12400.00', currency: 'USD' } },
    services: { 'helpdesk-berlin': { terms: { preset: 'trtc', timeZone: 'Europe/Berlin' } } },
    alerting: {
      groupWaitMs: 0,
      externalUrl: 'https://roomwatch.example.org',
      runbookUrl: 'https://wiki.example.org/rtc-outage',
      receivers: [
        {
          ...{ name: 'on-call', type: 'email', host: '127.0.0.1', port: sink.port, tls: 'none' },
          ...{ from: 'roomwatch@example.org', to: ['on-call@example.org'] },
          ...{ services: ['classroom'], steps: ['entry-failing'] },
        },
      ],
    },
  },
});
try {
  await daemon.write('POST', '/api/v1/exclusions', {
    service: 'classroom',
    from: '2026-11-19T20:00:00+08:00',
    to: '2026-11-19T20:05:00+08:00',
    clause: '4.10',
    author: 'Lin',
    reason: 'announced cutover of the media gateway',
    noticeAt: '2026-11-12T09:00:00+08:00',
  });
  await mkdir(FOLDER, { recursive: true });
  const browser = await launchBrowser();
  for (const shot of SHOTS.filter(isWanted)) await take(browser, shot);
  // Last, for a failing entry is seen on the page, too.
  const mails = MAILS.filter(isWanted);
  if (mails.length > 0) await failEntries();
  for (const { name, ...look } of mails) {
    const mail = await waitFor('the mail', () => sink.mails[0]);
    const page = await openMail(browser, mail, look);
    await writeFile(join(FOLDER, `${name}.png`), await page.screenshot({ fullPage: true }));
    await page.close();
  }
  await browser.close();
} finally {
  await daemon.stop();
  await sink.stop();
  await rm(folder, { recursive: true, force: true });
}

/** March of a service whose contract has a clock with daylight saving. */
function march(): Past[] {
  const [past] = fleetPasts(Date.parse('2026-03-31T15:55:00Z')).filter(
    ({ service }) => service === 'karaoke',
  );
  if (past === undefined) throw new Error('the scene has no karaoke');
  return [{ ...past, service: 'helpdesk-berlin' }];
}

/** Most entries of the minute in progress fail, in one region more than in the others. */
async function failEntries(): Promise<void> {
  const service = 'classroom';
  const minute = Math.floor(NOW_MS / 60_000);
  const { agent } = await RawAgent.greet(daemon.daemon.port, { services: [service] }, AGENT_TOKEN);
  const cells = [
    cell({ service, minute, n: 120 }),
    failedCell({ service, minute, n: 168, region: 'ap-guangzhou', cause: 'unknown' }),
    failedCell({ service, minute, n: 31, region: 'ap-singapore', platform: 'native', code: '-3301' }),
  ];
  agent.send(agent.batch(1, { minute, cells, alive: [service] }));
  await agent.acknowledged(1);
  await agent.end();
}

async function take(browser: Browser, { name, path, width, height, scheme, arrange }: Shot): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  await page.goto(`${daemon.url}/${path}`);
  await page.locator('#grid[aria-busy=false]').waitFor();
  await arrange?.(page);
  await writeFile(join(FOLDER, `${name}.png`), await page.screenshot());
  await page.close();
}
