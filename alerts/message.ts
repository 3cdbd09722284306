import { type Alert, type Figures, SEVERITIES, type Severity } from './alert.ts';
import { bothTimes, span } from './times.ts';
import {
  display,
  firstLine,
  ifNothingChanges,
  percent,
  plain,
  shares,
  statusOf,
  titleOf,
  windows,
} from './words.ts';

/** What is sent: one alert, or several that came together for the same receiver. */
export interface Item {
  readonly alert: Alert;
  /** The receiver never got the firing of this resolved episode: it hears both at once. */
  readonly wasUndelivered: boolean;
  /** The receiver that refused it, when this one hears it in its place. */
  readonly insteadOf: string | null;
}

export interface Message {
  /** One line without control characters. */
  readonly subject: string;
  readonly firstLine: string;
  readonly text: string;
  readonly html: string;
}

export interface RenderOptions {
  readonly nowMs: number;
  /** Base of the daemon's page, without a trailing slash; '' leaves the links out. */
  readonly externalUrl: string;
  /** Where this team keeps what to do; '' leaves it out. */
  readonly runbookUrl: string;
  /** Content id of the picture in the HTML part, null when there is none. */
  readonly pictureCid: string | null;
}

/** Later than this after the decision a message says that it is late, so that nobody trusts its "now". */
const LATE_MS = 2 * 60_000;
/** Alerts told in full in one message; the rest are named in a line each. */
export const FULL_ITEMS = 20;

/** Renders one message for one or more alerts; the gravest that still fires speaks first. */
export function render(items: readonly Item[], options: RenderOptions): Message {
  const ordered = [...items].sort((a, b) => weight(b) - weight(a) || a.alert.firedAtMs - b.alert.firedAtMs);
  const lead = ordered[0];
  if (!lead) throw new Error('MESSAGE_EMPTY: render() needs at least one alert');
  const first = `${nameOf(lead.alert)}: ${firstLine(lead.alert, options.nowMs)}`;
  const sections = ordered.slice(0, FULL_ITEMS).map((item) => ({ item, facts: factsOf(item, options) }));
  const rest = ordered.slice(FULL_ITEMS).map((item) => headline(item));
  return {
    subject: subjectOf(ordered),
    firstLine: first,
    text: textOf(sections, rest, options),
    html: htmlOf(sections, rest, options),
  };
}

/** The address of the service's month on the daemon's page. */
export function pageUrl(externalUrl: string, alert: Alert): string {
  if (alert.test || alert.service === '*') return `${externalUrl}/`;
  const month = alert.figures?.month ?? alert.month;
  return `${externalUrl}/#/${encodeURIComponent(alert.service)}${month ? `/${month}` : ''}`;
}

/** The gravest severity among what still fires; 'notice' when nothing does. */
export function gravest(items: readonly Item[]): Severity {
  const firing = items.filter((item) => item.alert.kind !== 'resolved');
  return firing.reduce<Severity>(
    (worst, { alert }) =>
      SEVERITIES.indexOf(alert.severity) > SEVERITIES.indexOf(worst) ? alert.severity : worst,
    'notice',
  );
}

function weight({ alert }: Item): number {
  return alert.kind === 'resolved' ? -1 : SEVERITIES.indexOf(alert.severity);
}

function headline({ alert, wasUndelivered }: Item): string {
  return `[${statusOf(alert, wasUndelivered)}] ${nameOf(alert)}: ${titleOf(alert)}`;
}

function nameOf(alert: Alert): string {
  if (alert.test) return 'roomwatch';
  return alert.service === '*' ? 'all services' : plain(alert.service);
}

function subjectOf(ordered: readonly Item[]): string {
  const lead = ordered[0]!;
  if (ordered.length === 1) return headline(lead);
  const services = new Set(ordered.map((item) => item.alert.service));
  const firing = ordered.filter((item) => item.alert.kind !== 'resolved').length;
  const counts = [
    firing > 0 ? `${firing} firing` : '',
    ordered.length > firing ? `${ordered.length - firing} resolved` : '',
  ];
  const who = services.size === 1 ? plain(lead.alert.service) : `${services.size} services`;
  return `[${counts.filter(Boolean).join(', ')}] ${who}: ${titleOf(lead.alert)}`;
}

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly isLink?: boolean;
}

function factsOf({ alert, insteadOf }: Item, options: RenderOptions): Fact[] {
  const { figures, where, entry, timeZone } = alert;
  const facts: (Fact | null)[] = [
    figures && {
      name: 'Lost',
      value: `${windows(figures.lost)} of ${figures.month} (${figures.downtimeMinutes} minutes), ${figures.allowed} are allowed; availability at most ${display(figures)}${lowVolume(figures.lowVolumeLost)}`,
    },
    figures && { name: 'Left', value: nextLines(figures) },
    figures && figures.windowsRemaining > 0
      ? {
          name: 'Outlook',
          value: `${percent(figures.expectedAvailability)} expected at the end of the month; ${percent(figures.breachProbability, 0)} probability of missing the target`,
        }
      : null,
    entry && {
      name: 'Now',
      value: `${entry.failures} of ${entry.attempts} counted attempts failed in the window in progress${entry.windowLost ? ', which is lost' : ''}; ${entry.rollingFailures} of ${entry.rollingAttempts} in the last five minutes`,
    },
    where && where.failures > 0 ? { name: 'Where', value: whereOf(where) } : null,
    {
      name: 'Since',
      value: `${bothTimes(alert.sinceMs, timeZone)}${alert.kind === 'resolved' ? '' : `, ${span(options.nowMs - alert.sinceMs)} ago`}`,
    },
    options.nowMs - alert.decidedAtMs > LATE_MS
      ? { name: 'Late', value: `decided ${bothTimes(alert.decidedAtMs, timeZone)}, delivered only now` }
      : null,
    insteadOf !== null
      ? { name: 'Instead', value: `of ${plain(insteadOf)}, which refused this message` }
      : null,
    alert.acknowledgedBy !== null ? { name: 'Taken by', value: plain(alert.acknowledgedBy) } : null,
    options.externalUrl ? { name: 'Look', value: pageUrl(options.externalUrl, alert), isLink: true } : null,
    options.runbookUrl ? { name: 'Runbook', value: options.runbookUrl, isLink: true } : null,
  ];
  return facts.filter((fact): fact is Fact => fact !== null);
}

function lowVolume(count: number): string {
  return count === 0 ? '' : `; ${count} of them with fewer than 100 attempts`;
}

function nextLines(figures: Figures): string {
  const open = figures.lines.filter((line) => !line.crossed);
  if (open.length === 0) return 'none: every line of the contract is crossed';
  return open
    .map(({ target, left, voucherPercent }) => {
      const more = left === 0 ? 'none' : windows(left);
      return `${more} before ${target} % (voucher ${voucherPercent} %)`;
    })
    .join(', ');
}

function whereOf(where: NonNullable<Alert['where']>): string {
  const parts = [
    ['region', where.regions],
    ['platform', where.platforms],
    ['cause', where.causes],
    ['code', where.codes],
  ] as const;
  return parts
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => `${name} ${shares(list, where.failures)}`)
    .join('; ');
}

interface Section {
  readonly item: Item;
  readonly facts: readonly Fact[];
}

const OBSERVED = 'Observed by roomwatch from the entries it was told of; the provider keeps its own record.';

function textOf(sections: readonly Section[], rest: readonly string[], options: RenderOptions): string {
  const parts = sections.map(({ item, facts }) => {
    const width = Math.max(...facts.map((fact) => fact.name.length)) + 2;
    return [
      firstLine(item.alert, options.nowMs),
      '',
      headline(item),
      ...also(item.alert, options.nowMs),
      '',
      ...facts.map((fact) => `${fact.name.padEnd(width)}${fact.value}`),
    ].join('\n');
  });
  return [...parts, ...(rest.length > 0 ? [['And:', ...rest].join('\n')] : []), `-- \n${OBSERVED}\n`].join(
    '\n\n',
  );
}

/** The countdown, where the first line had something graver to say. */
function also(alert: Alert, nowMs: number): string[] {
  const countdown = ifNothingChanges(alert, nowMs);
  const isFirst = countdown === firstLine(alert, nowMs);
  return countdown === null || isFirst || alert.kind === 'resolved' ? [] : [countdown];
}

const COLOURS: Readonly<Record<string, string>> = {
  critical: '#b42318',
  warning: '#b25e09',
  notice: '#175cd3',
  resolved: '#067647',
};

function htmlOf(sections: readonly Section[], rest: readonly string[], options: RenderOptions): string {
  const body = sections.map(({ item, facts }) => {
    const { alert } = item;
    const colour = COLOURS[alert.kind === 'resolved' ? 'resolved' : alert.severity];
    const rows = facts.map(
      (fact) =>
        `<tr><td style="padding:2px 14px 2px 0;color:#667085;vertical-align:top">${escapeHtml(fact.name)}</td><td style="padding:2px 0">${fact.isLink ? link(fact.value) : escapeHtml(fact.value)}</td></tr>`,
    );
    return [
      `<div style="border-left:4px solid ${colour};padding:4px 0 4px 14px;margin:0 0 24px">`,
      `<p style="font-size:17px;font-weight:600;margin:0 0 6px">${escapeHtml(firstLine(alert, options.nowMs))}</p>`,
      `<p style="margin:0 0 10px;color:${colour}">${escapeHtml(headline(item))}</p>`,
      ...also(alert, options.nowMs).map((line) => `<p style="margin:0 0 10px">${escapeHtml(line)}</p>`),
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

export function escapeHtml(text: string): string {
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
