import { createHash } from 'node:crypto';
import type { Alert, Severity } from '../alert.ts';
import { pageUrl } from '../facts.ts';
import type { Item } from '../message.ts';
import { firstLine, plain, titleOf } from '../words.ts';
import { postJson } from './http.ts';
import { annotationsOf, type Links } from './labels.ts';
import { type Notifier, SENT, type SendOutcome } from './notifier.ts';
import { redactor } from './redact.ts';

export interface PagerDutyOptions extends Links {
  readonly routingKey: string;
  /** Another one for the EU region. */
  readonly url: string;
}

export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
const SUMMARY_CHARACTERS = 1_024;
const DEDUP_CHARACTERS = 255;
const BODY_BYTES = 512_000;

const SEVERITY: Readonly<Record<Severity, string>> = {
  critical: 'critical',
  warning: 'warning',
  notice: 'info',
};
const ACTION: Readonly<Record<Alert['kind'], 'trigger' | 'acknowledge' | 'resolve'>> = {
  firing: 'trigger',
  reminder: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
};

/**
 * Keeps one incident for each episode by PagerDuty's Events API v2: every event of an episode carries the same
 * dedup key. 202 is accepted, 400 final, 429 and 5xx are tried again.
 */
export function openPagerDuty(options: PagerDutyOptions): Notifier {
  const redact = redactor([options.routingKey]);
  const post = (event: object, nowMs: number, signal: AbortSignal): Promise<SendOutcome> =>
    postJson({ url: options.url, body: bounded(event), signal, nowMs, redact });

  return {
    alertsPerMessage: 1,
    async send(items, { nowMs, signal }) {
      const item = items[0];
      if (!item) return SENT;
      const action = item.alert.test ? 'trigger' : ACTION[item.alert.kind];
      // A resolve of an incident that was never opened is dropped there, and the night would not be on record.
      if (item.wasUndelivered || item.alert.test) {
        const opened = await post(eventOf(item, 'trigger', options, nowMs), nowMs, signal);
        if (opened.status !== 'sent') return opened;
        return post(eventOf(item, 'resolve', options, nowMs), nowMs, signal);
      }
      return post(eventOf(item, action, options, nowMs), nowMs, signal);
    },
    close() {},
  };
}

function eventOf(
  item: Item,
  action: 'trigger' | 'acknowledge' | 'resolve',
  options: PagerDutyOptions,
  nowMs: number,
): object {
  const { alert } = item;
  const identity = { routing_key: options.routingKey, event_action: action, dedup_key: dedupKey(alert) };
  if (action !== 'trigger') return identity;
  const summary = `${alert.test ? 'TEST ' : ''}${plain(alert.service)}: ${titleOf(alert)}. ${firstLine(alert, nowMs)}`;
  return {
    ...identity,
    client: 'roomwatch',
    ...(options.externalUrl ? { client_url: pageUrl(options.externalUrl, alert) } : {}),
    payload: {
      summary: summary.slice(0, SUMMARY_CHARACTERS),
      source: alert.service,
      severity: alert.test ? 'info' : SEVERITY[alert.severity],
      timestamp: new Date(alert.firedAtMs).toISOString(),
      component: 'room entry',
      group: alert.service,
      class: alert.step,
      custom_details: annotationsOf(item, nowMs, options),
    },
    ...(options.runbookUrl ? { links: [{ href: options.runbookUrl, text: 'Runbook' }] } : {}),
  };
}

/** The episode's key; keys that would be too long are named by their hash. */
function dedupKey(alert: Alert): string {
  const key = `roomwatch:${alert.key}`;
  return key.length <= DEDUP_CHARACTERS ? key : createHash('sha256').update(key).digest('hex');
}

/** Details are dropped before the event is. */
function bounded(event: object): string {
  const body = JSON.stringify(event);
  if (Buffer.byteLength(body) <= BODY_BYTES) return body;
  const { payload, ...rest } = event as { payload?: { custom_details?: unknown } };
  return JSON.stringify({ ...rest, payload: { ...payload, custom_details: undefined } });
}
