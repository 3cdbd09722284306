// The month as a picture: a row a day, a column a window. The picture is one canvas; a cursor that the arrow keys
// move makes it readable without a mouse, and day-table.js says the same in words.

import { drawCell, lookOf } from './calendar-cells.js';
import { clock, dayLabel } from './contract-time.js';
import { byId, byIdAs } from './element.js';

/** @import { ContractMonth, Cells, Brush } from './types.d.ts' */

const LABELS_WIDTH = 52;
const HOURS_HEIGHT = 20;
const ROW_HEIGHT = 11;
const ROW_GAP = 5;
/** How far beside a lost window a finger may land, in CSS pixels. */
const FINGER = 6;
const COLOURS = 'paper clean some close lost excluded idle unmeasured ahead faint'.split(' ');

/**
 * @param {object} listeners
 * @param {(place: number | null) => void} listeners.onPoint  the window under the pointer or the cursor
 * @param {(place: number) => void} listeners.onChoose  a click, or Enter
 */
export function calendar({ onPoint, onChoose }) {
  const grid = byId('grid');
  const canvas = byIdAs('month-picture', HTMLCanvasElement);
  const cursor = byId('cursor');
  /** @type {{ month: ContractMonth, cells: Cells } | null} */
  let shown = null;
  let at = 0;

  const cellWidth = () => (grid.clientWidth - LABELS_WIDTH) / (shown?.month.perDay ?? 288);
  const topOf = (/** @type {number} */ day) => HOURS_HEIGHT + day * (ROW_HEIGHT + ROW_GAP);

  function colours() {
    const style = getComputedStyle(grid);
    return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function draw() {
    if (shown === null || grid.clientWidth === 0) return;
    const { month, cells } = shown;
    const height = topOf(month.days);
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(grid.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    grid.style.height = `${height}px`;
    const context = canvas.getContext('2d');
    if (context === null) return;
    const brush = { context, colours: colours(), hairline: Math.max(1, Math.round(ratio)) };
    drawLabels(brush, { month, ratio, font: getComputedStyle(grid).fontFamily, width: cellWidth(), topOf });

    const boxOf = (/** @type {number} */ place) => {
      const day = Math.floor(place / month.perDay);
      const slot = place % month.perDay;
      const left = Math.round((LABELS_WIDTH + slot * cellWidth()) * ratio);
      const right = Math.round((LABELS_WIDTH + (slot + 1) * cellWidth()) * ratio);
      const top = Math.round(topOf(day) * ratio);
      return { left, top, width: right - left, height: Math.round(ROW_HEIGHT * ratio) };
    };
    /** @type {number[]} */
    const lost = [];
    for (let place = 0; place < month.days * month.perDay; place += 1) {
      const look = lookOf(month, place, cells[place]);
      if (look === 'lost' || look === 'lost-few') lost.push(place);
      else drawCell(brush, look, boxOf(place));
    }
    // Last, because they stand out of their row and, on a phone, over their neighbours.
    for (const place of lost) drawCell(brush, lookOf(month, place, cells[place]), boxOf(place));
  }

  /** @param {number} place */
  function moveTo(place) {
    if (shown === null) return;
    at = Math.min(Math.max(place, 0), shown.month.days * shown.month.perDay - 1);
    const day = Math.floor(at / shown.month.perDay);
    const width = Math.max(cellWidth(), 3);
    cursor.style.left = `${LABELS_WIDTH + (at % shown.month.perDay) * cellWidth() - 2}px`;
    cursor.style.top = `${topOf(day) - 4}px`;
    cursor.style.width = `${width + 4}px`;
    cursor.style.height = `${ROW_HEIGHT + 8}px`;
    cursor.hidden = false;
    grid.setAttribute('aria-valuenow', String(at));
  }

  /** @param {PointerEvent | MouseEvent} event @returns {number | null} */
  function placeUnder(event) {
    if (shown === null) return null;
    const { left, top } = grid.getBoundingClientRect();
    const { perDay, days } = shown.month;
    const slot = Math.floor((event.clientX - left - LABELS_WIDTH) / cellWidth());
    const day = Math.floor((event.clientY - top - HOURS_HEIGHT + ROW_GAP / 2) / (ROW_HEIGHT + ROW_GAP));
    if (slot < 0 || slot >= perDay || day < 0 || day >= days) return null;
    return nearestLost(day * perDay + slot) ?? day * perDay + slot;
  }

  /**
   * A lost window within a finger's reach in the same row: cells are a pixel wide on a phone.
   * @param {number} place
   */
  function nearestLost(place) {
    const reach = Math.floor(FINGER / cellWidth());
    for (let far = 0; far <= reach; far += 1) {
      for (const near of [place - far, place + far]) if (shown?.cells[near]?.verdict === 'down') return near;
    }
    return null;
  }

  /** @param {1 | -1} step @returns {number} the next lost window, or where the cursor is */
  function lostAfter(step) {
    const cells = shown?.cells ?? [];
    for (let place = at + step; place >= 0 && place < cells.length; place += step) {
      if (cells[place]?.verdict === 'down') return place;
    }
    return at;
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (shown === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const { perDay } = shown.month;
    const count = shown.month.days * perDay;
    const moves = {
      ArrowLeft: () => at - 1,
      ArrowRight: () => at + 1,
      ArrowUp: () => (at >= perDay ? at - perDay : at),
      ArrowDown: () => (at + perDay < count ? at + perDay : at),
      Home: () => at - (at % perDay),
      End: () => at - (at % perDay) + perDay - 1,
      PageUp: () => lostAfter(-1),
      PageDown: () => lostAfter(1),
    };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move !== undefined) {
      event.preventDefault();
      moveTo(move());
      onPoint(at);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      onChoose(at);
    }
  }

  grid.addEventListener('keydown', onKey);
  grid.addEventListener('focus', () => {
    moveTo(at);
    onPoint(at);
  });
  grid.addEventListener('blur', () => onPoint(null));
  grid.addEventListener('pointermove', (event) => onPoint(placeUnder(event)));
  grid.addEventListener('pointerleave', () => onPoint(null));
  grid.addEventListener('click', (event) => {
    const place = placeUnder(event);
    if (place === null) return;
    moveTo(place);
    onChoose(place);
  });
  new ResizeObserver(() => {
    draw();
    if (!cursor.hidden) moveTo(at);
  }).observe(grid);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

  return {
    /** @param {ContractMonth} month @param {Cells} cells */
    show(month, cells) {
      if (shown?.month.month !== month.month) {
        at = 0;
        cursor.hidden = true;
      }
      shown = { month, cells };
      grid.setAttribute('aria-valuemax', String(month.days * month.perDay - 1));
      draw();
    },
    moveTo,
    /** Those of the scheme in use, by the names of style.css without the dashes. */
    colours,
    /** Where a hint about a window belongs, in CSS pixels from the grid's corner. @param {number} place */
    positionOf(place) {
      const { perDay } = shown?.month ?? { perDay: 288 };
      return {
        x: LABELS_WIDTH + ((place % perDay) + 0.5) * cellWidth(),
        y: topOf(Math.floor(place / perDay)),
        below: ROW_HEIGHT,
      };
    },
  };
}

/**
 * @param {Brush} brush
 * @param {{ month: ContractMonth, ratio: number, font: string, width: number, topOf: (day: number) => number }} labels
 */
function drawLabels({ context, colours }, { month, ratio, font, width, topOf }) {
  context.fillStyle = colours.faint ?? '';
  context.font = `${11 * ratio}px ${font}`;
  context.textBaseline = 'middle';
  for (let day = 0; day < month.days; day += 1) {
    context.fillText(dayLabel(month, day), 0, (topOf(day) + ROW_HEIGHT / 2) * ratio);
  }
  const step = width * month.perDay < 400 ? 6 : 3;
  for (let hour = 0; hour <= 24; hour += step) {
    const slot = (hour / 24) * month.perDay;
    const text = hour === 24 ? '24:00' : clock(month, slot);
    context.textAlign = hour === 24 ? 'right' : hour === 0 ? 'left' : 'center';
    context.fillText(text, (LABELS_WIDTH + slot * width) * ratio, (HOURS_HEIGHT / 2 - 2) * ratio);
  }
  context.textAlign = 'left';
}
