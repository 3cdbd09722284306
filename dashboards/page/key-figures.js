// What explains the big number, in the order of what matters: observed, projected, money.

import { longDate } from './contract-time.js';
import { element } from './element.js';
import { availabilityText, chanceText, durationText, plural, shareText } from './figures.js';

/** @import { Line, Reading } from '../../sla/reading.ts' */

/** @param {Reading} reading @param {Line} target @param {boolean} isOver  the month is */
export function keyFigures(reading, target, isOver) {
  return [observed(reading, isOver), ...(isOver ? [] : [projected(reading, target)]), money(reading, isOver)];
}

/** @param {Reading} reading @param {boolean} isOver */
function observed({ availability, figures, coverage, downtimeMinutes }, isOver) {
  const { providerOnly, providerAndUnknown, raw } = figures;
  const notes = [downtimeMinutes === 0 ? 'no downtime' : `${durationText(downtimeMinutes)} of downtime`];
  if (providerOnly.lost !== providerAndUnknown.lost) {
    notes.push(`${availabilityText(providerOnly.ratio)} without unknown causes`);
  }
  if (raw.lost !== providerAndUnknown.lost)
    notes.push(`${availabilityText(raw.ratio)} with everybody's failures`);
  if (coverage < 1) notes.push(`${shareText(coverage)} of it was watched`);
  return figure(
    isOver ? 'Observed availability' : 'Observed availability so far',
    availability.display,
    notes,
    availability.meetsTarget ? '' : 'lost',
  );
}

/** @param {Reading} reading @param {Line} target */
function projected({ projection }, target) {
  const { expected, low, high } = projection.availability;
  const chance = projection.breachProbability[target.target] ?? 0;
  const state = target.crossed ? 'lost' : chance >= 0.25 ? 'near' : '';
  const notes = [`between ${availabilityText(low)} and ${availabilityText(high)}`];
  if (!target.crossed) notes.push(`${chanceText(chance)} chance to miss ${target.target}%`);
  return figure('Projected at month end', availabilityText(expected), notes, state);
}

/** @param {Reading} reading @param {boolean} isOver */
function money({ voucherPercent, voucher, claim, lines }, isOver) {
  const isOwed = voucherPercent > 0;
  const sum =
    voucher === undefined ? `${voucherPercent}% of the fee` : `${voucher.currency} ${voucher.amount}`;
  const notes = [];
  if (isOwed) {
    if (voucher !== undefined) notes.push(`${voucherPercent}% of the monthly fee`);
    notes.push(`claim it from ${longDate(claim.opens)}, until ${longDate(claim.deadline)}`);
  }
  const next = lines.find(({ crossed }) => !crossed);
  if (next !== undefined && !isOver) {
    notes.push(`${next.voucherPercent}% after ${plural(next.left + 1, 'more lost window')}`);
  }
  const name = isOver ? 'Voucher owed' : 'Voucher owed so far';
  return figure(name, isOwed ? sum : 'none', notes, isOwed ? 'lost' : '');
}

/** @param {string} name @param {string} value @param {readonly string[]} notes @param {string} state */
function figure(name, value, notes, state) {
  return element(
    'div',
    { class: 'figure', 'data-state': state },
    element('dt', {}, name),
    element('dd', { class: 'value' }, value),
    ...notes.map((note) => element('dd', { class: 'note' }, note)),
  );
}
