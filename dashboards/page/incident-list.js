// The incidents of the month, in words; each leads to its place in the picture.

import { clock, momentLabel } from './contract-time.js';
import { byId, element, faint, fill, linkButton } from './element.js';
import { durationText, plural, successText } from './figures.js';

/** @import { ContractMonth, Incident } from './types.d.ts' */

/** More rows than this are shown on demand. */
const SHOWN_FIRST = 12;

/**
 * @param {object} shown
 * @param {ContractMonth} shown.month
 * @param {readonly Incident[]} shown.incidents  the latest first
 * @param {(place: number) => void} shown.onChoose
 * @param {(incident: Incident) => void} shown.onExclude
 */
export function showIncidents({ month, incidents, onChoose, onExclude }) {
  const box = byId('incidents');
  if (incidents.length === 0) {
    fill(box, element('p', { class: 'empty' }, 'No window was lost.'));
    return;
  }
  const rows = incidents.map((incident) => row(month, incident, onChoose, onExclude));
  const list = (/** @type {Node[]} */ some) => element('ol', { class: 'incidents' }, ...some);
  const rest = rows.slice(SHOWN_FIRST);
  const more = element('details', {}, element('summary', {}, `${rest.length} earlier`), list(rest));
  fill(box, list(rows.slice(0, SHOWN_FIRST)), rest.length > 0 ? more : null);
}

/**
 * @param {ContractMonth} month
 * @param {Incident} incident
 * @param {(place: number) => void} onChoose
 * @param {(incident: Incident) => void} onExclude
 */
function row(month, incident, onChoose, onExclude) {
  const { place, windows, attempts, failures, lowVolume } = incident;
  const span = `${momentLabel(month, place)} to ${clock(month, place + windows)}`;
  const minutes = durationText(windows * month.windowMinutes);
  const volume = lowVolume ? ' Fewer than 100 attempts a window: one failure was enough.' : '';
  return element(
    'li',
    {},
    linkButton(span, () => onChoose(place)),
    element('span', { class: 'count', 'data-state': 'lost' }, plural(windows, 'window')),
    faint(
      `${minutes} at ${successText(failures, attempts)} success: ${plural(failures, 'counted failure')} in ${plural(attempts, 'attempt')}.${volume} `,
      linkButton('Exclude it', () => onExclude(incident), 'small'),
    ),
  );
}
