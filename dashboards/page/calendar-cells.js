// How each verdict looks. Never by colour alone: a lost window stands taller than its row, an excluded one is
// hatched, an idle one is a low bar, an unmeasured one a dotted line; windows that were up get darker the more
// of their attempts failed.

/** @import { ContractMonth, WindowCell, Look, Brush, Box } from './types.d.ts' */

/** Failed shares of counted attempts from which a window that is up is drawn darker; 1% loses it. */
const SOME_SHARE = 0.002;
const CLOSE_SHARE = 0.005;

/** @type {Readonly<Record<Look, string>>} */
export const LOOK_NAMES = {
  clean: 'up',
  some: 'up, 0.2% failed',
  close: 'up, 0.5% failed',
  lost: 'lost',
  'lost-few': 'lost, under 100 attempts',
  excluded: 'excluded',
  idle: 'idle: nobody called',
  unmeasured: 'unmeasured: nobody watched',
  absent: 'not there: skipped by the clock or out of service',
  ahead: 'to come',
};

/**
 * @param {Pick<ContractMonth, 'absent'>} month
 * @param {number} place
 * @param {WindowCell | undefined} cell  the one at the place
 * @returns {Look}
 */
export function lookOf({ absent }, place, cell) {
  if (absent.has(place)) return 'absent';
  if (cell === undefined) return 'ahead';
  if (cell.verdict === 'down') return cell.lowVolume ? 'lost-few' : 'lost';
  if (cell.verdict !== 'up') return cell.verdict;
  if (cell.failures >= cell.attempts * CLOSE_SHARE && cell.failures > 0) return 'close';
  return cell.failures >= cell.attempts * SOME_SHARE && cell.failures > 0 ? 'some' : 'clean';
}

/** @param {Brush} brush @param {Look} look @param {Box} box */
export function drawCell(brush, look, box) {
  const { context, colours, hairline } = brush;
  const { left, top, width, height } = box;
  const fill = (/** @type {string} */ colour, /** @type {Box} */ area) => {
    context.fillStyle = colours[colour] ?? '';
    context.fillRect(area.left, area.top, area.width, area.height);
  };
  switch (look) {
    case 'clean':
    case 'some':
    case 'close':
      fill(look, box);
      return;
    case 'lost':
    case 'lost-few':
      drawLost(brush, look === 'lost-few', box);
      return;
    case 'excluded':
      fill('clean', box);
      for (let y = 0; y < height; y += 3 * hairline) {
        fill('excluded', { left, top: top + y, width, height: hairline });
      }
      return;
    case 'idle':
      fill('idle', { left, top: top + Math.round(height * 0.7), width, height: Math.round(height * 0.3) });
      return;
    case 'unmeasured':
      fill('unmeasured', {
        left,
        top: top + Math.round(height / 2),
        width: Math.ceil(width / 2),
        height: hairline,
      });
      return;
    case 'absent':
      fill('faint', { left, top, width, height: hairline });
      fill('faint', { left, top: top + height - hairline, width, height: hairline });
      return;
    case 'ahead':
      fill('ahead', { left, top: top + Math.round(height / 2), width, height: hairline });
  }
}

/**
 * Taller than its row, and at least three pixels wide: on a phone this is the one thing to see.
 * @param {Brush} brush
 * @param {boolean} isHollow
 * @param {Box} box
 */
function drawLost({ context, colours, hairline }, isHollow, { left, top, width, height }) {
  const wide = Math.max(width, 3 * hairline);
  const over = 2 * hairline;
  context.fillStyle = colours.lost ?? '';
  context.fillRect(left, top - over, wide, height + 2 * over);
  if (!isHollow) return;
  context.fillStyle = colours.paper ?? '';
  context.fillRect(left + hairline, top, wide - 2 * hairline, height);
}
