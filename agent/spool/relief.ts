import type { BatchLog } from './batch-log.ts';
import type { Delivery } from './delivery.ts';
import { type Disk, isErrno } from './disk.ts';
import type { IdLog } from './id-log.ts';
import { SPOOL_BOUNDS } from './limits.ts';
import type { SpoolSettings } from './parts.ts';

export interface Relieved {
  readonly batches: BatchLog;
  readonly idLog: Pick<IdLog, 'dropOldest'>;
  readonly disk: Disk;
  readonly directory: string;
  /** Of what was set aside, that counts towards the limit. */
  readonly asideBytes: () => number;
  /** @returns false when there was nothing set aside */
  readonly clearAside: () => Promise<boolean>;
  readonly settings: SpoolSettings;
  /**
   * Changes while segments are worked on. What is in flight will mostly be acknowledged, and must not be called lost;
   * while there is a connection, any moment.
   */
  readonly delivery: Pick<Delivery, 'acked' | 'inFlight' | 'isSending'>;
  /** Highest seq that may ever have been sent. */
  readonly sent: number;
  readonly bytes: () => number;
  readonly monotonicMs: number;
}

export type Fullness = 'spool-full' | 'disk-full';

/** Segments worked on in one call, so that a commit never waits long behind it. */
const STEPS = 16;
/** Of a small file system no more than this share is kept free, or there would be no room for a spool. */
const RESERVE_SHARE = 0.5;

/**
 * Keeps a spool to its limits. What nobody needs goes first: what was set aside, then what is acknowledged, then
 * ids, which the memory still has; then batches that were never sent are merged, which loses nothing; then the oldest
 * are given up. Nothing is, when even all of it would not free the disk.
 * @returns 'enough' when there is room for more; 'some' when it stopped before the end: the next call goes on; else why
 *          there is none, and nothing left to give up
 */
export async function relieve(spool: Relieved): Promise<'enough' | 'some' | Fullness> {
  const { batches, delivery } = spool;
  for (let step = 0; step < STEPS; step++) {
    const reason = await pressure(spool);
    if (!reason) return 'enough';
    if (reason === 'disk-full' && (await bytesToFree(spool)) > spool.bytes()) {
      // Somebody else fills the disk: all would be given up for nothing. Age has its limit all the same.
      if (!isTooOld(spool) || !(await batches.giveUpOldest(spared(spool), 'spool-age'))) return reason;
      continue;
    }
    if (reason !== 'spool-age') {
      if ((reason === 'disk-full' || spool.asideBytes() > 0) && (await spool.clearAside())) continue;
      const had = batches.bytes;
      await batches.drop(delivery.acked, () => true);
      if (batches.bytes < had) continue;
      if (await spool.idLog.dropOldest()) continue;
      if (await merge(batches, spool.sent)) continue;
    }
    if (
      reason !== 'spool-age' &&
      (await batches.giveUpOldest(Math.max(delivery.acked, delivery.inFlight), reason))
    )
      continue;
    if (await batches.giveUpOldest(spared(spool), reason)) continue;
    // What is left is in the segment being appended to; closed, it is the next to go.
    await batches.rotate();
    return reason === 'spool-age' ? 'enough' : reason;
  }
  return 'some';
}

async function pressure(spool: Relieved): Promise<Fullness | 'spool-age' | undefined> {
  if (spool.bytes() > spool.settings.maxBytes) return 'spool-full';
  if ((await bytesToFree(spool)) > 0) return 'disk-full';
  return isTooOld(spool) ? 'spool-age' : undefined;
}

/** Of the disk, until what is to be left to others is free. */
async function bytesToFree({ disk, directory, settings }: Relieved): Promise<number> {
  const { freeBytes, totalBytes } = await disk.space(directory);
  return Math.min(settings.minFreeBytes, totalBytes * RESERVE_SHARE) - freeBytes;
}

function isTooOld(spool: Relieved): boolean {
  const ended = spool.batches.endOfOldest(spared(spool));
  return ended !== undefined && ageOf(ended, spool) > spool.settings.maxAgeMs;
}

/**
 * Up to where nothing is given up. Without a connection what is on its way may be: better too much declared lost than
 * an intake that refuses, or batches that grow old, for as long as the daemon is away.
 */
function spared({ delivery: { acked, inFlight, isSending } }: Relieved): number {
  return isSending ? Math.max(acked, inFlight) : acked;
}

/**
 * Counted by the monotonic clock since this process saw it, so that no setting of the wall clock makes it old. What
 * the wall clock said at the start leaves time to deliver: it may be a month ahead of the one that the batches were
 * sealed by, on a device without a battery for its clock.
 */
function ageOf(
  { seenAtMs, seenAgeMs }: { readonly seenAtMs: number; readonly seenAgeMs: number },
  { settings, monotonicMs }: Pick<Relieved, 'settings' | 'monotonicMs'>,
): number {
  const graceMs = Math.min(SPOOL_BOUNDS.ageGraceMs, settings.maxAgeMs / 2);
  return Math.min(seenAgeMs, settings.maxAgeMs - graceMs) + monotonicMs - seenAtMs;
}

/** @returns false when there is nothing left to merge, or no room to do it in */
async function merge(batches: BatchLog, sent: number): Promise<boolean> {
  try {
    return await batches.mergeOldest(sent);
  } catch (error) {
    if (isErrno(error, 'ENOSPC')) return false;
    throw error;
  }
}
