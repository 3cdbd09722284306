import { type Cell, isCallback } from '../../protocol/frame.ts';
import { CAUSES } from '../../sla/cause.ts';
import { CALLBACK_INDEX, CALLBACK_MEASURES } from '../../sla/facts.ts';
import { outcomesOf } from './batch-record.ts';
import { RECORD_TYPES, type SpoolRecord } from './record.ts';

/**
 * One group commit of the intake journal: outcomes accepted together, folded, and what goes with them.
 *
 * Written as two records in one write. The second, the commit, repeats the totals, so that a single damaged
 * record is either replaced or counted exactly; it also opens every segment of the journal.
 */
export interface IntakeGroup {
  /** Number of the group, from 1. */
  readonly number: number;
  readonly totals: IntakeTotals;
  /** What was added to the agent's clock; null while the offset is not known. */
  readonly clockOffsetMs: number | null;
  readonly cells: readonly Cell[];
  /** Eight bytes for each id among the outcomes. */
  readonly ids: Buffer;
}

export interface IntakeTotals {
  /** Seq of the batch in which the outcomes will be sealed. */
  readonly openSeq: number;
  /** Outcomes accepted up to here, these included. */
  readonly accepted: number;
  /** How far followed files are read. */
  readonly positions: Positions;
}

export type Positions = Readonly<Record<string, FilePosition>>;
export interface FilePosition {
  readonly inode: number;
  /** By the file system's clock; 0 = not known. Tells another file that got the inode. */
  readonly bornAtMs: number;
  /** Into the content; that of a compressed file is what it unpacks to. */
  readonly offset: number;
  /** Of the content's first bytes: tells most other files at a glance. */
  readonly headBytes: number;
  readonly headCrc: number;
  /** Of the content up to `offset`: tells the file by whatever name, inode and compression it has by now. */
  readonly contentCrc: number;
  /** The file was written to then or later, by the file system's clock. */
  readonly writtenAtMs: number;
}

/**
 * Labels as an array, because the names of the fields would be half of the journal. The fifth is the result: the
 * cause of a failure by its place in CAUSES, or, below zero, a success and then the callbacks by their place.
 */
type CellRow = readonly [string, number, string, string, number, string, number];
const OK = -1;
const FIRST_CALLBACK = -2;

export function encodeGroup(group: IntakeGroup, wallMs: number): SpoolRecord {
  const { totals, clockOffsetMs, cells, ids } = group;
  const rows = cells.map(
    (cell): CellRow => [
      cell.service,
      cell.minute,
      cell.region,
      cell.platform,
      resultNumber(cell),
      cell.code,
      cell.n,
    ],
  );
  const json = Buffer.from(JSON.stringify({ ...totals, clockOffsetMs, rows }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const payload = Buffer.concat([length, json, ids]);
  return { type: RECORD_TYPES.intake, seq: group.number, wallMs, payload };
}

export function encodeCommit(number: number, totals: IntakeTotals, wallMs: number): SpoolRecord {
  const payload = Buffer.from(JSON.stringify(totals));
  return { type: RECORD_TYPES.commit, seq: number, wallMs, payload };
}

export function decodeGroup({ seq, payload }: SpoolRecord): IntakeGroup {
  const end = 4 + payload.readUInt32LE(0);
  const { rows, clockOffsetMs, ...totals } = JSON.parse(payload.toString('utf8', 4, end)) as IntakeTotals & {
    clockOffsetMs: number | null;
    rows: readonly CellRow[];
  };
  const cells = rows.map(
    ([service, minute, region, platform, result, code, n]): Cell => ({
      service,
      minute,
      region,
      platform,
      ...readResult(result),
      code,
      n,
    }),
  );
  return { number: seq, totals, clockOffsetMs, cells, ids: payload.subarray(end) };
}

function resultNumber({ result, cause }: Cell): number {
  if (cause !== '') return CAUSES.indexOf(cause);
  return isCallback(result) ? FIRST_CALLBACK - CALLBACK_INDEX[result] : OK;
}

function readResult(number: number): Pick<Cell, 'result' | 'cause'> {
  const cause = CAUSES[number];
  if (cause !== undefined) return { result: 'failed', cause };
  return { result: CALLBACK_MEASURES[FIRST_CALLBACK - number] ?? 'ok', cause: '' };
}

export function decodeCommit({ payload }: SpoolRecord): IntakeTotals {
  return JSON.parse(payload.toString('utf8')) as IntakeTotals;
}

export function outcomesIn(group: IntakeGroup): number {
  return outcomesOf(group.cells, {});
}
