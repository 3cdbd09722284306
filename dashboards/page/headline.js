// The top of the page: the one number that matters, then the three that explain it.

import { monthName, placeOf, windowLabel } from './contract-time.js';
import { byId, element, fill } from './element.js';
import { countText, durationText, plural } from './figures.js';
import { keyFigures } from './key-figures.js';

/** @import { Line, Reading } from '../../sla/reading.ts' */
/** @import { ContractMonth } from './types.d.ts' */

/** More squares than this are a wall, not a picture. */
const PIPS_MAX = 24;

/** @param {Reading} reading @param {ContractMonth} month */
export function showHeadline(reading, month) {
  const target = targetLine(reading);
  const over = reading.budget.lost - reading.budget.allowed;
  const isOver = Date.parse(reading.asOf) >= Date.parse(reading.period.end);
  const hero = byId('left-number');
  hero.dataset.state = over > 0 ? 'lost' : reading.budget.left <= 2 ? 'near' : 'good';
  fill(hero, reading.budget.left);
  fill(byId('left-words'), leftWords(reading, isOver));
  fill(byId('left-more'), leftMore(reading, target, over, isOver));
  pips(reading.budget.allowed, reading.budget.lost);
  fill(byId('figures'), ...keyFigures(reading, target, isOver));
  openWindow(reading, month);
  const warnings = byId('warnings');
  warnings.hidden = reading.warnings.length === 0;
  fill(warnings, ...reading.warnings.map((text) => element('li', {}, text)));
}

/** The line of the target; tiers may lie above it. @param {Reading} reading @returns {Line} */
function targetLine({ lines, budget }) {
  const line = lines.find(({ allowed, left }) => allowed === budget.allowed && left === budget.left);
  if (line === undefined) throw new Error('the reading has a budget but no line for it');
  return line;
}

/** @param {Reading} reading @param {boolean} isOver */
function leftWords({ budget }, isOver) {
  const noun = budget.left === 1 ? 'window' : 'windows';
  if (!isOver) return `${noun} left`;
  return `${noun} ${budget.left === 1 ? 'was' : 'were'} left`;
}

/** @param {Reading} reading @param {Line} target @param {number} over @param {boolean} isOver */
function leftMore(reading, target, over, isOver) {
  const { allowed, lost, left } = reading.budget;
  const line = `${target.target}%`;
  const sum = `${lost} lost of the ${allowed} that ${line} allows`;
  if (over > 0) return `${sum}: the month ${isOver ? 'was' : 'is'} missed by ${over}.`;
  if (isOver) return `${sum}. The month was kept.`;
  if (left === 0) return `${sum}. The next lost window misses the month.`;
  const size = durationText(reading.period.minutes / reading.period.windows);
  return `${sum}. ${left} more may be lost, ${size} each; the one after misses the month.`;
}

/** @param {number} allowed @param {number} lost */
function pips(allowed, lost) {
  const row = byId('left-pips');
  const total = Math.max(allowed, lost);
  row.hidden = total > PIPS_MAX || total === 0;
  if (row.hidden) return;
  const kind = (/** @type {number} */ index) =>
    index >= allowed ? 'pip lost over' : index < lost ? 'pip lost' : 'pip';
  fill(row, ...Array.from({ length: total }, (_, index) => element('span', { class: kind(index) })));
}

/**
 * The verdict on the window in progress is often known long before its end.
 * @param {Reading} reading
 * @param {ContractMonth} month
 */
function openWindow(reading, month) {
  const line = byId('open-window');
  const open = reading.openWindow;
  line.hidden = open === null;
  if (open === null) return;
  const place = placeOf(month, open.start);
  const when = place === null ? 'now' : windowLabel(month, place);
  const counts = `${plural(open.failures, 'failure')} in ${plural(open.attempts, 'attempt')}`;
  line.dataset.state = open.alreadyLost ? 'lost' : open.failures > 0 ? 'near' : 'good';
  const verdict = open.alreadyLost
    ? 'already lost'
    : open.expectedAttempts === null
      ? 'not lost so far'
      : `${plural(open.failuresUntilLost, 'more failure')} would lose it`;
  fill(
    line,
    element('span', { class: 'dot', 'aria-hidden': 'true' }),
    `In progress, ${when}: ${counts}; ${verdict}.`,
  );
}

/** @param {Reading} reading @returns {string} for the title of the tab */
export function titleOf(reading) {
  const over = reading.budget.lost - reading.budget.allowed;
  const left = over > 0 ? `missed by ${over}` : `${plural(reading.budget.left, 'window')} left`;
  return `${left} – ${reading.service}, ${monthName(reading.month)}`;
}

/** @param {Reading} reading @returns {string} for the reader of a screen */
export function announcement(reading) {
  return `${reading.service}: ${titleOf(reading).split(' –')[0]}, ${countText(reading.budget.lost)} lost`;
}
