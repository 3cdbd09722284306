import type { Alert } from '../alert.ts';
import { pageUrl } from '../facts.ts';
import type { Item } from '../message.ts';
import { firstLine, ifNothingChanges, shares, titleOf } from '../words.ts';

/** Where links in messages lead. */
export interface Links {
  /** Base of the daemon's page, without a trailing slash; '' leaves the link out. */
  readonly externalUrl: string;
  readonly runbookUrl: string;
}

/**
 * The identity of an alert for consumers that know alerts by their labels: the same from the first message of an
 * episode to the last. What is measured is in the annotations, or each new number would be a new alert.
 */
export function labelsOf(alert: Alert): Record<string, string> {
  return {
    alertname: `Roomwatch${pascal(alert.step)}`,
    service: alert.service,
    step: alert.step,
    severity: alert.severity,
    ...(alert.month === '' ? {} : { month: alert.month }),
    ...(alert.line === '' ? {} : { line: alert.line }),
    ...(alert.test ? { test: 'true' } : {}),
  };
}

export function annotationsOf({ alert }: Item, nowMs: number, links: Links): Record<string, string> {
  const { figures, where } = alert;
  const all: Record<string, string | null | undefined> = {
    summary: `${alert.service}: ${titleOf(alert)}`,
    description: firstLine(alert, nowMs),
    if_nothing_changes: ifNothingChanges(alert, nowMs),
    month: figures?.month,
    availability: figures?.availability,
    windows_lost: figures && String(figures.lost),
    windows_left: figures && String(figures.left),
    windows_allowed: figures && String(figures.allowed),
    voucher_percent: figures && String(figures.voucherPercent),
    regions: where && shares(where.regions, where.failures),
    platforms: where && shares(where.platforms, where.failures),
    codes: where && shares(where.codes, where.failures),
    since: new Date(alert.sinceMs).toISOString(),
    acknowledged_by: alert.acknowledgedBy,
    page: links.externalUrl && pageUrl(links.externalUrl, alert),
    runbook_url: links.runbookUrl,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => !!entry[1]));
}

function pascal(step: string): string {
  return step.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
