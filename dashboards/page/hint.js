// The few words beside the window under the pointer or the cursor.

import { LOOK_NAMES, lookOf } from './calendar-cells.js';
import { isRepeated, windowLabel } from './contract-time.js';
import { byId, element, fill } from './element.js';
import { plural, successText } from './figures.js';

/** @import { ContractMonth, WindowCell } from './types.d.ts' */

const WIDTH = 280;

/**
 * @param {ContractMonth} month
 * @param {number} place
 * @param {WindowCell | undefined} cell
 * @param {{ x: number, y: number, below: number }} at
 */
export function showHint(month, place, cell, at) {
  const hint = byId('hint');
  const [title = '', ...rest] = hintText(month, place, cell);
  fill(hint, element('strong', {}, title), ...rest.map((line) => element('div', {}, line)));
  hint.hidden = false;
  const room = byId('grid').clientWidth;
  hint.style.left = `${Math.max(0, Math.min(at.x - WIDTH / 2, room - WIDTH))}px`;
  const isLow = at.y > hint.offsetHeight + 24;
  hint.style.top = isLow ? `${at.y - hint.offsetHeight - 8}px` : `${at.y + at.below + 8}px`;
}

export function hideHint() {
  byId('hint').hidden = true;
}

/**
 * @param {ContractMonth} month
 * @param {number} place
 * @param {WindowCell | undefined} cell
 * @returns {string[]}
 */
export function hintText(month, place, cell) {
  const title = windowLabel(month, place);
  const look = lookOf(month, place, cell);
  const words = [LOOK_NAMES[look], ...(isRepeated(month, place) ? ['the clock showed it twice'] : [])];
  if (cell === undefined || ['unmeasured', 'idle', 'absent'].includes(look)) return [title, ...words];
  const causes = Object.entries(cell.failuresByCause).filter(([, count]) => count > 0);
  return [
    title,
    ...words,
    `${successText(cell.failures, cell.attempts)} of ${plural(cell.attempts, 'counted attempt')}`,
    ...(causes.length > 0 ? [causes.map(([cause, count]) => `${count} ${cause}`).join(', ')] : []),
  ];
}
