import { MINUTES_A_DAY } from '../../sla/instant.ts';
import type { WindowRow } from '../../sla/window-row.ts';
import { dayOf } from './contract-time.ts';
import type { MonthView } from './month-view.ts';
import type { Paint, Tone } from './paint.ts';

/**
 * The month drawn as days by hours, each cell the worst that happened in it. ASCII, so that it reads the same in
 * every terminal, log and mail; every mark differs in shape, so that nothing depends on colour.
 */
interface Mark {
  readonly sign: string;
  readonly tone: Tone;
  readonly meaning: string;
}

/** The worst first. */
const MARKS = [
  { sign: '#', tone: 'bad', meaning: 'lost' },
  { sign: '+', tone: 'bad', meaning: 'lost, low volume' },
  { sign: '?', tone: 'warn', meaning: 'unmeasured' },
  { sign: 'E', tone: 'left-out', meaning: 'excluded' },
  { sign: '-', tone: 'faint', meaning: 'idle' },
  { sign: '.', tone: 'good', meaning: 'up' },
  { sign: ' ', tone: 'faint', meaning: 'to come' },
] as const satisfies readonly Mark[];
const [LOST, LOST_LOW, UNMEASURED, EXCLUDED, IDLE, UP, TO_COME] = [0, 1, 2, 3, 4, 5, 6] as const;

const HOURS = 24;
/** Columns from which a cell takes two of them, and below which it stands for six hours. */
const WIDE_COLUMNS = 80;
const BLOCK_COLUMNS = 44;

export function monthMap(
  view: MonthView,
  { columns, paint }: { readonly columns: number; readonly paint: Paint },
): string[] {
  const hoursPerCell = columns < BLOCK_COLUMNS ? 6 : 1;
  const gap = columns >= WIDE_COLUMNS ? ' ' : '';
  const days = Math.ceil((view.month.windows * view.month.windowMinutes) / MINUTES_A_DAY);
  const rows: string[] = [];
  const seen = new Set<number>();
  for (let day = 0; day < days; day++) {
    const { date, weekday } = dayOf(view.month, day);
    const cells: string[] = [];
    for (let hour = 0; hour < HOURS; hour += hoursPerCell) {
      const from = day * MINUTES_A_DAY + hour * 60;
      const worst = worstOf(view, from, from + hoursPerCell * 60);
      seen.add(worst);
      const { sign, tone } = MARKS[worst]!;
      const isQuarter = hour > 0 && hour % 6 === 0 && hoursPerCell === 1;
      cells.push(`${isQuarter ? ' ' : ''}${paint(tone, sign)}`);
    }
    const lost = lostOn(view, day);
    const tail = lost === 0 ? '' : `  ${paint('bad', `${lost} lost`)}`;
    rows.push(`${weekday} ${date.slice(8)}  ${cells.join(gap)}${tail}`.trimEnd());
  }
  const used = MARKS.filter((mark, index) => seen.has(index) && mark.sign !== ' ');
  const legend = used.map(({ sign, tone, meaning }) => `${paint(tone, sign)} ${meaning}`);
  return [hourLine(hoursPerCell, gap), ...rows, ...legendLines(legend, used, columns)];
}

/** '00', '06', '12', '18' above the cells where they begin. */
function hourLine(hoursPerCell: number, gap: string): string {
  const marks = ['00', '06', '12', '18'];
  if (hoursPerCell > 1)
    return `        ${marks.map((mark) => mark[0]).join('')}\n        ${marks.map((mark) => mark[1]).join('')}`;
  const quarter = 6 * (1 + gap.length) + 1;
  return `        ${marks.map((mark) => mark.padEnd(quarter)).join('')}`.trimEnd();
}

function legendLines(legend: readonly string[], marks: readonly Mark[], columns: number): string[] {
  const lines: string[] = [''];
  let width = 0;
  for (const [index, text] of legend.entries()) {
    // Colour sequences take no columns.
    const length = marks[index]!.meaning.length + 2;
    if (width > 0 && width + 3 + length > columns) {
      lines.push(text);
      width = length;
    } else {
      lines.push(`${lines.pop()}${width === 0 ? '' : '   '}${text}`);
      width += (width === 0 ? 0 : 3) + length;
    }
  }
  return lines;
}

/** The mark of the windows that touch minutes [from, to) of the month's clock. */
function worstOf({ month, rows }: MonthView, from: number, to: number): number {
  let worst: number = TO_COME;
  const last = Math.min(rows.length, Math.ceil(to / month.windowMinutes));
  for (let window = Math.floor(from / month.windowMinutes); window < last; window++) {
    worst = Math.min(worst, markOf(rows[window]!));
  }
  return worst;
}

function markOf({ verdict, lowVolume }: WindowRow): number {
  switch (verdict) {
    case 'down':
      return lowVolume ? LOST_LOW : LOST;
    case 'unmeasured':
      return UNMEASURED;
    case 'excluded':
      return EXCLUDED;
    case 'idle':
      return IDLE;
    case 'up':
      return UP;
    case 'remaining':
      return TO_COME;
  }
}

function lostOn({ rows, month }: MonthView, day: number): number {
  const aDay = MINUTES_A_DAY / month.windowMinutes;
  return rows.slice(day * aDay, (day + 1) * aDay).filter(({ verdict }) => verdict === 'down').length;
}
