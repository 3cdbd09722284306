import { setImmediate as turn } from 'node:timers/promises';
import type { Alert } from '../../alerts/alert.ts';
import type { AlertingConfig } from '../../alerts/config.ts';
import type { Route } from '../../alerts/input.ts';
import { routesOf, settingsOf } from '../../alerts/notify/open.ts';
import type { Announcement } from '../../alerts/policy.ts';
import { type Rehearsal, rehearse } from '../../alerts/rehearsal.ts';
import { firstLine } from '../../alerts/words.ts';
import { claimOf } from '../../sla/claim.ts';
import { instantText } from '../../sla/instant.ts';
import { contractSeconds } from '../report/contract-time.ts';

/** One thing that a month would have said, to one or more receivers. */
export interface RehearsedAlert {
  readonly alert: Alert;
  /** When it would have left: with what was decided shortly before, or after waiting for company. */
  readonly sentAtMs: number;
  /** null when no receiver is configured: then everything is heard. */
  readonly receivers: readonly string[] | null;
}

/** Hears everything, when nobody is configured to. */
const EVERYBODY: Route = {
  receiver: 'everybody',
  minSeverity: 'notice',
  steps: null,
  services: null,
  acknowledgements: false,
  reminders: true,
};

/**
 * What a month would have had its daemon say under these settings.
 * @param request.untilMs left out: to the deadline of the month's claim
 * @param signal ends it early; what was found so far is returned
 */
export async function rehearsedAlerts(
  request: Omit<Rehearsal, 'settings' | 'routes' | 'untilMs'> & {
    readonly alerting: AlertingConfig;
    readonly untilMs: number | undefined;
  },
  signal: AbortSignal,
): Promise<readonly RehearsedAlert[]> {
  const { alerting, month, terms } = request;
  const configured = routesOf(alerting);
  // One instant more, so that the end of the deadline itself is still said.
  const { untilMs = claimOf(month, terms).closesAtMs + 1 } = request;
  const routes = configured.length > 0 ? configured : [EVERYBODY];
  const found: RehearsedAlert[] = [];
  let messageAtMs = Number.NEGATIVE_INFINITY;
  let minutes = 0;
  for (const said of rehearse({ ...request, settings: settingsOf(alerting), routes, untilMs })) {
    for (const announcements of sameAlerts(said)) {
      const { alert } = announcements[0]!;
      if (alert.decidedAtMs > messageAtMs) messageAtMs = alert.decidedAtMs + alerting.groupWaitMs;
      const receivers = configured.length > 0 ? announcements.map(({ receiver }) => receiver) : null;
      found.push({ alert, sentAtMs: messageAtMs, receivers });
    }
    minutes += 1;
    if (minutes % 1_000 === 0) await turn();
    if (signal.aborted) break;
  }
  return found;
}

/** The announcements of one alert, which differ in their receiver alone. */
function sameAlerts(said: readonly Announcement[]): Announcement[][] {
  const groups: Announcement[][] = [];
  for (const one of said) {
    const group = groups.find(([first]) => isSame(first!.alert, one.alert));
    if (group) group.push(one);
    else groups.push([one]);
  }
  return groups;
}

function isSame(a: Alert, b: Alert): boolean {
  return a.key === b.key && a.kind === b.kind && a.decidedAtMs === b.decidedAtMs;
}

/** Two lines for each: when, what and how grave; and the first line of the message. */
export function rehearsedText(found: readonly RehearsedAlert[], timeZone: string): string {
  const count = (kind: Alert['kind']) => found.filter(({ alert }) => alert.kind === kind).length;
  const lines = found.map(({ alert, sentAtMs, receivers }) => {
    const what = [alert.step, alert.line && `${alert.line} %`, alert.month].filter(Boolean).join(' ');
    const whom = receivers === null ? '' : `  to ${receivers.join(', ')}`;
    const at = `${contractSeconds(alert.decidedAtMs, timeZone)}  ${utcSeconds(alert.decidedAtMs)}`;
    return `${at}  ${WORDS[alert.kind].padEnd(8)}  ${alert.severity.padEnd(8)}  ${what}${whom}\n    ${firstLine(alert, sentAtMs)}\n`;
  });
  return [
    `${'contract time'.padEnd(19)}  UTC\n`,
    ...lines,
    found.length === 0
      ? 'nothing would have been said\n'
      : `${count('firing')} fired, ${count('reminder')} said again, ${count('resolved')} resolved\n`,
  ].join('');
}

/** One JSON object a line. */
export function rehearsedNdjson(found: readonly RehearsedAlert[]): string {
  return found
    .map(({ alert, sentAtMs, receivers }) => {
      const { key, kind, service, step, severity, month, line, reminder, decidedAtMs, resolvedBecause } =
        alert;
      const record = {
        decidedAt: instantText(decidedAtMs),
        sentAt: instantText(sentAtMs),
        ...{ kind, service, step, severity, month, line, reminder, key, resolvedBecause, receivers },
        firstLine: firstLine(alert, sentAtMs),
      };
      return `${JSON.stringify(record)}\n`;
    })
    .join('');
}

const WORDS: Readonly<Record<Alert['kind'], string>> = {
  firing: 'fired',
  reminder: 'again',
  acknowledged: 'taken',
  resolved: 'resolved',
};

function utcSeconds(atMs: number): string {
  return new Date(Math.floor(atMs / 1_000) * 1_000).toISOString().replace('.000', '');
}
