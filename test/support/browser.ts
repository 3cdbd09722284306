import { accessSync, constants } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @throws when there is no Chromium, with what to install */
export function launchBrowser(): Promise<Browser> {
  try {
    accessSync(CHROMIUM, constants.X_OK);
  } catch {
    throw new Error(`no ${CHROMIUM}: install chromium (Debian: apt-get install chromium)`);
  }
  return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}

/** What a page said that it should not have: uncaught errors, errors on the console, requests elsewhere. */
export interface Watched {
  readonly page: Page;
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/**
 * A page of its own context (no cookies, no storage), watched for trouble.
 * @param origin  requests to any other one are complaints
 */
export async function openPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext(options);
  // The machine may be busy with other tests.
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    // A refused request is logged by the browser itself; whether it may be refused is the test's business.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('blob:')) {
      complaints.push(`request to ${request.url()}`);
    }
  });
  return { page, complaints, close: () => context.close() };
}
