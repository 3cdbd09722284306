import { createHash } from 'node:crypto';
import type { Batch, Cell } from '../../protocol/frame.ts';
import { RECORD_TYPES, readUint64, type SpoolRecord, writeUint64 } from './record.ts';

/**
 * A sealed batch, or a range given up, as the spool keeps it: ready to be sent.
 *
 * Payload of a `batch` record: before u64 | outcomes u64 | frame as JSON without its epoch.
 * Payload of a `skip` record: the same, then `to` u64 before the frame.
 */
export interface SpoolEntry {
  readonly kind: 'batch' | 'skip';
  readonly from: number;
  /** Equal to `from` for a batch. */
  readonly to: number;
  /** Outcomes of all batches before this one. */
  readonly before: number;
  /** Outcomes that the daemon counts, or counts as lost, when it takes this entry. */
  readonly outcomes: number;
  /** The frame without its epoch: `{"type":...}`. */
  readonly text: string;
  readonly sealedAtMs: number;
}

export function batchEntry(
  batch: Omit<Batch, 'type' | 'epoch' | 'digest'>,
  { before, sealedAtMs }: { before: number; sealedAtMs: number },
): SpoolEntry {
  const digest = digestOf(batch.cells, batch.lost);
  const frame: Omit<Batch, 'epoch'> = { type: 'batch', digest, ...batch };
  return {
    kind: 'batch',
    from: batch.seq,
    to: batch.seq,
    before,
    outcomes: outcomesOf(batch.cells, batch.lost),
    text: JSON.stringify(frame),
    sealedAtMs,
  };
}

export function skipEntry(
  skip: { from: number; to: number; reason: string; outcomes: number },
  { before, sealedAtMs }: { before: number; sealedAtMs: number },
): SpoolEntry {
  const { from, to, reason, outcomes } = skip;
  const text = JSON.stringify({ type: 'skip', from, to, reason, outcomes });
  return { kind: 'skip', from, to, before, outcomes, text, sealedAtMs };
}

/** The frame to send: the entry under the epoch of the connection. */
export function frameText(entry: SpoolEntry, epoch: number): string {
  return `{"epoch":${epoch},${entry.text.slice(1)}`;
}

export function readBatch(entry: SpoolEntry): Omit<Batch, 'epoch'> {
  return JSON.parse(entry.text) as Omit<Batch, 'epoch'>;
}

export function encodeEntry(entry: SpoolEntry): SpoolRecord {
  const isSkip = entry.kind === 'skip';
  const text = Buffer.from(entry.text);
  const head = Buffer.alloc(isSkip ? 24 : 16);
  writeUint64(head, entry.before, 0);
  writeUint64(head, entry.outcomes, 8);
  if (isSkip) writeUint64(head, entry.to, 16);
  return {
    type: isSkip ? RECORD_TYPES.skip : RECORD_TYPES.batch,
    seq: entry.from,
    wallMs: entry.sealedAtMs,
    payload: Buffer.concat([head, text]),
  };
}

export type EntryRange = Pick<SpoolEntry, 'kind' | 'from' | 'to' | 'before' | 'outcomes'>;

/** What a record says of its place, without its text; undefined for a record of another type. */
export function entryRange({ type, seq, payload }: SpoolRecord): EntryRange | undefined {
  if (type !== RECORD_TYPES.batch && type !== RECORD_TYPES.skip) return undefined;
  const isSkip = type === RECORD_TYPES.skip;
  return {
    kind: isSkip ? 'skip' : 'batch',
    from: seq,
    to: isSkip ? readUint64(payload, 16) : seq,
    before: readUint64(payload, 0),
    outcomes: readUint64(payload, 8),
  };
}

/** @param record one that has an `entryRange` */
export function decodeEntry(record: SpoolRecord): SpoolEntry {
  const range = entryRange(record);
  if (!range) throw new RangeError(`a record of type ${record.type} is no batch`);
  const text = record.payload.toString('utf8', range.kind === 'skip' ? 24 : 16);
  return { ...range, text, sealedAtMs: record.wallMs };
}

/**
 * Names what a batch counts. Cells are ordered first, so that a batch rebuilt from the journal has the digest
 * of the one that was lost.
 * @returns 16 hexadecimal digits
 */
export function digestOf(cells: readonly Cell[], lost: Readonly<Record<string, number>>): string {
  const lines = cells.map(cellKey).sort();
  const losses = Object.entries(lost)
    .map((entry) => JSON.stringify(entry))
    .sort();
  return createHash('sha256')
    .update(JSON.stringify([lines, losses]))
    .digest('hex')
    .slice(0, 16);
}

export function outcomesOf(cells: readonly Cell[], lost: Readonly<Record<string, number>>): number {
  const counted = cells.reduce((sum, cell) => sum + cell.n, 0);
  return Object.values(lost).reduce((sum, n) => sum + n, counted);
}

function cellKey({ service, minute, region, platform, result, cause, code, n }: Cell): string {
  return JSON.stringify([service, minute, region, platform, result, cause, code, n]);
}
