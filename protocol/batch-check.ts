import { CAUSES } from '../sla/cause.ts';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { type Batch, isCallback, isLabel } from './frame.ts';
import { LIMITS } from './limits.ts';

/**
 * `batchSchema` by hand, for the one frame that a daemon reads ten thousand times a second: it accepts exactly
 * what the schema accepts (a fuzz test compares them), in about a tenth of the time. It gives no reason; for
 * one, ask the schema.
 */
export function isBatch(value: unknown): value is Batch {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const frame = value as Readonly<Record<string, unknown>>;
  const { cells, alive, lost, clockOffsetMs, digest } = frame;
  return (
    frame.type === 'batch' &&
    isCount(frame.epoch, 0) &&
    isCount(frame.seq, 1) &&
    typeof digest === 'string' &&
    DIGEST.test(digest) &&
    isCount(frame.minute, 0) &&
    (clockOffsetMs === null || (typeof clockOffsetMs === 'number' && Number.isFinite(clockOffsetMs))) &&
    Array.isArray(cells) &&
    cells.length <= LIMITS.cellsPerBatch &&
    Array.isArray(alive) &&
    alive.length <= LIMITS.servicesPerAgent &&
    fieldCount(frame) === 9 &&
    areCells(cells) &&
    alive.every(isService) &&
    isLost(lost)
  );
}

const DIGEST = /^[0-9a-f]{16}$/;
/** Equal to nothing that JSON can say. */
const NO_SERVICE = {};
const FAILURE_CAUSES: ReadonlySet<unknown> = new Set(CAUSES);

/** Labels that were found valid; beyond it all are forgotten and looked at anew. */
const LABELS_KNOWN = 1_000;
const knownLabels = new Set<unknown>(['']);

/**
 * `isLabel` with a memory: a fleet has few labels and repeats them in every cell. Looking one up costs its hash,
 * which its text then has for whoever counts by it; that made reading and counting a full batch a fifth faster.
 */
function isOftenLabel(value: unknown): boolean {
  if (knownLabels.has(value)) return true;
  if (!isLabel(value)) return false;
  if (knownLabels.size >= LABELS_KNOWN) knownLabels.clear();
  knownLabels.add(value);
  return true;
}

function areCells(cells: readonly unknown[]): boolean {
  // Neighbouring cells mostly share their service, so its pattern is tried once for each run.
  let known: unknown = NO_SERVICE;
  for (const value of cells) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const cell = value as Readonly<Record<string, unknown>>;
    if (cell.service !== known) {
      if (!isService(cell.service)) return false;
      known = cell.service;
    }
    if (
      !isCount(cell.minute, 0) ||
      !isOftenLabel(cell.region) ||
      !isOftenLabel(cell.platform) ||
      !isOftenLabel(cell.code) ||
      !isCount(cell.n, 1) ||
      cell.n > LIMITS.countPerCell ||
      fieldCount(cell) !== 8
    ) {
      return false;
    }
    if (cell.result === 'ok') {
      if (cell.cause !== '') return false;
    } else if (cell.result === 'failed') {
      if (!FAILURE_CAUSES.has(cell.cause)) return false;
    } else if (!isCallbackCell(cell)) return false;
  }
  return true;
}

function isCallbackCell({
  result,
  region,
  platform,
  cause,
  code,
}: Readonly<Record<string, unknown>>): boolean {
  return isCallback(result) && region === '' && platform === '' && cause === '' && code === '';
}

function isLost(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const lost = value as Readonly<Record<string, unknown>>;
  for (const reason in lost) {
    if (!isLabel(reason) || !isCount(lost[reason], 0)) return false;
  }
  return true;
}

function isService(value: unknown): boolean {
  return typeof value === 'string' && SERVICE_PATTERN.test(value);
}

function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

/** Fields of a parsed JSON object; `for in` reads them from the shape that V8 keeps, without an array. */
function fieldCount(object: object): number {
  let count = 0;
  for (const _ in object) count += 1;
  return count;
}
