import type { RenderOptions, Section } from './message.ts';
import { countdown, firstLine, headline, OBSERVED } from './words.ts';

/** The HTML part of a message: inline styles alone, since mail readers drop everything else. */

const COLOURS: Readonly<Record<string, string>> = {
  critical: '#b42318',
  warning: '#b25e09',
  notice: '#175cd3',
  resolved: '#067647',
};

export function htmlOf(
  sections: readonly Section[],
  rest: readonly string[],
  options: RenderOptions,
): string {
  const body = sections.map(({ item, facts }) => {
    const { alert, wasUndelivered } = item;
    const colour = COLOURS[alert.kind === 'resolved' ? 'resolved' : alert.severity];
    const rows = facts.map(
      (fact) =>
        `<tr><td style="padding:2px 14px 2px 0;color:#667085;vertical-align:top">${escapeHtml(fact.name)}</td><td style="padding:2px 0">${fact.isLink ? link(fact.value) : escapeHtml(fact.value)}</td></tr>`,
    );
    return [
      `<div style="border-left:4px solid ${colour};padding:4px 0 4px 14px;margin:0 0 24px">`,
      `<p style="font-size:17px;font-weight:600;margin:0 0 6px">${escapeHtml(firstLine(alert, options.nowMs))}</p>`,
      `<p style="margin:0 0 10px;color:${colour}">${escapeHtml(headline(alert, wasUndelivered))}</p>`,
      ...countdown(alert, options.nowMs).map((line) => `<p style="margin:0 0 10px">${escapeHtml(line)}</p>`),
      `<table style="border-collapse:collapse;font-size:14px">${rows.join('')}</table>`,
      '</div>',
    ].join('\n');
  });
  const more = rest.map((line) => `<li>${escapeHtml(line)}</li>`);
  const picture = options.pictureCid
    ? `<p><img src="cid:${options.pictureCid}" alt="The month by day and hour; lost windows are marked" style="max-width:100%"></p>`
    : '';
  return [
    '<!doctype html><html><body style="font-family:system-ui,-apple-system,Segoe UI,sans-serif;color:#101828;max-width:720px">',
    ...body,
    ...(more.length > 0 ? [`<ul>${more.join('')}</ul>`] : []),
    picture,
    `<p style="color:#667085;font-size:12px">${escapeHtml(OBSERVED)}</p>`,
    '</body></html>',
  ].join('\n');
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
  return `<a href="${escapeHtml(url)}">${escapeHtml(url)}</a>`;
}
