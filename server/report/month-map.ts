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
  const seen = new Set<Mark>();
  for (let day = 0; day < days; day++) {
    const { date, weekday } = dayOf(view.month, day);
    const cells = Array.from({ length: HOURS / hoursPerCell }, (_, cell) => {
      const from = day * MINUTES_A_DAY + cell * hoursPerCell * 60;
      return MARKS[worstOf(view, from, from + hoursPerCell * 60)]!;
    });
    for (const mark of cells) seen.add(mark);
    const lost = lostOn(view, day);
    const tail = lost === 0 ? '' : `  ${paint('bad', `${lost} lost`)}`;
    const drawn = rowText(cells, { gap, isQuartered: hoursPerCell === 1, paint });
    rows.push(`${weekday} ${date.slice(8)}  ${drawn}${tail}`.trimEnd());
  }
  const used = MARKS.filter((mark) => seen.has(mark) && mark !== MARKS[TO_COME]);
  return [...hourLines(hoursPerCell, gap), ...rows, ...legendLines(used, columns, paint)];
}

/** A day's cells, with one colour sequence for neighbours alike and none for what is blank. */
function rowText(
  cells: readonly Mark[],
  { gap, isQuartered, paint }: { gap: string; isQuartered: boolean; paint: Paint },
): string {
  let text = '';
  let run = '';
  for (const [index, mark] of cells.entries()) {
    const isFirst = index === 0;
    const space = isFirst ? '' : isQuartered && index % 6 === 0 ? `${gap} ` : gap;
    if (isFirst || mark === cells[index - 1]) {
      run += `${space}${mark.sign}`;
    } else {
      text += `${painted(cells[index - 1]!, run, paint)}${space}`;
      run = mark.sign;
    }
  }
  return text + painted(cells.at(-1)!, run, paint);
}

function painted({ tone, sign }: Mark, run: string, paint: Paint): string {
  return sign === ' ' ? run : paint(tone, run);
}

/** '00', '06', '12', '18' where those hours begin; below each other over cells of six hours. */
function hourLines(hoursPerCell: number, gap: string): string[] {
  const hours = ['00', '06', '12', '18'];
  const indent = ' '.repeat(8);
  if (hoursPerCell > 1) return [0, 1].map((digit) => indent + hours.map((hour) => hour[digit]).join(''));
  const quarter = 6 * (1 + gap.length) + 1;
  return [
    indent +
      hours
        .map((hour) => hour.padEnd(quarter))
        .join('')
        .trimEnd(),
  ];
}

function legendLines(marks: readonly Mark[], columns: number, paint: Paint): string[] {
  const lines: string[] = [''];
  let width = 0;
  for (const { sign, tone, meaning } of marks) {
    // Colour sequences take no columns.
    const length = meaning.length + 2;
    const text = `${paint(tone, sign)} ${meaning}`;
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
