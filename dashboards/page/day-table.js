// The month in words: what the picture shows, a row a day, for those who do not see it.

import { clock, dayLabel } from './contract-time.js';
import { byIdAs, fill, fillTable } from './element.js';

/** @import { ContractMonth, Cells } from './types.d.ts' */

const VERDICTS = ['up', 'down', 'excluded', 'idle', 'unmeasured'];

/** @param {ContractMonth} month @param {Cells} cells */
export function showDayTable(month, cells) {
  const head = ['Day', 'Up', 'Lost', 'Excluded', 'Idle', 'Unmeasured', 'Lost at'];
  const rows = Array.from({ length: month.days }, (_, day) => {
    const places = Array.from({ length: month.perDay }, (_unused, slot) => day * month.perDay + slot);
    const of = (/** @type {string} */ verdict) =>
      places.filter((place) => cells[place]?.verdict === verdict && !month.absent.has(place));
    const lostAt = of('down').map((place) => clock(month, place));
    return [dayLabel(month, day), ...VERDICTS.map((verdict) => of(verdict).length || '–'), lostAt.join(', ')];
  });
  const table = byIdAs('day-table', HTMLTableElement);
  fill(table);
  fillTable(table, head, rows);
}
