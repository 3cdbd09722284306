import { FULL_ITEMS, type Item, pageUrl, render } from '../message.ts';
import { bothTimes } from '../times.ts';
import { display, firstLine, ifNothingChanges, plain, shares, statusOf, titleOf, windows } from '../words.ts';
import { postJson } from './http.ts';
import type { Links } from './labels.ts';
import { type Notifier, refused, SENT } from './notifier.ts';
import { redactor, secretsIn } from './redact.ts';

export interface SlackOptions extends Links {
  /** The incoming webhook's address: whoever has it may post, so it is a secret. */
  readonly url: string;
}

/** One message may name many services; beyond FULL_ITEMS they share a line. */
const ALERTS_PER_POST = 500;
/** Slack's own limits: blocks of a message, characters of a header and of a section. */
const BLOCKS = 50;
const HEADER_CHARACTERS = 150;
const SECTION_CHARACTERS = 3_000;
/** Longer messages are refused or cut in practice, whatever the blocks' own limits allow. */
const MESSAGE_CHARACTERS = 11_000;
/** What a notification on a phone shows; the blocks tell the rest. */
const FALLBACK_CHARACTERS = 1_000;
/** Kept for the names of what does not fit. */
const REST_CHARACTERS = 1_500;

/** Posts to a Slack incoming webhook: 200 with `ok` is sent, 4xx is final, 429 waits as told. */
export function openSlack(options: SlackOptions): Notifier {
  const redact = redactor(secretsIn(options.url));
  return {
    alertsPerMessage: ALERTS_PER_POST,
    send(items, { nowMs, signal }) {
      const body = JSON.stringify(messageOf(items, options, nowMs));
      return postJson({ url: options.url, body, signal, nowMs, redact }, (status, answer) =>
        answer.trim() === 'ok' ? SENT : refused('rejected', redact(`${status} ${answer}, not "ok"`)),
      );
    },
    close() {},
  };
}

function messageOf(items: readonly Item[], links: Links, nowMs: number): object {
  const message = render(items, { ...links, nowMs, pictureCid: null });
  const blocks: object[] = [
    {
      type: 'header',
      text: { type: 'plain_text', text: cut(message.subject, HEADER_CHARACTERS), emoji: false },
    },
  ];
  let characters = message.subject.length;
  let told = 0;
  // One block is kept for what does not fit.
  for (const item of items.slice(0, FULL_ITEMS)) {
    const text = cut(sectionOf(item, links, nowMs), SECTION_CHARACTERS);
    if (blocks.length >= BLOCKS - 1 || characters + text.length > MESSAGE_CHARACTERS - REST_CHARACTERS) break;
    blocks.push({ type: 'section', text: { type: 'mrkdwn', text } });
    characters += text.length;
    told += 1;
  }
  if (told < items.length) {
    const names = [...new Set(items.slice(told).map(({ alert }) => plain(alert.service)))].join(', ');
    const text = cut(`And ${items.length - told} more: ${escapeSlack(names)}`, REST_CHARACTERS);
    blocks.push({ type: 'section', text: { type: 'mrkdwn', text } });
  }
  const text = cut(escapeSlack(`${message.subject}. ${message.firstLine}`), FALLBACK_CHARACTERS);
  return { text, blocks };
}

function sectionOf({ alert, wasUndelivered, insteadOf }: Item, links: Links, nowMs: number): string {
  const { figures, where } = alert;
  const first = firstLine(alert, nowMs);
  const countdown = alert.kind === 'resolved' ? null : ifNothingChanges(alert, nowMs);
  const lines = [
    `*${escapeSlack(first)}*`,
    escapeSlack(`[${statusOf(alert, wasUndelivered)}] ${plain(alert.service)}: ${titleOf(alert)}`),
    countdown !== null && countdown !== first ? escapeSlack(countdown) : '',
    figures
      ? escapeSlack(
          `Lost ${windows(figures.lost)} of ${figures.allowed} allowed in ${figures.month}, ${windows(figures.left)} left; availability at most ${display(figures)}.`,
        )
      : '',
    where && where.failures > 0
      ? escapeSlack(
          `Where: ${[where.regions, where.platforms, where.codes].map((list) => shares(list, where.failures)).join('; ')}`,
        )
      : '',
    `Since ${escapeSlack(bothTimes(alert.sinceMs, alert.timeZone))}.`,
    insteadOf === null ? '' : escapeSlack(`Instead of ${plain(insteadOf)}, which refused this message.`),
    links.externalUrl ? `<${escapeSlack(pageUrl(links.externalUrl, alert))}|The month on the page>` : '',
    links.runbookUrl ? `<${escapeSlack(links.runbookUrl)}|Runbook>` : '',
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** The three characters that Slack reads as markup of its own; `<!channel>` in a label must not wake everybody. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Cuts without leaving half of an entity such as `&amp;` behind. */
function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return `${text.slice(0, characters - 3).replace(/&[a-z]{0,4}$/, '')}...`;
}
