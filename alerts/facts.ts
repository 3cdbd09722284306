import type { Alert, Figures } from './alert.ts';
import type { Item, RenderOptions } from './message.ts';
import { bothTimes, span } from './times.ts';
import { display, percent, plain, shares, windows } from './words.ts';

/** One row of a message: a name and what is known. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly isLink?: boolean;
}

/** Later than this after the decision a message says that it is late, so that nobody trusts its "now". */
const LATE_MS = 2 * 60_000;

/** What is lost, left, to be expected, where, since when, and where to look. */
export function factsOf({ alert, insteadOf }: Item, options: RenderOptions): Fact[] {
  const { figures, where, entry, timeZone } = alert;
  const facts: (Fact | null)[] = [
    figures && {
      name: 'Lost',
      value: `${lost(figures)}, ${figures.allowed} are allowed; availability at most ${display(figures)}${lowVolume(figures)}`,
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
      value: `${entry.failures} of ${entry.attempts} counted attempts failed in the window in progress${entry.windowLost && figures?.unit !== 'window equivalent' ? ', which is lost' : ''}; ${entry.rollingFailures} of ${entry.rollingAttempts} in the last five minutes`,
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

/** Minutes of windows below the threshold are downtime only where such windows are what is lost. */
function lost(figures: Figures): string {
  const all = `${windows(figures.lost, figures)} of ${figures.month}`;
  return figures.unit === 'window' ? `${all} (${figures.downtimeMinutes} minutes)` : `${all}, rounded up`;
}

function lowVolume({ unit, lowVolumeLost }: Figures): string {
  return unit !== 'window' || lowVolumeLost === 0 ? '' : `; ${lowVolumeLost} of them with few attempts`;
}

function nextLines(figures: Figures): string {
  const open = figures.lines.filter((line) => !line.crossed);
  if (open.length === 0) return 'none: every line of the contract is crossed';
  return open
    .map(({ target, left, voucherPercent }) => {
      const more = left === 0 ? 'none' : windows(left, figures);
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

/** The address of the service's month on the daemon's page. */
export function pageUrl(externalUrl: string, alert: Alert): string {
  if (alert.test || alert.service === '*') return `${externalUrl}/`;
  const month = alert.figures?.month ?? alert.month;
  return `${externalUrl}/#/${encodeURIComponent(alert.service)}${month ? `/${month}` : ''}`;
}
