// Alerts of the service, and who acknowledged them. A daemon without alerting has no such list: then neither has
// the page.

import { localTime } from './contract-time.js';
import { byId, element, faint, fill, linkButton } from './element.js';

/** @import { ContractMonth, AlertRecord } from './types.d.ts' */

/**
 * @param {object} shown
 * @param {ContractMonth} shown.month
 * @param {readonly AlertRecord[] | null} shown.alerts  null when the daemon has none to offer
 * @param {(key: string) => void} shown.onAcknowledge
 */
export function showAlerts({ month, alerts, onAcknowledge }) {
  byId('alerts-section').hidden = alerts === null;
  const box = byId('alerts');
  if (alerts === null) return;
  if (alerts.length === 0) {
    fill(box, element('p', { class: 'empty' }, 'Nothing fires.'));
    return;
  }
  fill(box, element('ul', { class: 'alerts' }, ...alerts.map((alert) => row(month, alert, onAcknowledge))));
}

/** @param {ContractMonth} month @param {AlertRecord} alert @param {(key: string) => void} onAcknowledge */
function row(month, alert, onAcknowledge) {
  const { step, severity, state, summary, since, resolvedAt } = alert;
  const when = resolvedAt === undefined ? '' : `, resolved ${localTime(month, resolvedAt)}`;
  const weight = state === 'resolved' ? 'quiet' : severity === 'critical' ? 'lost' : 'near';
  return element(
    'li',
    {},
    element('strong', {}, step),
    element('span', { class: 'count', 'data-state': weight }, severity),
    element('p', {}, summary),
    faint(
      `${state === 'resolved' ? 'held' : state} since ${localTime(month, since)}${when}. `,
      acknowledgement(alert, onAcknowledge),
    ),
  );
}

/** @param {AlertRecord} alert @param {(key: string) => void} onAcknowledge */
function acknowledgement({ key, state, acknowledgedBy }, onAcknowledge) {
  if (acknowledgedBy !== undefined) return `Acknowledged by ${acknowledgedBy}.`;
  if (state === 'resolved') return null;
  return linkButton('Acknowledge', () => onAcknowledge(key), 'small');
}
