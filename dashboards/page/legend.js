// What the cells of the picture mean, drawn by the same brush.

import { drawCell, LOOK_NAMES } from './calendar-cells.js';
import { byId, element, fill } from './element.js';

/** @import { Look, Brush } from './types.d.ts' */

const SAMPLE = { width: 14, height: 18 };

/**
 * @param {Record<string, string>} colours  see Brush
 * @param {boolean} hasAbsent  whether the month has windows without a minute
 */
export function showLegend(colours, hasAbsent) {
  const ratio = window.devicePixelRatio || 1;
  const looks = Object.entries(LOOK_NAMES).filter(([look]) => look !== 'absent' || hasAbsent);
  const samples = looks.map(([look, name]) => {
    const canvas = element('canvas', {
      width: SAMPLE.width * ratio,
      height: SAMPLE.height * ratio,
      'aria-hidden': 'true',
    });
    const context = canvas.getContext('2d');
    if (context !== null) {
      const hairline = Math.max(1, Math.round(ratio));
      const width = look === 'lost' || look === 'lost-few' ? 4 : SAMPLE.width;
      const box = {
        left: Math.round(((SAMPLE.width - width) / 2) * ratio),
        top: 4 * ratio,
        width: width * ratio,
        height: 10 * ratio,
      };
      drawCell({ context, colours, hairline }, /** @type {Look} */ (look), box);
    }
    return element('li', {}, canvas, name);
  });
  fill(byId('legend'), ...samples);
}
