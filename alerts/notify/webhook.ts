import { createHash, createHmac } from 'node:crypto';
import type { Item } from '../message.ts';
import { postJson } from './http.ts';
import { annotationsOf, type Links, labelsOf } from './labels.ts';
import type { Notifier } from './notifier.ts';
import { redactor, secretsIn } from './redact.ts';

export interface WebhookOptions extends Links {
  readonly name: string;
  /** May hold a token in its path or query, so it is treated as a secret. */
  readonly url: string;
  /** '' = none; sent as a bearer token. */
  readonly token: string;
  /** '' = none; signs each request. */
  readonly secret: string;
}

/** One request for many services; what exceeds this is the next one. */
const ALERTS_PER_POST = 256;
/** Alertmanager's "not ended". */
const NEVER = '0001-01-01T00:00:00Z';
const SIGNATURE_HEADER = 'roomwatch-signature';

/**
 * Posts JSON in the shape of Alertmanager's webhook, version 4, so that what consumes that consumes this.
 * With a secret each request carries `Roomwatch-Signature: t=<epoch seconds>,v1=<hex>`, the HMAC-SHA256 of
 * `<t>.<body>`; the time is inside of it so that a recorded request can be told from a new one.
 */
export function openWebhook(options: WebhookOptions): Notifier {
  const redact = redactor([...secretsIn(options.url), options.token, options.secret]);
  return {
    alertsPerMessage: ALERTS_PER_POST,
    send(items, { nowMs, signal }) {
      const body = JSON.stringify(payloadOf(items, options, nowMs));
      const headers = {
        ...(options.token === '' ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.secret === '' ? {} : { [SIGNATURE_HEADER]: signatureOf(body, options.secret, nowMs) }),
      };
      return postJson({ url: options.url, body, headers, signal, nowMs, redact });
    },
    close() {},
  };
}

export function signatureOf(body: string, secret: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

function payloadOf(items: readonly Item[], options: WebhookOptions, nowMs: number): object {
  const alerts = items.map((item) => {
    const { alert } = item;
    const labels = labelsOf(alert);
    return {
      status: alert.kind === 'resolved' ? 'resolved' : 'firing',
      labels,
      annotations: annotationsOf(item, nowMs, options),
      startsAt: new Date(alert.firedAtMs).toISOString(),
      endsAt: alert.resolvedAtMs === null ? NEVER : new Date(alert.resolvedAtMs).toISOString(),
      generatorURL: options.externalUrl,
      fingerprint: createHash('sha256').update(JSON.stringify(labels)).digest('hex').slice(0, 16),
    };
  });
  const keys = items.map(({ alert }) => alert.key).sort();
  return {
    version: '4',
    groupKey: `{}:{receiver=${JSON.stringify(options.name)}}:${createHash('sha256').update(keys.join()).digest('hex').slice(0, 16)}`,
    truncatedAlerts: 0,
    status: alerts.some((alert) => alert.status === 'firing') ? 'firing' : 'resolved',
    receiver: options.name,
    groupLabels: {},
    commonLabels: common(alerts.map((alert) => alert.labels)),
    commonAnnotations: common(alerts.map((alert) => alert.annotations)),
    externalURL: options.externalUrl,
    alerts,
  };
}

/** The pairs that every one of them has. */
function common(all: readonly Record<string, string>[]): Record<string, string> {
  const [first = {}, ...rest] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => rest.every((one) => one[name] === value)),
  );
}
