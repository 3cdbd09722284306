import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Alert } from '../../alerts/alert.ts';
import { openEmail } from '../../alerts/notify/email.ts';
import { launchBrowser } from '../support/browser.ts';
import { openMail } from '../support/mail-page.ts';
import { type MailSink, type ReceivedMail, startMailSink } from '../support/mail-sink.ts';
import { alertOf } from './samples.ts';

let browser: Browser;
let sink: MailSink;
beforeAll(async () => {
  browser = await launchBrowser();
  sink = await startMailSink();
});
afterAll(async () => {
  await browser?.close();
  await sink?.stop();
});

/** As it comes out of the SMTP server. */
async function received(alerts: readonly Partial<Alert>[]): Promise<ReceivedMail> {
  const notifier = openEmail({
    ...{ host: '127.0.0.1', port: sink.port, tls: 'none', ca: '', user: '', password: '' },
    ...{ from: 'roomwatch@example.org', to: ['ops@example.org'], recipient: 'ops@example.org' },
    ...{
      subject: 'status',
      externalUrl: 'https://roomwatch.example.org',
      runbookUrl: 'https://wiki.example.org',
    },
  });
  const items = alerts.map((parts) => ({ alert: alertOf(parts), wasUndelivered: false, insteadOf: null }));
  const nowMs = Date.parse('2026-11-23T06:23:04Z');
  const outcome = await notifier.send(items, { nowMs, signal: AbortSignal.timeout(10_000) });
  notifier.close();
  expect(outcome).toEqual({ status: 'sent' });
  return sink.mails.at(-1)!;
}

const resolvedAtMs = Date.parse('2026-11-23T06:22:00Z');
const MAILS: Readonly<Record<string, readonly Partial<Alert>[]>> = {
  'a critical one': [{}],
  'a warning': [
    { step: 'near', severity: 'warning', line: '99.9', month: '2026-11', entry: null, fall: null },
  ],
  'a notice of a service with a long name': [{ step: 'claim', severity: 'notice', service: 'x'.repeat(64) }],
  'a resolve': [{ kind: 'resolved', resolvedAtMs, resolvedBecause: 'cleared' }],
  'many at once': Array.from({ length: 25 }, (_, i) => ({
    key: `s${i}:-:entry-failing:-:1`,
    service: `s${i}`,
  })),
};

interface Look {
  /** Of each text to what is painted behind it (WCAG 2, 1.4.3). */
  readonly contrasts: readonly { readonly text: string; readonly contrast: number }[];
  /** Pixels by which the page is wider than its view. */
  readonly beyondView: number;
  /** Whether each picture is there. */
  readonly pictures: readonly boolean[];
  /** Luminance of the page. */
  readonly paper: number;
}

const LOOK = `(() => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paperOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (channels(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.body.querySelectorAll('*')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  const contrasts = texts.map((element) => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(paperOf(element))];
    return {
      text: element.textContent.slice(0, 40),
      contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    };
  });
  const { scrollWidth, clientWidth } = document.documentElement;
  const pictures = [...document.images].map((image) => image.complete && image.naturalWidth > 0);
  return { contrasts, beyondView: scrollWidth - clientWidth, pictures, paper: luminance(paperOf(document.body)) };
})()`;

describe.each(Object.entries(MAILS))('a mail in a reader: %s', (_, alerts) => {
  it('can be read on a wide screen and on a phone, in light and in dark', { timeout: 60_000 }, async () => {
    const mail = await received(alerts);
    for (const scheme of ['light', 'dark'] as const) {
      for (const width of [680, 360]) {
        const page = await openMail(browser, mail, { width, scheme });
        const { contrasts, beyondView, pictures, paper } = (await page.evaluate(LOOK)) as Look;
        expect(contrasts.length).toBeGreaterThan(5);
        expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
        expect(beyondView).toBeLessThanOrEqual(0);
        expect(pictures).toEqual(alerts.length === 1 ? [true] : []);
        expect(paper < 0.1).toBe(scheme === 'dark');
        await page.close();
      }
    }
  });
});
