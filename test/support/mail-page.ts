import type { Browser, Page } from 'playwright-core';
import type { ReceivedMail } from './mail-sink.ts';

/** A mail's HTML part as a reader shows it, its inline pictures in place; nothing is loaded from anywhere. */
export async function openMail(
  browser: Browser,
  { mail }: ReceivedMail,
  look: { readonly width: number; readonly scheme: 'light' | 'dark' },
): Promise<Page> {
  const html = mail.html || '';
  const shown = html.replace(/cid:([^"]+)/g, (_, id: string) => {
    const picture = mail.attachments.find(({ cid }) => cid === id);
    if (picture === undefined) throw new Error(`the mail shows ${id} and does not carry it`);
    return `data:${picture.contentType};base64,${picture.content.toString('base64')}`;
  });
  const page = await browser.newPage({
    viewport: { width: look.width, height: 400 },
    colorScheme: look.scheme,
  });
  await page.route('**', (route) => route.abort());
  await page.setContent(shown);
  return page;
}
