import { join } from 'node:path';
import { MINUTE_MS } from '../../sla/facts.ts';
import { asideFolderBytes } from './aside.ts';
import { BatchLog } from './batch-log.ts';
import { batchEntry } from './batch-record.ts';
import { type Disk, makeDirectory, realDisk } from './disk.ts';
import { guardedDisk } from './guarded-disk.ts';
import { IdLog } from './id-log.ts';
import { IdMemory } from './id-memory.ts';
import { adoptIdentity, findIdentity, type Identity, setOthersAside } from './identity.ts';
import type { Positions } from './intake-record.ts';
import { type RecoveredJournal, recoverJournal } from './intake-recovery.ts';
import { Journal } from './journal.ts';
import { SPOOL_BOUNDS, SPOOL_DEFAULTS } from './limits.ts';
import { type DirectoryLock, lockDirectory, SpoolLockedError, type SpoolTakenError } from './lock.ts';
import type { Repair } from './reconcile.ts';
import { ReportedServices } from './reported-services.ts';
import type { Gap } from './segment-content.ts';
import { StateFile } from './state.ts';

export type SpoolSettings = { readonly [K in keyof typeof SPOOL_DEFAULTS]: number };

export interface SpoolOptions {
  readonly directory: string;
  readonly settings?: Partial<SpoolSettings>;
  /** The agent's own clock, or the simulated one; batches are marked with its minutes. */
  readonly nowMs: () => number;
  /** Never set: how long something was kept must not depend on what the time is. */
  readonly monotonicMs: () => number;
  /** Services of the configuration; those that reported before are added from the spool. */
  readonly services: readonly string[];
  /** Names the machine when its own id will not do. */
  readonly hostId?: string;
  readonly disk?: Disk;
  readonly on?: Partial<SpoolEvents>;
}

export interface SpoolEvents {
  /** Something new can be sent. */
  sealed(): void;
  /** A service reported for the first time. */
  serviceAdded(service: string): void;
  /** Accepted outcomes are lost; the daemon learns of it by the skip or batch that takes their place. */
  lost(gap: Gap): void;
  /** What the start found to mend. */
  repaired(repair: Repair): void;
  /** The spool is a copy of another agent's and was set aside. */
  copied(foreign: Identity): void;
  /** Another process has the directory: this one has let go of it, and nothing more is accepted. */
  taken(error: SpoolTakenError): void;
}

/** What belongs to one identity. */
export interface Parts {
  readonly identity: Identity;
  readonly batches: BatchLog;
  readonly journal: Journal;
  readonly state: StateFile;
  readonly recovered?: RecoveredJournal;
}

export interface Opened {
  readonly settings: SpoolSettings;
  readonly disk: Disk;
  readonly memory: IdMemory;
  readonly idLog: IdLog;
  readonly lock: DirectoryLock;
  readonly services: ReportedServices;
  readonly parts: Parts;
  readonly positions: Positions;
  /** See aside.ts. */
  readonly asideBytes: number;
}

async function takeDirectory(disk: Disk, directory: string): Promise<DirectoryLock> {
  try {
    await makeDirectory(disk, directory);
    return await lockDirectory(directory);
  } catch (error) {
    if (error instanceof SpoolLockedError) throw error;
    const { message } = error as Error;
    throw new Error(
      `the spool ${directory} cannot be used (${message}); correct its rights or give another directory`,
      {
        cause: error,
      },
    );
  }
}

/** Takes the directory, finds out whose spool it is, and opens what is in it. */
export async function openSpool(options: SpoolOptions): Promise<Opened> {
  const { directory, nowMs, on } = options;
  const settings = { ...SPOOL_DEFAULTS, ...options.settings };
  const lock = await takeDirectory(options.disk ?? realDisk, directory);
  const disk = guardedDisk(options.disk ?? realDisk, lock);
  try {
    await makeDirectory(disk, join(directory, 'ids'));
    const found = await findIdentity(disk, directory, options.hostId);
    const { identity } = found;
    const { totalBytes } = await disk.space(directory);
    const bounds = {
      count: settings.idCount,
      spanMs: settings.idSpanMs,
      bytes: Math.floor(Math.min(settings.maxBytes, totalBytes) * SPOOL_BOUNDS.idShare),
    };
    const memory = new IdMemory(bounds);
    const idLog = await IdLog.open({
      disk,
      directory: join(directory, 'ids'),
      producerId: identity.producerId,
      bounds,
      memory,
      nowMs: nowMs(),
      monotonicMs: options.monotonicMs,
    });

    // A copy's batches are its original's to deliver, but what it has read and counted stays read and counted.
    let positions: Positions = {};
    let services: readonly string[] = [];
    let callbacksOnly: readonly string[] = [];
    let undelivered = 0;
    if (found.status === 'copied') {
      on?.copied?.(found.foreign);
      const folder = join(directory, found.foreign.producerId);
      const journal = await recoverJournal(disk, { directory: folder, aside: join(directory, 'aside') });
      const { state } = await StateFile.open(disk, folder);
      positions = journal.totals?.positions ?? {};
      services = state.services;
      callbacksOnly = state.callbacksOnly;
      for (const { ids } of journal.segments) {
        memory.remember(ids, options.monotonicMs());
        await idLog.append(ids, nowMs());
      }
      undelivered =
        (await acceptedBy(found.foreign, journal, { disk, options, settings })) - state.ackedOutcomes;
    }
    const parts = await openParts(options, identity, disk, settings, idLog);
    services = [...new Set([...options.services, ...services, ...parts.state.state.services])];
    const watched = new Set(options.services);
    callbacksOnly = [...callbacksOnly, ...parts.state.state.callbacksOnly].filter((one) => !watched.has(one));
    const reported = new ReportedServices({ services, callbacksOnly });
    // Before the identity is adopted: a crash in between finds the copy again, and says so again.
    if (undelivered > 0) await declareLost(undelivered, parts.batches, reported.watched, options);
    await adoptIdentity(disk, directory, identity);
    const aside = join(directory, 'aside');
    await setOthersAside(disk, directory, { identity, aside });
    for (const { ids } of parts.recovered?.segments ?? []) memory.remember(ids, options.monotonicMs());
    positions = parts.recovered?.totals?.positions ?? positions;
    return {
      settings,
      disk,
      memory,
      idLog,
      lock,
      services: reported,
      parts,
      positions,
      asideBytes: await asideFolderBytes(aside),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Outcomes that another identity's spool ever accepted, as far as its journal and its batches tell. */
async function acceptedBy(
  { producerId }: Identity,
  journal: RecoveredJournal,
  { disk, options, settings }: { disk: Disk; options: SpoolOptions; settings: SpoolSettings },
): Promise<number> {
  const batches = await BatchLog.open({
    disk,
    directory: join(options.directory, producerId),
    aside: join(options.directory, 'aside'),
    producerId,
    segmentBytes: settings.segmentBytes,
    nowMs: options.nowMs,
    monotonicMs: options.monotonicMs,
    // Part of what is declared as a whole.
    onGap: () => {},
  });
  await batches.close();
  return Math.max(batches.after, journal.totals?.accepted ?? 0);
}

/**
 * Says in the first batch that a copy's unacknowledged outcomes will not come from here. If its original
 * delivers them that is too many, but if there is none it would else be a loss that nobody hears of; too many
 * also by what was acknowledged in the last seconds before a crash.
 */
async function declareLost(
  outcomes: number,
  batches: BatchLog,
  alive: readonly string[],
  { nowMs, on }: SpoolOptions,
): Promise<void> {
  const sealedAtMs = nowMs();
  const minute = Math.floor(sealedAtMs / MINUTE_MS);
  const reason = 'spool-copied';
  const content = { seq: 1, minute, clockOffsetMs: null, cells: [], alive: [...alive] };
  await batches.append(batchEntry({ ...content, lost: { [reason]: outcomes } }, { before: 0, sealedAtMs }));
  on?.lost?.({ from: 1, to: 1, reason, outcomes });
}

export async function openParts(
  options: SpoolOptions,
  identity: Identity,
  disk: Disk,
  settings: SpoolSettings,
  idLog: IdLog,
): Promise<Parts> {
  const directory = join(options.directory, identity.producerId);
  await makeDirectory(disk, directory);
  const { producerId } = identity;
  // Several segments must fit, also on a small file system, or there is no oldest one to give up.
  const { totalBytes } = await disk.space(directory);
  const segmentBytes = Math.floor(Math.min(settings.segmentBytes, settings.maxBytes / 8, totalBytes / 16));
  const aside = join(options.directory, 'aside');
  const recovered = await recoverJournal(disk, { directory, aside });
  const state = await StateFile.open(disk, directory);
  const batches = await BatchLog.open({
    disk,
    directory,
    aside,
    producerId,
    segmentBytes,
    nowMs: options.nowMs,
    monotonicMs: options.monotonicMs,
    onGap: (gap) => options.on?.lost?.(gap),
    mark: { firstSeq: state.state.acked + 1, before: state.state.ackedOutcomes },
  });
  const journal = new Journal({ disk, directory, producerId, segmentBytes, recovered, idLog });
  return { identity, batches, journal, state, recovered };
}
