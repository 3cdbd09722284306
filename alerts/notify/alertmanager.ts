import type { Alert } from '../alert.ts';
import { postJson } from './http.ts';
import { annotationsOf, type Links, labelsOf } from './labels.ts';
import { type Mirror, SENT } from './notifier.ts';
import { redactor } from './redact.ts';

export interface AlertmanagerOptions extends Links {
  /** Of one replica, with its path prefix if it has one. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly token: string;
}

/** A firing alert ends by itself when nobody has shown it for this long: four times the pace of showing it. */
const FIRING_FOR_MS = 4 * 60_000;
/** Alerts of one request; Prometheus sends as many. */
const ALERTS_PER_POST = 256;

/**
 * Shows alerts to one replica of Alertmanager by its API, version 2. Its answer 400 may have stored the valid ones
 * of a request, so the rest of the alerts is shown all the same.
 */
export function openAlertmanager(options: AlertmanagerOptions): Mirror {
  const basic = Buffer.from(`${options.user}:${options.password}`).toString('base64');
  const redact = redactor([options.password, options.token, basic]);
  const headers: Record<string, string> = {};
  if (options.token !== '') headers.authorization = `Bearer ${options.token}`;
  else if (options.user !== '') headers.authorization = `Basic ${basic}`;
  const url = `${options.url.replace(/\/+$/, '')}/api/v2/alerts`;

  return {
    async show(alerts, { nowMs, signal }) {
      let worst = SENT;
      for (let i = 0; i < alerts.length; i += ALERTS_PER_POST) {
        const batch = alerts.slice(i, i + ALERTS_PER_POST).map((alert) => postable(alert, options, nowMs));
        const outcome = await postJson({ url, body: JSON.stringify(batch), headers, signal, nowMs, redact });
        if (outcome.status === 'retryable') return outcome;
        if (outcome.status === 'refused') worst = outcome;
      }
      return worst;
    },
  };
}

function postable(alert: Alert, links: Links, nowMs: number): object {
  // A span that begins after its end is invalid there; clocks of two daemons may differ by a little.
  const endsAtMs = Math.max(alert.resolvedAtMs ?? nowMs + FIRING_FOR_MS, alert.firedAtMs);
  return {
    labels: labelsOf(alert),
    annotations: annotationsOf({ alert, wasUndelivered: false, insteadOf: null }, nowMs, links),
    startsAt: new Date(alert.firedAtMs).toISOString(),
    endsAt: new Date(endsAtMs).toISOString(),
    ...(links.externalUrl ? { generatorURL: links.externalUrl } : {}),
  };
}
