import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Cell } from '../../protocol/frame.ts';
import { type CallbackMeasure, MINUTE_MS } from '../../sla/facts.ts';
import { Serial } from '../serial.ts';
import { clearAside } from './aside.ts';
import { type SpoolEntry, skipEntry } from './batch-record.ts';
import { keepDeadLetter } from './dead-letters.ts';
import { Delivery } from './delivery.ts';
import type { Disk } from './disk.ts';
import { type Group, GroupCommit } from './group-commit.ts';
import type { HashedOutcomes, HashedRange } from './hashed-outcomes.ts';
import { IdClaims } from './id-claims.ts';
import type { IdLog } from './id-log.ts';
import type { FilePosition, Positions } from './intake-record.ts';
import { SPOOL_BOUNDS } from './limits.ts';
import { type DirectoryLock, SpoolClosedError, type SpoolTakenError } from './lock.ts';
import {
  type Opened,
  openParts,
  openSpool,
  type Parts,
  type SpoolOptions,
  type SpoolSettings,
} from './parts.ts';
import { reconcile } from './reconcile.ts';
import { type Fullness, relieve } from './relief.ts';
import type { ReportedServices } from './reported-services.ts';
import { makeRoom, resealUnder } from './reseal.ts';
import { Sealer } from './sealer.ts';

/** Why nothing can be accepted now. */
export type Refusal = 'closed' | 'busy' | Fullness;
export type Acceptance = 'accepted' | 'repeated' | 'too-many-services';

/**
 * The durable spool of one agent: everything accepted and not yet certainly counted.
 *
 * Layout of the directory: `lock`, `identity.json`, `ids/`, `aside/`, and a folder named after the producer
 * with the intake journal, the sealed batches and two copies of the state. `accept` folds an outcome into a
 * group, `commit` makes groups durable, `tick` seals what is open into a batch once a second. Everything that
 * touches the logs runs in one queue, so that a group is journalled for exactly the batch it is sealed in.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #settings: SpoolSettings;
  readonly #disk: Disk;
  readonly #serial = new Serial();
  readonly #groups: GroupCommit;
  readonly #ids: IdClaims;
  readonly #idLog: IdLog;
  readonly #lock: DirectoryLock;
  readonly #services: ReportedServices;
  #parts: Parts;

  #sealer: Sealer;
  #delivery: Delivery;
  /** Seq of the newest batch that came from an earlier process. */
  #inherited: number;
  /** The batches from here to the inherited one were not found sealed but rebuilt from the journal. */
  #rebuiltFrom = Number.POSITIVE_INFINITY;
  #clockOffsetMs: number | null = null;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #refusal: Refusal | undefined;
  /** Why nothing can be done any more. */
  #end: SpoolClosedError | SpoolTakenError | undefined;
  #asideBytes: number;
  #fault: string | undefined;

  private constructor(options: SpoolOptions, opened: Opened) {
    this.#options = options;
    this.#settings = opened.settings;
    this.#disk = opened.disk;
    this.#ids = new IdClaims(opened.memory, options.monotonicMs);
    this.#idLog = opened.idLog;
    this.#lock = opened.lock;
    this.#services = opened.services;
    this.#parts = opened.parts;
    this.#asideBytes = opened.asideBytes;
    const { batches, state } = opened.parts;
    this.#inherited = batches.lastSealed;
    this.#sealer = this.#newSealer(opened.positions);
    this.#delivery = this.#newDelivery(Math.min(state.state.acked, batches.lastSealed));
    this.#groups = new GroupCommit(
      (group) => this.#alone(() => this.#write(group)),
      ({ ids }) => this.#ids.forget(ids.bytes()),
    );
  }

  /** @throws SpoolLockedError, or the file system's error when the directory cannot be used */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options, await openSpool(options));
    try {
      await spool.#serial.run(() => spool.#whileHeld(() => spool.#begin()));
    } catch (error) {
      // A process that goes on, as one with the agent inside does, may try again.
      await spool.#letGo();
      throw error;
    }
    return spool;
  }

  get producerId(): string {
    return this.#parts.identity.producerId;
  }

  get services(): readonly string[] {
    return this.#services.known.services;
  }

  get lastSealed(): number {
    return this.#parts.batches.lastSealed;
  }

  get firstRetained(): number {
    return this.#parts.batches.firstRetained;
  }

  /** Lowest seq for which a batch or a skip can be sent: what was never acknowledged and is gone is declared. */
  get firstOffered(): number {
    return Math.min(this.firstRetained, this.acked + 1);
  }

  get beforeRetained(): number {
    return this.#parts.batches.beforeRetained;
  }

  get acked(): number {
    return this.#delivery.acked;
  }

  /** Seq of the newest batch that an earlier process left; see `Connection` on conflicts. */
  get inherited(): number {
    return this.#inherited;
  }

  /** Lowest seq that this process rebuilt from the journal when it started, beyond `inherited` when none was. */
  get rebuiltFrom(): number {
    return this.#rebuiltFrom;
  }

  get bytes(): number {
    const { batches, journal } = this.#parts;
    return batches.bytes + journal.bytes + this.#idLog.bytes + this.#asideBytes;
  }

  /** Why nothing can be delivered until somebody does something about it. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** When the oldest unacknowledged batch was sealed, as far as the index of segments tells; null when none. */
  get oldestUnackedAtMs(): number | null {
    const { acked } = this;
    if (acked >= this.lastSealed) return null;
    const { batches } = this.#parts;
    return batches.recent(acked + 1)?.sealedAtMs ?? batches.oldest(acked)?.createdAtMs ?? null;
  }

  /** What is added to the agent's clock before an outcome is tallied; null while that is not known. */
  get clockOffsetMs(): number | null {
    return this.#clockOffsetMs;
  }

  set clockOffsetMs(offsetMs: number | null) {
    this.#clockOffsetMs = offsetMs;
  }

  /** @param seq up to which everything was sent and may be acknowledged; null when the connection has ended */
  setInFlight(seq: number | null): void {
    this.#delivery.setInFlight(seq);
  }

  /** How far a followed file was read. */
  position(file: string): FilePosition | undefined {
    return this.#sealer.positions[file];
  }

  /** Why outcomes must be refused now; undefined when they are welcome. */
  refusal(): Refusal | undefined {
    if (this.#refusal) return this.#refusal;
    return this.#groups.pendingBytes >= SPOOL_BOUNDS.pendingBytes ? 'busy' : undefined;
  }

  /**
   * Takes an outcome; `commit` tells when it is durable. Bounded by `refusal`, which is to be asked before.
   * @param startedAtMs by the agent's clock, not yet corrected
   */
  accept(outcome: Omit<Cell, 'minute'>, startedAtMs: number, id?: string): Acceptance {
    const { service } = outcome;
    if (!this.admits(service)) return 'too-many-services';
    this.#services.watch(service);
    const key = id === undefined ? undefined : this.#ids.claim(service, id);
    if (id !== undefined && key === undefined) return 'repeated';
    this.#groups.add({ ...outcome, minute: this.#minuteOf(startedAtMs) }, key, this.#clockOffsetMs);
    return 'accepted';
  }

  /**
   * Takes the outcomes [from, to), of services that are admitted. They may fall into several groups; after a failure
   * all of them can be taken again, as those that are durable are known.
   * @param onAccepted told of each one's row, right after it was accepted
   * @returns how many outcomes repeated, by their counts
   */
  acceptHashed(outcomes: HashedOutcomes, range: HashedRange, onAccepted: (n: number) => void): number {
    let repeated = 0;
    let last: string | undefined;
    this.#ids.claimAll(outcomes, range, (row, key) => {
      const labels = outcomes.labels[row]!;
      const n = outcomes.counts[row]!;
      if (labels.service !== last) this.#services.watch(labels.service);
      last = labels.service;
      if (key === undefined) {
        repeated += n;
        return;
      }
      const minute = this.#minuteOf(outcomes.startedAtMs[row]!);
      this.#groups.addSeries({ labels, minute, n }, key, this.#clockOffsetMs);
      onAccepted(row);
    });
    return repeated;
  }

  /** Takes outcomes without ids that were folded under a clock correction, which need not be the present one. */
  acceptCell(cell: Cell, clockOffsetMs: number | null): Acceptance {
    if (!this.admits(cell.service)) return 'too-many-services';
    this.#services.watch(cell.service);
    this.#groups.add(cell, undefined, clockOffsetMs);
    return 'accepted';
  }

  /**
   * Takes a callback of the vendor, as durably as an outcome.
   * @param atMs by the vendor's clock, which is never corrected
   */
  acceptCallback(callback: {
    readonly service: string;
    readonly measure: CallbackMeasure;
    readonly atMs: number;
    readonly id: string;
  }): Acceptance {
    const { service, measure, atMs, id } = callback;
    const admission = this.#admit(service);
    if (admission === 'full') return 'too-many-services';
    if (admission === 'added') this.#services.hearOnly(service);
    const key = this.#ids.claim(service, id);
    if (key === undefined) return 'repeated';
    const minute = Math.floor(atMs / MINUTE_MS);
    const labels = { region: '', platform: '', cause: '', code: '' } as const;
    this.#groups.add({ service, minute, ...labels, result: measure, n: 1 }, key, this.#clockOffsetMs);
    return 'accepted';
  }

  /** Whether outcomes of a service can be taken, which then goes on for good: one that is new takes a place. */
  admits(service: string): boolean {
    return this.#admit(service) !== 'full';
  }

  #admit(service: string): 'known' | 'added' | 'full' {
    const admission = this.#services.admit(service);
    if (admission === 'added') this.#options.on?.serviceAdded?.(service);
    return admission;
  }

  #minuteOf(startedAtMs: number): number {
    return Math.floor((startedAtMs + (this.#clockOffsetMs ?? 0)) / MINUTE_MS);
  }

  /** What `step` accepts becomes durable as a whole or not at all, as far as it fits; see `GroupCommit`. */
  together<T>(most: { bytes: number; ids: number }, step: () => T): T {
    return this.#groups.together(most, step);
  }

  /** Remembers how far a followed file is read, together with the outcomes accepted just before. */
  setPosition(file: string, position: FilePosition): void {
    this.#groups.setPosition(file, position, this.#clockOffsetMs);
  }

  /**
   * Resolves when everything accepted so far is on disk. One promise for each group: asked for right after an
   * outcome was accepted or repeated, it says whether that outcome is; one accepted earlier may be in a group
   * that reached the disk although this one did not.
   * @throws SpoolWriteError when it is not, and will not be: the sender must be told to try again
   */
  commit(): Promise<void> {
    return this.#groups.commit();
  }

  /** Once a second: seals, keeps to the limits, trims what is acknowledged, saves the marks. */
  async tick(): Promise<void> {
    await this.#alone(async () => {
      // First makes room: on a full disk nothing else would succeed.
      await this.#relieve();
      await this.#sealer.seal();
      await this.#trim();
      await this.#save();
    });
  }

  /** Seals what is open into one batch; an empty one when the minute has none yet. */
  async seal(): Promise<void> {
    await this.#alone(() => this.#sealer.seal());
  }

  /**
   * Entries to send, from the one that holds `seq` on; at least one when seq <= lastSealed. On a connection they are in
   * flight from here on: between reading and sending them the spool must not give them up either.
   */
  async entriesFrom(seq: number, maxBytes: number): Promise<readonly SpoolEntry[]> {
    return this.#delivery.entriesFrom(seq, maxBytes);
  }

  /**
   * To be awaited before batches are read in order to be sent: they are never merged with others from then on.
   * @returns the highest seq for which that holds
   */
  async markSendable(seq: number): Promise<number> {
    if (seq > this.#parts.state.state.sendable) {
      await this.#alone(async () => {
        const { state } = this.#parts;
        if (seq > state.state.sendable) await state.write({ sendable: seq + SPOOL_BOUNDS.sendAhead });
      });
    }
    return this.#parts.state.state.sendable;
  }

  /**
   * Outcomes in the batches ahead of a seq that is no longer retained. Exact where acknowledgement or a deleted
   * segment ended, between them too few by at most a segment's outcomes.
   */
  countedBefore(seq: number): number {
    return this.#parts.batches.countedBefore(seq);
  }

  /**
   * Everything up to `seq` is in the store. A lower seq than before means that the store went back in time:
   * what is above it will be sent again as far as it is retained.
   */
  acknowledge(seq: number): void {
    if (seq === this.acked) return;
    this.#fault = undefined;
    this.#delivery.acknowledge(seq);
  }

  /**
   * Puts a batch that the daemon will never take among the dead letters; a skip is sent in its place. The skip
   * is not written to the log: after a crash the batch is sent again, and rejected again.
   */
  async reject(seq: number, reason: string): Promise<void> {
    const [entry] = await this.entriesFrom(seq, 1);
    if (!entry || entry.kind === 'skip' || entry.from !== seq) return;
    const { producerId } = this;
    const letter = { entry, reason, producerId, rejectedAtMs: this.#options.nowMs() };
    await this.#alone(() => keepDeadLetter(this.#disk, this.#aside, letter));
    const gap = { from: seq, to: seq, reason: 'rejected', outcomes: entry.outcomes };
    this.#delivery.sendInstead(skipEntry(gap, entry));
    this.#options.on?.lost?.(gap);
  }

  /**
   * Goes on under a new identity, because the daemon holds other batches under this one's numbers. What is
   * above `counted` is sealed anew from seq 1, and the old folder is deleted.
   * @throws SpoolRoomError when the disk has no room for both, which `fault` then says; nothing is changed
   */
  async reidentify(counted: number): Promise<void> {
    await this.#alone(async () => {
      const room = { bytes: this.#parts.batches.bytesAbove(counted), clearAside: () => this.#clearAside() };
      try {
        await makeRoom(this.#disk, this.#options.directory, room);
        await this.#reidentify(counted);
        this.#fault = undefined;
      } catch (error) {
        this.#fault = (error as Error).message;
        throw error;
      }
    });
  }

  async #reidentify(counted: number): Promise<void> {
    const nowMs = this.#options.nowMs();
    await this.#sealer.seal();
    const old = this.#parts;
    const identity = { ...old.identity, producerId: randomUUID() };
    const fresh = await openParts(this.#options, identity, this.#disk, this.#settings, this.#idLog);
    const { directory } = this.#options;
    const { positions } = this.#sealer;
    const kept = { counted, known: this.#services.known, positions };
    await resealUnder(fresh, old, { ...kept, disk: this.#disk, directory, nowMs });
    await Promise.all([old.journal.close(), old.batches.close()]);
    this.#parts = fresh;
    this.#sealer = this.#newSealer(positions);
    this.#delivery = this.#newDelivery(0);
    this.#inherited = fresh.batches.lastSealed;
    this.#rebuiltFrom = Number.POSITIVE_INFINITY;
    this.#options.on?.sealed?.();
  }

  async #clearAside(): Promise<boolean> {
    const hadAny = await clearAside(this.#disk, this.#aside);
    this.#asideBytes = 0;
    return hadAny;
  }

  get #aside(): string {
    return join(this.#options.directory, 'aside');
  }

  /** Seals what was accepted and lets go of the directory. */
  async close(): Promise<void> {
    this.#refusal = 'closed';
    // A commit that fails was answered to its sender already.
    await this.#groups.commit().catch(() => {});
    const seal = async () => {
      if (!this.#sealer.isEmpty) await this.#sealer.seal();
      await this.#save(true);
    };
    await this.#serial.run(async () => {
      if (this.#end) return;
      try {
        await this.#whileHeld(seal);
      } finally {
        await this.#letGo();
      }
    });
  }

  /** One after the other, and never once another process may have the directory. */
  #alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#serial.run(() => {
      if (this.#end) throw this.#end;
      return this.#whileHeld(task);
    });
  }

  /** @throws SpoolTakenError; whatever `task` was doing then, nothing of it may be confirmed */
  async #whileHeld<T>(task: () => Promise<T>): Promise<T> {
    await this.#assertHeld();
    try {
      return await task();
    } catch (error) {
      await this.#assertHeld();
      throw error;
    }
  }

  async #assertHeld(): Promise<void> {
    const taken = await this.#lock.taken();
    if (!taken) return;
    if (!this.#end) {
      this.#refusal = 'closed';
      await this.#letGo(taken);
      this.#options.on?.taken?.(taken);
    }
    throw taken;
  }

  async #letGo(
    end: SpoolClosedError | SpoolTakenError = new SpoolClosedError(this.#options.directory),
  ): Promise<void> {
    if (this.#end) return;
    this.#end = end;
    await Promise.all([this.#parts.journal.close(), this.#parts.batches.close(), this.#idLog.close()]);
    await this.#lock.release();
  }

  /** Mends what the last process left and begins a journal that stands for it. */
  async #begin(): Promise<void> {
    const { batches, recovered, state } = this.#parts;
    const nowMs = this.#options.nowMs();
    this.#rebuiltFrom = batches.lastSealed + 1;
    if (recovered) {
      for (const repair of await reconcile(batches, recovered, nowMs)) {
        this.#options.on?.repaired?.(repair);
        const lost = repair.kind === 'resealed' ? repair.lost : repair.outcomes;
        const [from, to] = repair.kind === 'resealed' ? [repair.seq, repair.seq] : [repair.from, repair.to];
        if (lost > 0) this.#options.on?.lost?.({ from, to, reason: 'spool-damaged', outcomes: lost });
      }
    }
    // Only now: of what the journal sealed anew, some may have been sealed and sent before.
    state.assumeSent(batches.lastSealed);
    this.#inherited = batches.lastSealed;
    this.#delivery = this.#newDelivery(Math.min(state.state.acked, batches.lastSealed));
    await this.#sealer.begin();
    await this.#saveServices();
  }

  #newSealer(positions: Positions): Sealer {
    const { nowMs, on } = this.#options;
    return new Sealer(this.#parts, positions, {
      services: this.#services,
      clockOffsetMs: () => this.#clockOffsetMs,
      nowMs,
      onSealed: () => on?.sealed?.(),
    });
  }

  #newDelivery(acked: number): Delivery {
    const { monotonicMs } = this.#options;
    return new Delivery(this.#parts, acked, { serial: this.#serial, monotonicMs });
  }

  async #write(group: Group): Promise<void> {
    await this.#saveServices();
    await this.#sealer.write(group);
  }

  /** A service must be known durably before its outcomes are: the daemon expects every service in the hello. */
  async #saveServices(): Promise<void> {
    const { state } = this.#parts;
    if (!this.#services.is(state.state)) await state.write(this.#services.known);
  }

  async #relieve(): Promise<void> {
    const { batches, state } = this.#parts;
    const { directory, monotonicMs } = this.#options;
    const delivery = this.#delivery;
    const room = await delivery.held(() =>
      relieve({
        batches,
        idLog: this.#idLog,
        disk: this.#disk,
        directory,
        asideBytes: () => this.#asideBytes,
        clearAside: () => this.#clearAside(),
        settings: this.#settings,
        delivery,
        sent: Math.max(state.state.sendable, delivery.acked),
        bytes: () => this.bytes,
        monotonicMs: monotonicMs(),
      }),
    );
    if (this.#refusal === 'closed' || room === 'some') return;
    this.#refusal = room === 'enough' ? undefined : room;
  }

  async #trim(): Promise<void> {
    const { batches } = this.#parts;
    const { retainMs, retainBytes } = this.#settings;
    const nowMs = this.#options.monotonicMs();
    // Else a quiet agent would keep, and offer a new service's books, months of empty batches.
    if (nowMs - (batches.openSinceMs ?? nowMs) > retainMs) await batches.rotate();
    const { acked } = this;
    const oldSeq = this.#delivery.ackedBy(nowMs - retainMs);
    let retained = batches.bytesThrough(acked);
    await batches.drop(acked, ({ lastSeq, bytes }) => {
      const isDue = lastSeq <= oldSeq || retained > retainBytes;
      retained -= bytes;
      return isDue;
    });
  }

  async #save(isLast = false): Promise<void> {
    const { state } = this.#parts;
    const nowMs = this.#options.monotonicMs();
    if (!isLast && nowMs - this.#savedAtMs < SAVE_EVERY_MS) return;
    this.#savedAtMs = nowMs;
    const { acked } = this;
    if (state.state.acked === acked) return;
    await state.write({ acked, ackedOutcomes: await this.#parts.batches.countedThrough(acked) });
  }
}

const SAVE_EVERY_MS = 5_000;
