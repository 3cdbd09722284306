import type { Cursor } from './store.ts';

/**
 * A stored cursor is the text `epoch seq day digest`: `day` is the UTC day on which the producer was last
 * heard, by which cursors of producers that never come back are found and dropped.
 */
export interface StoredCursor extends Cursor {
  readonly epoch: number;
  readonly day: number;
}

export const NO_CURSOR: Cursor = { seq: 0, digest: '' };

export function formatCursor(cursor: StoredCursor): string {
  return `${cursor.epoch} ${cursor.seq} ${cursor.day} ${cursor.digest}`;
}

export function parseCursor(text: string): StoredCursor {
  const match = /^(\d+) (\d+) (\d+) (.*)$/su.exec(text);
  if (match === null) throw new Error(`a stored cursor reads ${JSON.stringify(text)}`);
  return {
    epoch: Number(match[1]),
    seq: Number(match[2]),
    day: Number(match[3]),
    digest: match[4] ?? '',
  };
}
