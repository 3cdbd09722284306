// The month in words: what the picture shows, a row a day, for those who do not see it.

import { clock, dayLabel } from './contract-time.js';
import { byId, element, fill } from './element.js';

/** @import { ContractMonth, WindowCell } from './types.d.ts' */

const COLUMNS = /** @type {const} */ (['up', 'down', 'excluded', 'idle', 'unmeasured']);

/** @param {ContractMonth} month @param {readonly (WindowCell | undefined)[]} cells  by place */
export function showDayTable(month, cells) {
  const head = ['Day', 'Up', 'Lost', 'Excluded', 'Idle', 'Unmeasured', 'Lost at'];
  const rows = Array.from({ length: month.days }, (_, day) => {
    const places = Array.from({ length: month.perDay }, (_unused, slot) => day * month.perDay + slot);
    const count = (/** @type {string} */ verdict) =>
      places.filter((place) => cells[place]?.verdict === verdict).length;
    const lost = places
      .filter((place) => cells[place]?.verdict === 'down')
      .map((place) => clock(month, place));
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, dayLabel(month, day)),
      ...COLUMNS.map((verdict) => element('td', {}, count(verdict) || '–')),
      element('td', { class: 'times' }, lost.join(', ')),
    );
  });
  fill(
    byId('day-table', HTMLTableElement),
    element('thead', {}, element('tr', {}, ...head.map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, ...rows),
  );
}
