import { MINUTES_A_DAY } from '../../sla/instant.ts';
import type { Figure } from '../../sla/reading.ts';
import type { Statement } from '../../sla/statement.ts';
import { clockText, dayOf, windowText } from '../report/contract-time.ts';
import type { MonthView } from '../report/month-view.ts';
import { painter } from '../report/paint.ts';
import { countLines, figureDisplay, headline, warningLines } from '../report/sections.ts';
import { viewOfStatement } from './month-statement.ts';
import { OBSERVED_SENTENCE } from './text.ts';

/** The browser breaks the lines. */
const ON_PAPER = { columns: Number.POSITIVE_INFINITY, paint: painter(false) };

/** Markup that is safe to insert: made by `html` alone. */
class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
type Insert = string | number | Markup | readonly Markup[];

/** A template whose insertions are escaped unless they are markup themselves. */
function html(parts: TemplateStringsArray, ...inserts: readonly Insert[]): Markup {
  return new Markup(parts.reduce((text, part, index) => text + insertText(inserts[index - 1] ?? '') + part));
}

function insertText(insert: Insert): string {
  if (insert instanceof Markup) return insert.text;
  if (typeof insert === 'object') return insert.map(({ text }) => text).join('');
  return String(insert).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** One file without script or reference to anything outside: it can be mailed, archived and printed. */
export function statementHtml(statement: Statement, hash: string): string {
  const view = viewOfStatement(statement);
  const { service, figures, month } = view;
  const title = `${service} ${figures.month}: statement of observed availability`;
  const asOf = `${clockText(Date.parse(figures.asOf), month.timeZone)} (${month.timeZone})`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<h1>${service} <span>${figures.month}</span></h1>
<p>Statement of observed availability, as of ${asOf}</p>
<dl>${headline(view).map(({ label, text }) => html`<dt>${label}</dt><dd>${text}</dd>\n`)}</dl>
${[...countLines(view, ON_PAPER), ...warningLines(view, ON_PAPER)].map((line) => html`<p>${line}</p>\n`)}
${figureTable(view)}
${lineTable(view)}
<h2>The month</h2>
${mapTable(view)}
<p>Each cell is an hour of the contract’s clock and shows the worst of its windows:
<b class="down">#</b> lost, <b class="unmeasured">?</b> unmeasured, <b class="excluded">E</b> excluded,
<b class="idle">-</b> idle, <b class="up">.</b> up.</p>
<h2>Lost windows</h2>
${lostTable(view)}
<h2>Exclusions</h2>
${exclusionTable(statement, month.timeZone)}
<h2>Revisions</h2>
${revisionTable(view)}
<h2>Terms</h2>
<pre>${JSON.stringify(statement.terms, null, 2)}</pre>
<footer>
<p>${OBSERVED_SENTENCE}</p>
<p>Every window with its counts by cause is in the JSON and the CSV form of this statement; “roomwatch verify”
computes them again. SHA-256 of the statement: <code>${hash}</code></p>
</footer>
</body>
</html>
`;
  return page.text;
}

function figureTable({ figures, terms }: MonthView): Markup {
  const { windows } = figures.period;
  const row = (name: string, figure: Figure) =>
    html`<tr><td>${name}</td><td>${figure.lost}</td><td>${figureDisplay(figure, windows, terms)}</td></tr>\n`;
  const { providerOnly, providerAndUnknown, raw } = figures.figures;
  return html`<table><thead><tr><th>Counting failures of</th><th>Lost</th><th>Available</th></tr></thead><tbody>
${[
  row('the provider only', providerOnly),
  row('the provider and unknown causes', providerAndUnknown),
  row('every cause', raw),
]}</tbody></table>`;
}

function lineTable({ figures }: MonthView): Markup {
  const rows = figures.lines.map(
    ({ target, allowed, left, crossed, voucherPercent }) =>
      html`<tr><td>${target} %</td><td>${allowed}</td><td>${left}</td><td>${voucherPercent} %</td><td>${crossed ? 'crossed' : ''}</td></tr>\n`,
  );
  return html`<table><thead><tr><th>Line</th><th>May be lost</th><th>Left</th><th>Voucher</th><th></th></tr></thead><tbody>
${rows}</tbody></table>`;
}

/** The worst first, with the sign that stands for it also in black and white. */
const MARKS = [
  ['down', '#'],
  ['unmeasured', '?'],
  ['excluded', 'E'],
  ['idle', '-'],
  ['up', '.'],
  ['remaining', ''],
] as const;

function mapTable({ month, rows }: MonthView): Markup {
  const days = Math.ceil((month.windows * month.windowMinutes) / MINUTES_A_DAY);
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  const lines = Array.from({ length: days }, (_, day) => {
    const { date, weekday } = dayOf(month, day);
    const cells = hours.map((hour) => {
      const from = Math.floor((day * MINUTES_A_DAY + hour * 60) / month.windowMinutes);
      const to = Math.ceil((day * MINUTES_A_DAY + hour * 60 + 60) / month.windowMinutes);
      const found = rows.slice(from, to).map(({ verdict }) => verdict);
      const [verdict, sign] = MARKS.find(([one]) => found.includes(one)) ?? ['remaining', ''];
      const lost = found.filter((one) => one === 'down').length;
      const hint = `${date} ${String(hour).padStart(2, '0')}:00: ${lost > 0 ? `${lost} lost` : verdict}`;
      return html`<td class="${verdict}" title="${hint}">${sign}</td>`;
    });
    return html`<tr><th>${weekday} ${date}</th>${cells}</tr>\n`;
  });
  const heads = hours.map((hour) => html`<th>${String(hour).padStart(2, '0')}</th>`);
  return html`<div class="wide"><table class="map"><thead><tr><th></th>${heads}</tr></thead><tbody>
${lines}</tbody></table></div>`;
}

function lostTable({ month, rows }: MonthView): Markup {
  const lost = [...rows.entries()].filter(([, { verdict }]) => verdict === 'down');
  if (lost.length === 0) return html`<p>None.</p>`;
  const lines = lost.map(
    ([window, { counted, lowVolume, failures }]) =>
      html`<tr><td>${windowText(month, window)}</td><td>${counted.failures}</td><td>${counted.attempts}</td><td>${failures.provider}</td><td>${failures.unknown}</td><td>${failures.customer}</td><td>${failures.network}</td><td>${lowVolume ? 'low volume' : ''}</td></tr>\n`,
  );
  return html`<table><thead><tr><th>Window</th><th>Failed</th><th>Of</th><th>Provider</th><th>Unknown</th><th>Customer</th><th>Network</th><th></th></tr></thead><tbody>
${lines}</tbody></table>`;
}

function exclusionTable({ exclusions }: Statement, timeZone: string): Markup {
  if (exclusions.length === 0) return html`<p>None.</p>`;
  const clock = (instant: string | undefined) =>
    instant === undefined ? '' : clockText(Date.parse(instant), timeZone);
  const lines = exclusions.map((one) => {
    const withdrawn = one.withdrawn
      ? `${clock(one.withdrawn.at)} by ${one.withdrawn.by}: ${one.withdrawn.reason}`
      : '';
    return html`<tr><td>${one.clause ?? ''}</td><td>${clock(one.from)}</td><td>${clock(one.to)}</td><td>${one.author ?? ''}</td><td>${one.reason ?? ''}</td><td>${clock(one.noticeAt)}</td><td>${clock(one.enteredAt)}</td><td>${withdrawn}</td></tr>\n`;
  });
  return html`<div class="wide"><table class="said"><thead><tr><th>Clause</th><th>From</th><th>To</th><th>Author</th><th>Reason</th><th>Notice</th><th>Entered</th><th>Withdrawn</th></tr></thead><tbody>
${lines}</tbody></table></div>`;
}

function revisionTable({ figures, month }: MonthView): Markup {
  if (figures.revisions.length === 0) return html`<p>None.</p>`;
  const lines = figures.revisions.map(
    ({ start, lateAttempts }) =>
      html`<tr><td>${clockText(Date.parse(start), month.timeZone)}</td><td>${lateAttempts}</td></tr>\n`,
  );
  return html`<table><thead><tr><th>Window</th><th>Attempts after it had closed</th></tr></thead><tbody>
${lines}</tbody></table>`;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1 span{font-weight:400}h2{margin-top:2rem;font-size:1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:1.1rem}dt{font-weight:700;text-align:right}dd{margin:0}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,.said th,.said td{text-align:left}th:first-child,td:first-child{white-space:nowrap}.wide{overflow-x:auto}
.map th,.map td{padding:0;text-align:center;width:1.5rem;height:1.3rem;border:1px solid #fff}.map th:first-child{width:9rem;text-align:left}
b{display:inline-block;width:1.3rem;text-align:center}
.down{background:#b3261e;color:#fff;font-weight:700}.unmeasured{background:#f2c94c}.excluded{background:#9cc3e6}
.idle{background:#e8e8e8}.up{background:#d5ead8}.remaining{background:#fff}
pre{overflow:auto;background:#f6f6f6;padding:1rem}footer{margin-top:2rem;border-top:1px solid #ddd}code{overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none}.map td,b{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
