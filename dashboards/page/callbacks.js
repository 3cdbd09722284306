// What the vendor's own callbacks say of the month, where it sends them: how much of it was measured, and the surges
// that a person decides about.

import { localTime } from './contract-time.js';
import { byId, faint, fill, linkButton } from './element.js';
import { countText, plural, shareText } from './figures.js';

/** @import { CallbackEvidence, Surge } from '../../sla/reading.ts' */
/** @import { ContractMonth } from './types.d.ts' */

/** More than this are counted, not listed. */
const SURGES_SHOWN = 10;

/**
 * @param {object} shown
 * @param {ContractMonth} shown.month
 * @param {CallbackEvidence | undefined} shown.callbacks
 * @param {(surge: Surge) => void} shown.onExclude
 */
export function showCallbacks({ month, callbacks, onExclude }) {
  const box = byId('callbacks');
  box.hidden = callbacks === undefined;
  if (callbacks === undefined) return;
  const rows = callbacks.surges.slice(-SURGES_SHOWN).reverse();
  const earlier = callbacks.surges.length - rows.length;
  fill(
    box,
    faint(coverageText(callbacks)),
    ...rows.map((surge) =>
      faint(
        `${surgeText(month, surge)} `,
        linkButton('Exclude it', () => onExclude(surge), 'small'),
      ),
    ),
    earlier > 0 ? faint(`${plural(earlier, 'earlier surge')}.`) : null,
  );
}

/** @param {CallbackEvidence} callbacks @returns {string} */
function coverageText({ entered, reported, coverage }) {
  if (coverage === null)
    return "The provider's callbacks tell of users who left or came back, and of none who entered.";
  return `The provider's callbacks tell of ${plural(entered, 'entry', 'entries')}; agents reported ${plural(reported, 'success', 'successes')} in the same minutes (${shareText(coverage)}).`;
}

/** @param {ContractMonth} month @param {Surge} surge @returns {string} */
function surgeText(month, { from, to, rise, entered, returned }) {
  const back =
    returned === 0
      ? 'none came back after a time-out'
      : `${countText(returned)} came back after a time-out; who came back is no new user`;
  return `${countText(rise)} users came on top, ${localTime(month, from)} to ${localTime(month, to)}. While it rose, ${plural(entered, 'user')} entered and ${back}. Unless it was announced in time, clause 4.6 takes downtime in such a surge out; that is for you to decide.`;
}
