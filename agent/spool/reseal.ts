import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchLog } from './batch-log.ts';
import { batchEntry, readBatch, type SpoolEntry, skipEntry } from './batch-record.ts';
import { type Disk, isErrno } from './disk.ts';
import { adoptIdentity } from './identity.ts';
import type { Positions } from './intake-record.ts';
import { SPOOL_BOUNDS } from './limits.ts';
import type { Parts } from './parts.ts';
import type { SpoolState } from './state.ts';

/**
 * Copies what is not counted into another identity's logs, numbered from 1, makes that the current one, and deletes
 * the other. Until that is done both take their room.
 */
export async function resealUnder(
  fresh: Parts,
  old: Parts,
  options: {
    /** Highest seq that needs no copy. */
    readonly counted: number;
    readonly known: Pick<SpoolState, 'services' | 'callbacksOnly'>;
    readonly positions: Positions;
    readonly disk: Disk;
    readonly directory: string;
    readonly nowMs: number;
  },
): Promise<void> {
  const { counted, known, positions, disk, directory, nowMs } = options;
  const { identity, batches, journal, state } = fresh;
  try {
    await copyEntries(old.batches, counted + 1, batches, nowMs);
    await state.write(known);
    await journal.mark({ openSeq: batches.lastSealed + 1, accepted: batches.after, positions }, nowMs);
    await old.journal.handOverIds(nowMs);
    // Until here a crash leaves the old identity as it was.
    await adoptIdentity(disk, directory, identity);
  } catch (error) {
    await Promise.all([journal.close(), batches.close()]);
    // The file may name the new identity already, and then its folder must stay until it does not.
    await adoptIdentity(disk, directory, old.identity);
    await rm(join(directory, identity.producerId), { recursive: true, force: true });
    throw isErrno((error as Error).cause ?? error, 'ENOSPC') ? new SpoolRoomError(error as Error) : error;
  }
  // All of it is in the daemon's books or copied. What is left of it, the next start sets aside.
  await rm(join(directory, old.identity.producerId), { recursive: true, force: true }).catch(() => {});
}

/** A new identity needs a copy of what is not counted, for as long as it is being made. */
export class SpoolRoomError extends Error {
  readonly code = 'SPOOL_NO_ROOM';
  constructor(cause: Error) {
    super(
      `the daemon holds other batches under this spool's numbers, and there is no room to copy it under a new identity (${cause.message}); free the disk: nothing is delivered until then`,
      { cause },
    );
    this.name = 'SpoolRoomError';
  }
}

/** @throws SpoolRoomError when the disk has not so many bytes, even without what was set aside */
export async function makeRoom(
  disk: Disk,
  directory: string,
  { bytes, clearAside }: { readonly bytes: number; readonly clearAside: () => Promise<boolean> },
): Promise<void> {
  for (;;) {
    const { freeBytes } = await disk.space(directory);
    if (freeBytes > bytes) return;
    if (await clearAside()) continue;
    throw new SpoolRoomError(new Error(`it needs ${bytes} bytes, and ${freeBytes} are free`));
  }
}

/** Seals entries anew, numbered on from the end of another log. */
async function copyEntries(from: BatchLog, fromSeq: number, to: BatchLog, nowMs: number): Promise<void> {
  for (let seq = Math.max(fromSeq, from.firstRetained); seq <= from.lastSealed; ) {
    const entries = await from.read(seq, SPOOL_BOUNDS.groupBytes);
    const copies: SpoolEntry[] = [];
    let [next, before] = [to.lastSealed + 1, to.after];
    for (const entry of entries) {
      const copy = renumber(entry, next, { before, sealedAtMs: nowMs });
      copies.push(copy);
      next += 1;
      before += copy.outcomes;
    }
    await to.append(...(copies as [SpoolEntry, ...SpoolEntry[]]));
    seq = entries.at(-1)!.to + 1;
  }
}

function renumber(entry: SpoolEntry, seq: number, place: { before: number; sealedAtMs: number }): SpoolEntry {
  if (entry.kind === 'skip') {
    const { reason } = JSON.parse(entry.text) as { reason: string };
    return skipEntry({ from: seq, to: seq, reason, outcomes: entry.outcomes }, place);
  }
  const { minute, clockOffsetMs, cells, alive, lost } = readBatch(entry);
  return batchEntry({ seq, minute, clockOffsetMs, cells, alive, lost }, place);
}
