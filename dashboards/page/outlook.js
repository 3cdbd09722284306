// The projection as a picture on a scale of lost windows: what is lost, what is expected, the band, and each line.

import { byId, element, fill, fillTable } from './element.js';
import { chanceText } from './figures.js';

/** @import { Reading } from '../../sla/reading.ts' */

/** @param {Reading} reading */
export function showOutlook(reading) {
  const isOver = Date.parse(reading.asOf) >= Date.parse(reading.period.end);
  byId('outlook-section').hidden = isOver;
  if (isOver) return;
  fill(byId('outlook'), picture(reading), lines(reading));
}

/** @param {Reading} reading */
function picture(reading) {
  const { budget, period, projection } = reading;
  const lostAt = (/** @type {number} */ ratio) => (1 - ratio) * period.windows;
  const best = lostAt(projection.availability.high);
  const worst = lostAt(projection.availability.low);
  // Far enough to see the worst end of the band and the first line, with air to the right of both.
  const end = Math.max(worst, budget.lost, budget.allowed + 1) * 1.15;
  const percent = (/** @type {number} */ count) => (Math.min(count, end) / end) * 100;
  const words = `${budget.lost} lost so far; at month end ${Math.round(projection.expectedLost)} expected, between ${Math.round(best)} and ${Math.round(worst)}.`;
  return element(
    'div',
    { class: 'scale', role: 'img', 'aria-label': words },
    bar('band', percent(best), percent(worst)),
    bar('spent', 0, percent(budget.lost)),
    bar('expected', percent(projection.expectedLost), percent(projection.expectedLost)),
    ...reading.lines
      .filter((line) => line.allowed + 1 <= end)
      .map((line) =>
        bar('line', percent(line.allowed + 0.5), percent(line.allowed + 0.5), `${line.target}%`),
      ),
    bar('label', 0, 0, `${budget.lost} lost`),
    bar(
      'label',
      percent(projection.expectedLost),
      percent(projection.expectedLost),
      `${projection.expectedLost.toFixed(1)} expected`,
    ),
  );
}

/** @param {string} kind @param {number} from  percent @param {number} to @param {string} [text] */
function bar(kind, from, to, text) {
  const made = element('span', { class: kind }, text);
  // Through the object model: the page's policy forbids style attributes.
  made.style.left = `${from}%`;
  made.style.width = `${to - from}%`;
  return made;
}

/** @param {Reading} reading */
function lines({ lines, projection }) {
  const caption = element('caption', { class: 'unseen' }, 'The lines of the contract');
  const table = element('table', { class: 'lines' }, caption);
  fillTable(
    table,
    ['Line', 'Windows left', 'Chance to miss', 'Voucher then'],
    lines.map(({ target, left, allowed, crossed, voucherPercent }) => [
      `${target}%`,
      crossed ? 'missed' : `${left} of ${allowed}`,
      crossed ? '' : chanceText(projection.breachProbability[target] ?? 0),
      `${voucherPercent}%`,
    ]),
  );
  return table;
}
