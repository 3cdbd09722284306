// The incidents of the month, in words; each leads to its place in the picture.

import { clock, momentLabel } from './contract-time.js';
import { byId, element, fill } from './element.js';
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
  const list = element('ol', { class: 'incidents' }, ...rows.slice(0, SHOWN_FIRST));
  const rest = rows.slice(SHOWN_FIRST);
  const more = element(
    'button',
    {
      type: 'button',
      class: 'quiet',
      onclick: () => {
        list.append(...rest);
        more.remove();
      },
    },
    `Show ${rest.length} earlier`,
  );
  fill(box, list, rest.length > 0 ? more : null);
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
    element('button', { type: 'button', class: 'link', onclick: () => onChoose(place) }, span),
    element('span', { class: 'count', 'data-state': 'lost' }, plural(windows, 'window')),
    element(
      'p',
      { class: 'faint' },
      `${minutes} at ${successText(failures, attempts)} success: ${plural(failures, 'counted failure')} in ${plural(attempts, 'attempt')}.${volume} `,
      element(
        'button',
        { type: 'button', class: 'link small', onclick: () => onExclude(incident) },
        'Exclude it',
      ),
    ),
  );
}
