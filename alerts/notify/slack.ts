import { factsOf } from '../facts.ts';
import { FULL_ITEMS, type Item, type RenderOptions, render } from '../message.ts';
import { countdown, firstLine, headline, plain } from '../words.ts';
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
  const options: RenderOptions = { ...links, nowMs, pictureCid: null };
  const message = render(items, options);
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
    const text = cut(sectionOf(item, options), SECTION_CHARACTERS);
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

function sectionOf(item: Item, options: RenderOptions): string {
  const { alert, wasUndelivered } = item;
  const rows = factsOf(item, options).map(({ name, value, isLink }) =>
    isLink ? `<${escapeSlack(value)}|${name}>` : `_${name}_ ${escapeSlack(value)}`,
  );
  return [
    `*${escapeSlack(firstLine(alert, options.nowMs))}*`,
    escapeSlack(headline(alert, wasUndelivered)),
    ...countdown(alert, options.nowMs).map(escapeSlack),
    ...rows,
  ].join('\n');
}

/** The three characters that Slack reads as markup of its own; `<!channel>` in a label must not wake everybody. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Cuts without leaving half of an entity such as `&amp;` behind. */
function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return `${text.slice(0, characters - 3).replace(/&[a-z]{0,4}$/, '')}...`;
}
