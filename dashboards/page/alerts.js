// Alerts of the service, and who acknowledged them. A daemon without alerting has no such list: then neither has
// the page.

import { localTime } from './contract-time.js';
import { byId, element, fill } from './element.js';

/** @import { ContractMonth, AlertRecord } from './types.d.ts' */

/**
 * @param {object} shown
 * @param {ContractMonth} shown.month
 * @param {readonly AlertRecord[] | null} shown.alerts  null when the daemon has none to offer
 * @param {(key: string) => void} shown.onAcknowledge
 */
export function showAlerts({ month, alerts, onAcknowledge }) {
  byId('alerts-section', HTMLElement).hidden = alerts === null;
  const box = byId('alerts', HTMLDivElement);
  if (alerts === null) return;
  if (alerts.length === 0) {
    fill(box, element('p', { class: 'empty' }, 'Nothing fires.'));
    return;
  }
  fill(box, element('ul', { class: 'alerts' }, ...alerts.map((alert) => row(month, alert, onAcknowledge))));
}

/** @param {ContractMonth} month @param {AlertRecord} alert @param {(key: string) => void} onAcknowledge */
function row(month, alert, onAcknowledge) {
  const since = alert.since === undefined ? '' : ` since ${localTime(month, alert.since)}`;
  return element(
    'li',
    {},
    element('strong', {}, alert.step),
    element(
      'span',
      { class: 'count', 'data-state': alert.severity === 'critical' ? 'lost' : 'near' },
      alert.severity,
    ),
    element('p', {}, alert.summary ?? ''),
    element(
      'p',
      { class: 'faint' },
      `${alert.state}${since}. `,
      alert.acknowledgedBy !== undefined
        ? `Acknowledged by ${alert.acknowledgedBy}.`
        : element(
            'button',
            { type: 'button', class: 'link small', onclick: () => onAcknowledge(alert.key) },
            'Acknowledge',
          ),
    ),
  );
}
