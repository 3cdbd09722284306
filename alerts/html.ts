import type { RenderOptions, Section } from './message.ts';
import { PICTURE_WIDTH } from './picture.ts';
import { countdown, firstLine, headline, OBSERVED } from './words.ts';

/**
 * The HTML part of a message. What it needs is in inline styles, since many mail readers drop everything else; the
 * one style element only adds a dark scheme where it is understood. Each colour has a contrast of 4.5 or more to
 * its background, in both.
 */

const LIGHT = { paper: '#ffffff', ink: '#101828', dim: '#5d6880', link: '#175cd3' } as const;
const DARK = { paper: '#14181f', ink: '#e8ebf0', dim: '#9aa5b8', link: '#8ab8ff' } as const;

/** By severity, and of what has ended. */
const COLOURS = {
  critical: { light: '#b42318', dark: '#ff8f85' },
  warning: { light: '#a15408', dark: '#f5b056' },
  notice: { light: '#175cd3', dark: '#8ab8ff' },
  resolved: { light: '#067647', dark: '#5fd39a' },
} as const;

const DARK_STYLE = [
  ':root{color-scheme:light dark}',
  '@media (prefers-color-scheme:dark){',
  `.rw,.rw-body{background:${DARK.paper}!important;color:${DARK.ink}!important}`,
  `.rw-dim{color:${DARK.dim}!important}`,
  `.rw a{color:${DARK.link}!important}`,
  ...Object.entries(COLOURS).map(
    ([name, { dark }]) =>
      `.rw-${name}{color:${dark}!important}.rw-bar-${name}{border-color:${dark}!important}`,
  ),
  '}',
].join('');

const FONT = "system-ui,-apple-system,'Segoe UI',Roboto,sans-serif";

export function htmlOf(
  sections: readonly Section[],
  rest: readonly string[],
  options: RenderOptions,
): string {
  const body = sections.map(({ item, facts }) => {
    const { alert, wasUndelivered } = item;
    const tone = alert.kind === 'resolved' ? 'resolved' : alert.severity;
    const colour = COLOURS[tone].light;
    // A name stands over its value: beside it, a phone would leave the value a column of single words.
    const rows = facts.map(
      ({ name, value, isLink }) =>
        `<div class="rw-dim" style="color:${LIGHT.dim};font-size:12px;margin:10px 0 1px">${escapeHtml(name)}</div><div style="font-size:14px;line-height:1.45">${isLink ? link(value) : prose(value)}</div>`,
    );
    return [
      `<div class="rw-bar-${tone}" style="border-left:4px solid ${colour};padding:2px 0 2px 14px;margin:0 0 24px">`,
      `<p class="rw-${tone}" style="margin:0 0 6px;font-size:13px;font-weight:600;color:${colour}">${prose(headline(alert, wasUndelivered))}</p>`,
      `<p style="font-size:18px;line-height:1.35;font-weight:600;margin:0 0 8px">${prose(firstLine(alert, options.nowMs))}</p>`,
      ...countdown(alert, options.nowMs).map(
        (line) => `<p style="margin:0 0 8px;font-size:14px;line-height:1.45">${prose(line)}</p>`,
      ),
      ...rows,
      '</div>',
    ].join('\n');
  });
  const more = rest.map((line) => `<li style="margin:0 0 4px">${prose(line)}</li>`);
  // The picture is light in both schemes, so it brings its own paper.
  const picture = options.pictureCid
    ? [
        `<p class="rw-dim" style="color:${LIGHT.dim};font-size:12px;margin:0 0 6px">The month on the contract's clock: a row for each day, a cell for each hour. Lost windows of an hour: 1 or 2 orange, 3 to 6 red, more dark red.</p>`,
        `<div style="display:inline-block;box-sizing:border-box;max-width:100%;background:#ffffff;border:1px solid #d0d5dd;border-radius:6px;padding:8px;margin:0 0 16px"><img src="cid:${options.pictureCid}" width="${PICTURE_WIDTH}" alt="The month by day and hour; lost windows are marked" style="display:block;width:${PICTURE_WIDTH}px;max-width:100%;height:auto"></div>`,
      ].join('\n')
    : '';
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
    `<style>${DARK_STYLE}</style></head>`,
    `<body class="rw-body" style="margin:0;padding:0;background:${LIGHT.paper};color:${LIGHT.ink}">`,
    `<div class="rw" style="font-family:${FONT};background:${LIGHT.paper};color:${LIGHT.ink};max-width:640px;padding:20px;overflow-wrap:anywhere">`,
    ...body,
    ...(more.length > 0 ? [`<ul style="padding-left:20px;font-size:14px">${more.join('')}</ul>`] : []),
    picture,
    `<p class="rw-dim" style="color:${LIGHT.dim};font-size:12px;margin:0">${escapeHtml(OBSERVED)}</p>`,
    '</div></body></html>',
  ].join('\n');
}

/** A percent sign stays with its number. */
function prose(text: string): string {
  return escapeHtml(text).replaceAll(' %', '&nbsp;%');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function link(url: string): string {
  return `<a href="${escapeHtml(url)}" style="color:${LIGHT.link}">${escapeHtml(url)}</a>`;
}
