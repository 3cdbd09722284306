import type { Alert, Figures, Kind, Step, Where } from './alert.ts';
import { bothTimes, clockTime, dateTime, span } from './times.ts';

/** The sentences of a message: pure text, from an alert and the moment at which it is sent. */

export const OBSERVED =
  'Observed by roomwatch from the entries it was told of; the provider keeps its own record.';

const TITLES: Readonly<Record<Step, string>> = {
  'entry-failing': 'room entry is failing',
  budget: 'half of the allowed windows are lost',
  near: 'the target is near',
  'last-window': 'no window is left',
  breached: 'the line is crossed',
  blind: 'nobody is watching',
  claim: 'a claim can be made',
};

export function titleOf(alert: Alert): string {
  const { figures } = alert;
  if (alert.test) return 'a test of its alerts';
  if (alert.kind === 'resolved') return endOf(alert);
  if (alert.blind?.cause === 'store') return 'the store does not answer';
  switch (alert.step) {
    case 'budget':
      return figures
        ? `${figures.lost} of ${figures.allowed} allowed ${figures.unit}s are lost`
        : TITLES.budget;
    case 'near':
      return figures ? `${windows(figures.left, figures)} left before ${alert.line} %` : TITLES.near;
    case 'last-window':
      return `${nextBreaches(figures)} ${alert.line} %`;
    case 'breached':
      return `${alert.line} % is lost for ${alert.month}`;
    case 'claim':
      return `claim for ${alert.month}`;
    default:
      return TITLES[alert.step];
  }
}

/** What was so and no longer is; a month that ended below a line did not get better. */
function endOf({ step, line, month, resolvedBecause, blind, figures }: Alert): string {
  switch (step) {
    case 'entry-failing':
      return 'room entry works again';
    case 'budget':
      return `half of the allowed ${figures?.unit ?? 'window'}s were lost`;
    case 'near':
      return resolvedBecause === 'month-ended' ? `${line} % was near` : `${line} % is no longer near`;
    case 'last-window':
      return `no ${figures?.unit ?? 'window'} was left before ${line} %`;
    case 'breached':
      return resolvedBecause === 'month-ended'
        ? `${month} ended below ${line} %`
        : `${line} % holds again for ${month}`;
    case 'blind':
      return blind?.cause === 'store' ? 'the store answers again' : 'somebody is watching again';
    case 'claim':
      return `the claim for ${month} is over`;
  }
}

/** "critical", "resolved", ... as it stands first in a subject. */
function statusOf(alert: Alert, wasUndelivered: boolean): string {
  const words: Readonly<Record<Kind, string>> = {
    firing: alert.severity,
    reminder: `${alert.severity}, reminder ${alert.reminder}`,
    acknowledged: 'acknowledged',
    resolved: wasUndelivered ? 'fired and resolved' : 'resolved',
  };
  return alert.test ? 'TEST' : words[alert.kind];
}

/** "[critical] acme: room entry is failing". */
export function headline(alert: Alert, wasUndelivered: boolean): string {
  return `[${statusOf(alert, wasUndelivered)}] ${nameOf(alert)}: ${titleOf(alert)}`;
}

export function nameOf(alert: Alert): string {
  if (alert.test) return 'roomwatch';
  return alert.service === '*' ? 'all services' : plain(alert.service);
}

/** The sentence that a woken engineer reads first: what is lost if nothing changes, or what is so. */
export function firstLine(alert: Alert, nowMs: number): string {
  if (alert.test) return 'This is a test: nothing is wrong, and this receiver can be reached.';
  if (alert.kind === 'resolved') return resolution(alert);
  if (alert.kind === 'acknowledged') {
    return `Acknowledged by ${plain(alert.acknowledgedBy ?? 'somebody')}: no reminders until it is resolved.`;
  }
  switch (alert.step) {
    case 'blind':
      return blindness(alert, nowMs);
    case 'claim':
      return claimWindow(alert);
    case 'breached':
      return breach(alert);
    default:
      return ifNothingChanges(alert, nowMs) ?? outlook(alert);
  }
}

/** "If this continues, ..." while room entry fails, null otherwise. */
export function ifNothingChanges(alert: Alert, nowMs: number): string | null {
  const { entry, fall, figures, timeZone } = alert;
  if (!entry || !figures) return null;
  const line = figures.lines.find((one) => !one.crossed);
  if (!line)
    return `If this continues, more ${figures.unit}s are lost; every line of the contract is already crossed.`;
  const left = `${line.left} of ${line.allowed} ${figures.unit}s left`;
  if (!fall) {
    return `If this continues to the end of the month, ${line.target} % still holds: ${left}.`;
  }
  const inMs = fall.atMs - nowMs;
  // The message may come late: then the moment is over and is not promised again.
  if (inMs <= 0) return `Had it continued, ${fall.target} % was lost at ${clockTime(fall.atMs, timeZone)}.`;
  return `If this continues, ${fall.target} % is lost at ${clockTime(fall.atMs, timeZone)} (in ${span(inMs)}): ${left}.`;
}

/** The countdown, where the first line had something graver to say; empty otherwise. */
export function countdown(alert: Alert, nowMs: number): string[] {
  const sentence = alert.kind === 'resolved' ? null : ifNothingChanges(alert, nowMs);
  return sentence === null || sentence === firstLine(alert, nowMs) ? [] : [sentence];
}

function outlook(alert: Alert): string {
  const { figures, line } = alert;
  if (!figures) return `${titleOf(alert)}.`;
  const state = `${figures.lost} of ${figures.allowed} allowed ${figures.unit}s are lost, ${windows(figures.left, figures)} left`;
  const until = `until ${dateTime(figures.endMs, alert.timeZone)}`;
  switch (alert.step) {
    case 'near':
      return `${state} ${until}; expected ${percent(figures.expectedAvailability)} at the end, ${percent(figures.breachProbability, 0)} probability of missing ${line} %.`;
    case 'last-window':
      return `${sentence(nextBreaches(figures))} ${line} %: ${state} ${until}.`;
    default:
      return `${state} ${until}.`;
  }
}

function breach({ figures, line, month }: Alert): string {
  if (!figures) return `${line} % is lost for ${month}.`;
  const crossed = figures.lines.find((one) => one.target === line);
  const owed = crossed ? `; the voucher is ${voucher(crossed.voucherPercent, figures)}` : '';
  return `${line} % is lost for ${month}: ${windows(figures.lost, figures)} lost, availability at most ${display(figures)}${owed}.`;
}

function blindness({ blind, timeZone, sinceMs, service }: Alert, nowMs: number): string {
  if (blind?.cause === 'store') {
    return `The store has not answered since ${bothTimes(sinceMs, timeZone)} (${span(nowMs - sinceMs)}): nothing is judged, and no other alert can fire.`;
  }
  const hold = 'alerts on its service level neither fire nor resolve until one is back';
  if (blind && blind.recentWindows > 0 && blind.lastAliveAtMs !== null && blind.lastAliveAtMs > sinceMs) {
    return `${blind.unseenWindows} of the last ${blind.recentWindows} windows of ${service} were seen by no agent.`;
  }
  return `No agent of ${service} has been alive since ${bothTimes(sinceMs, timeZone)} (${span(nowMs - sinceMs)}); ${hold}.`;
}

function claimWindow({ claim, figures, month }: Alert): string {
  if (!claim || !figures) return `A claim for ${month} can be made.`;
  const days = claim.daysLeft === 1 ? '1 day' : `${claim.daysLeft} days`;
  return `A voucher of ${voucher(figures.voucherPercent, figures)} for ${month} can be claimed until the end of ${claim.deadline} (${days} left).`;
}

const BECAUSE: Readonly<Record<NonNullable<Alert['resolvedBecause']>, string>> = {
  cleared: 'it is no longer so',
  corrected: 'an exclusion or a correction took lost windows back',
  'month-ended': 'the service month has ended',
  'deadline-passed': 'the claim deadline has passed',
  'switched-off': 'the step was switched off in the configuration',
};

function resolution(alert: Alert): string {
  const { figures, firedAtMs, resolvedAtMs, timeZone } = alert;
  const because = BECAUSE[alert.resolvedBecause ?? 'cleared'];
  const endedAtMs = resolvedAtMs ?? alert.decidedAtMs;
  const when = `Fired ${bothTimes(firedAtMs, timeZone)}, resolved ${bothTimes(endedAtMs, timeZone)}`;
  // Blindness and its end say nothing of the figures.
  const stand =
    figures && alert.step !== 'blind'
      ? ` ${figures.month} stands at ${display(figures)}: ${windows(figures.lost, figures)} lost, ${figures.allowed} allowed.`
      : '';
  return `Resolved after ${span(endedAtMs - firedAtMs)}: ${because}.${stand} ${when}.`;
}

/** "10 %" or "10 % of the monthly fee (123.45 USD)". */
function voucher(share: number, figures: Figures): string {
  const amount = figures.voucher !== null && figures.voucherPercent === share ? ` (${figures.voucher})` : '';
  return `${share} % of the monthly fee${amount}`;
}

/** The availability as the contract displays it, spaced like every other percentage here. */
export function display(figures: Figures): string {
  return figures.availability.replace(/\s*%$/, ' %');
}

export function windows(count: number, { unit }: Pick<Figures, 'unit'> = { unit: 'window' }): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** What is so when none is left: a part of an equivalent still is. */
function nextBreaches(figures: Figures | null): string {
  return figures?.unit === 'window equivalent'
    ? 'less than one window equivalent is left before'
    : 'the next lost window breaches';
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** "ap-guangzhou 80 %, ap-shanghai 15 %", shares of all failures truncated; '' when there are none. */
export function shares(list: Where['regions'], all: number): string {
  return list
    .map(({ name, failures }) => `${plain(name) || 'not given'} ${Math.floor((failures * 100) / all)} %`)
    .join(', ');
}

/** A ratio as percent, truncated as the contract's figures are, never rounded up to a better one. */
export function percent(ratio: number, decimals = 3): string {
  // toFixed first: 0.99932 * 100 is 99.93199999999999 and would lose its last digit.
  const [whole, part = ''] = (ratio * 100).toFixed(9).split('.') as [string, string?];
  return decimals === 0 ? `${whole} %` : `${whole}.${part.slice(0, decimals)} %`;
}

const LABEL_CHARACTERS = 64;

/** A label from outside: control and direction characters would rearrange a mail or a terminal. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?').slice(0, LABEL_CHARACTERS);
}
