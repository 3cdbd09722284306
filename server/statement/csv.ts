import { CAUSES } from '../../sla/cause.ts';
import type { Statement } from '../../sla/statement.ts';
import type { WindowRow } from '../../sla/window-row.ts';
import { csvLine, parseCsv } from './csv-text.ts';
import { dataOf, type Field, type FieldType, fieldsOf } from './flat-fields.ts';

/**
 * A statement as CSV, complete: what is not a window comes first, one named value a line, then the windows, one
 * a line. Excel needs the byte order mark to read the reasons that people wrote as UTF-8.
 */
const BYTE_ORDER_MARK = '\uFEFF';
const FIELD_HEAD = ['record', 'name', 'type', 'value'] as const;
const WINDOW_HEAD = [
  'record',
  'start',
  'verdict',
  'minutes',
  'excludedMinutes',
  'aliveMinutes',
  'attempts',
  ...CAUSES,
  'countedAttempts',
  'countedFailures',
  'excludedAttempts',
  ...CAUSES.map((cause) => `excluded.${cause}`),
  'lateAttempts',
  'lowVolume',
] as const;
/** Names of the hash's line and of the list that the windows' lines are. */
const HASH = 'sha256';
const ROWS = 'rows';

export function statementCsv({ rows, ...rest }: Statement, hash: string): string {
  const fields = fieldsOf({ ...rest, [HASH]: hash });
  return [
    BYTE_ORDER_MARK,
    csvLine(FIELD_HEAD),
    ...fields.map(({ name, type, value }) => csvLine(['field', name, type, value])),
    csvLine(WINDOW_HEAD),
    ...rows.map((row) => csvLine(cellsOf(row))),
  ].join('');
}

function cellsOf(row: WindowRow): (string | number | boolean)[] {
  const { excluded } = row;
  return [
    'window',
    row.start,
    row.verdict,
    row.minutes,
    row.excludedMinutes,
    row.aliveMinutes,
    row.attempts,
    ...CAUSES.map((cause) => row.failures[cause]),
    row.counted.attempts,
    row.counted.failures,
    // Empty: nothing was recorded in excluded minutes.
    excluded?.attempts ?? '',
    ...CAUSES.map((cause) => excluded?.failures[cause] ?? ''),
    row.lateAttempts,
    row.lowVolume,
  ];
}

export type ReadCsv =
  | { readonly ok: true; readonly data: Record<string, unknown> }
  | { readonly ok: false; readonly message: string };

/** Whether a text begins as `statementCsv` does. */
export function looksLikeStatementCsv(text: string): boolean {
  return withoutMark(text).startsWith(FIELD_HEAD.join(','));
}

/** Takes a statement's CSV apart into what its JSON holds, the hash included; never throws. */
export function readStatementCsv(text: string): ReadCsv {
  const lines = parseCsv(withoutMark(text));
  if (lines === undefined) return { ok: false, message: 'a quotation mark is out of place' };
  const [head, ...body] = lines;
  if (!isSame(head, FIELD_HEAD)) return { ok: false, message: `line 1 is not ${FIELD_HEAD.join(',')}` };
  const split = body.findIndex((cells) => isSame(cells, WINDOW_HEAD));
  if (split < 0) return { ok: false, message: 'the head of the windows is missing' };
  const fields: Field[] = [];
  for (const [index, cells] of body.slice(0, split).entries()) {
    const [record, name, type, value, ...more] = cells;
    if (record !== 'field' || name === undefined || value === undefined || more.length > 0) {
      return { ok: false, message: `line ${index + 2} is no field of four cells` };
    }
    fields.push({ name, type: type as FieldType, value });
  }
  const read = dataOf(fields);
  if (!read.ok) {
    return { ok: false, message: `line ${read.index + 2}, ${fields[read.index]?.name}: ${read.message}` };
  }
  const rows: unknown[] = [];
  for (const [index, cells] of body.slice(split + 1).entries()) {
    const row = rowFrom(cells);
    if (row === undefined)
      return { ok: false, message: `${ROWS}[${index}], line ${split + index + 3}, is no window` };
    rows.push(row);
  }
  return { ok: true, data: { ...read.data, [ROWS]: rows } };
}

function rowFrom(cells: readonly string[]): unknown {
  if (cells.length !== WINDOW_HEAD.length || cells[0] !== 'window') return undefined;
  const cell = (name: (typeof WINDOW_HEAD)[number]) => cells[WINDOW_HEAD.indexOf(name)]!;
  const failures = (prefix: '' | 'excluded.') =>
    Object.fromEntries(CAUSES.map((cause) => [cause, integer(cell(`${prefix}${cause}`))]));
  const lowVolume = cell('lowVolume');
  return {
    start: cell('start'),
    verdict: cell('verdict'),
    minutes: integer(cell('minutes')),
    excludedMinutes: integer(cell('excludedMinutes')),
    aliveMinutes: integer(cell('aliveMinutes')),
    attempts: integer(cell('attempts')),
    failures: failures(''),
    counted: { attempts: integer(cell('countedAttempts')), failures: integer(cell('countedFailures')) },
    ...(cell('excludedAttempts') !== '' && {
      excluded: { attempts: integer(cell('excludedAttempts')), failures: failures('excluded.') },
    }),
    lateAttempts: integer(cell('lateAttempts')),
    lowVolume: lowVolume === 'true' ? true : lowVolume === 'false' ? false : lowVolume,
  };
}

/** The integer that a cell writes; the text itself when it writes none, for the comparison to complain of. */
function integer(text: string): number | string {
  return /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : text;
}

function isSame(cells: readonly string[] | undefined, head: readonly string[]): boolean {
  return cells?.length === head.length && head.every((name, index) => cells[index] === name);
}

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}
