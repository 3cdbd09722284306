import assert from 'node:assert/strict';
import { MINUTE_MS } from '../../sla/facts.ts';
import {
  APPLY_BOUNDS,
  type ApplyResult,
  type Cursor,
  type FactStore,
  StoreUnavailable,
} from '../store/store.ts';
import { Group, type GroupTimes } from './group.ts';
import type { IngestObserver } from './observer.ts';
import type { Session, Share, Track } from './session.ts';

/** Store calls of one service at the same time: while the store works on one, the next one is on its way. */
export const CALLS_IN_FLIGHT = 2;
/** Waits after a store call that could not be made, in order; the last one repeats. */
const RETRY_MS = [50, 100, 200, 500, 1_000] as const;
/** No cursor is here, so a move from here is always answered with the true cursor. */
const NOWHERE_SEQ = Number.MAX_SAFE_INTEGER - 1;

/** What a lane needs of ingest. */
export interface LaneContext {
  readonly facts: FactStore;
  readonly observer: IngestObserver;
  readonly nowMs: () => number;
  times(service: string): GroupTimes;
  /** The service's books hold these shares; `isNew` is false for those that they held before. */
  held(shares: readonly Share[], isNew: boolean): void;
  /** The books of a service go only as far as `cursor` for this session: what follows is needed again. */
  wentBack(session: Session, cursorSeq: number): void;
  fenced(session: Session): void;
  conflicted(session: Session, seq: number): void;
  /** The service's books changed. */
  applied(service: string): void;
  /** Nothing waits and nothing is in flight. */
  idle(lane: Lane): void;
}

/**
 * The group commit of one service. All shares that wait when a store call may start go into that call; two
 * calls may be in flight, the second expecting what the first one leaves. Whether a call took effect is
 * decided by compare-and-set in the store, never by us: a call that failed, or whose answer was lost, is
 * answered by sending its shares again, from the cursor last confirmed.
 *
 * After any failure the lane makes one call at a time until one succeeds, and only such a lone call's answer
 * is believed about cursors: with two in flight the second is refused merely because the first was.
 */
export class Lane {
  readonly service: string;
  readonly tracks = new Set<Track>();
  #waiting: Share[] = [];
  /** Shares of calls that failed, in the order in which the calls started. */
  #failed: { readonly order: number; readonly shares: Share[] }[] = [];
  #inFlight = 0;
  #started = 0;
  #isAlone = false;
  /** Calls in a row that could not be made. */
  #unavailable = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  /** The tracks whose cursors are to be read anew, as the store may have gone back in time. */
  #suspects: Track[] = [];
  readonly #context: LaneContext;

  constructor(service: string, context: LaneContext) {
    this.service = service;
    this.#context = context;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiting.length === 0 && this.#failed.length === 0;
  }

  enqueue(share: Share): void {
    this.#waiting.push(share);
  }

  /** Reads every cursor anew as soon as no call is in flight. */
  recheck(): void {
    this.#suspects = [...this.tracks];
    this.start();
  }

  /** Starts as many store calls as may be started. */
  start(): void {
    while (this.#mayStart()) {
      if (this.#suspects.length > 0) {
        void this.#askCursors(this.#suspects.splice(0, APPLY_BOUNDS.cursors));
        return;
      }
      const group = this.#nextGroup();
      if (group === null) break;
      void this.#apply(group);
    }
    if (this.isIdle) this.#context.idle(this);
  }

  /** Forgets a pending retry; what waits is not acknowledged and its agents keep it. */
  stop(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#waiting = [];
    this.#failed = [];
    this.#suspects = [];
  }

  #mayStart(): boolean {
    if (this.#retryTimer !== null) return false;
    if (this.#failed.length > 0) {
      if (this.#inFlight > 0) return false;
      this.#takeBack();
    }
    if (this.#isAlone || this.#suspects.length > 0) return this.#inFlight === 0;
    return this.#inFlight < CALLS_IN_FLIGHT;
  }

  /** Puts the shares of failed calls in front of those that wait, as if they had never been sent. */
  #takeBack(): void {
    this.#failed.sort((a, b) => a.order - b.order);
    this.#waiting = [...this.#failed.flatMap((call) => call.shares), ...this.#waiting];
    this.#failed = [];
    for (const { track } of this.#waiting) track.planned = track.confirmed;
  }

  #nextGroup(): Group | null {
    if (this.#waiting.length === 0) return null;
    const group = new Group(this.service, this.#context.times(this.service));
    const held: Share[] = [];
    const heldSinceSent: Share[] = [];
    let taken = 0;
    for (const share of this.#waiting) {
      const { arrival, track } = share;
      if (arrival.generation === arrival.session.generation && !arrival.session.isOver) {
        if (arrival.seq <= track.confirmed) (share.wasSent ? heldSinceSent : held).push(share);
        // Sent before a rewind and still in flight: whether it took effect must be known first.
        else if (arrival.seq <= track.planned) {
          assert(this.#inFlight > 0, 'a cursor is planned ahead only by calls in flight');
          break;
        } else if (!group.fits(share)) break;
        else {
          group.add(share);
          track.planned = arrival.seq;
        }
      }
      taken += 1;
    }
    this.#waiting.splice(0, taken);
    if (held.length > 0) this.#context.held(held, false);
    if (heldSinceSent.length > 0) this.#recover(heldSinceSent);
    return group.shares.length > 0 ? group : null;
  }

  async #apply(group: Group): Promise<void> {
    const { facts, observer, nowMs } = this.#context;
    this.#inFlight += 1;
    this.#started += 1;
    const order = this.#started;
    const wasAlone = this.#isAlone;
    const startedAtMs = performance.now();
    let result: ApplyResult;
    try {
      result = await facts.apply(group.delta(), nowMs());
    } catch (error) {
      this.#inFlight -= 1;
      for (const share of group.shares) share.wasSent = true;
      this.#failed.push({ order, shares: group.shares });
      this.#unreachable(error);
      return;
    }
    this.#inFlight -= 1;
    this.#unavailable = 0;
    if (result.status === 'applied') {
      this.#isAlone = false;
      for (const [track, move] of group.moves) track.confirmed = Math.max(track.confirmed, move.seq);
      const atMs = nowMs();
      observer.applied(this.service, {
        durationMs: performance.now() - startedAtMs,
        saturated: result.saturated,
        atMs,
      });
      this.#report(group, atMs);
      this.#context.held(group.shares, true);
      this.#context.applied(this.service);
    } else {
      this.#isAlone = true;
      this.#failed.push({ order, shares: group.shares });
      observer.applyFailed(this.service, result.status);
      if (result.status === 'fenced') this.#fence(group.moves.keys(), result.producerIds);
      else if (wasAlone) this.#believe(group.moves.keys(), result.cursors);
    }
    this.start();
  }

  /** Asks for the true cursors by moves that cannot succeed: the port has no other way that fences nobody. */
  async #askCursors(tracks: readonly Track[]): Promise<void> {
    const { facts, nowMs } = this.#context;
    const asked = tracks.filter((track) => this.tracks.has(track));
    if (asked.length === 0) return this.start();
    this.#inFlight += 1;
    try {
      const result = await facts.apply(
        {
          service: this.service,
          cursors: asked.map(({ session }) => ({
            producerId: session.producerId,
            epoch: session.epoch,
            expectedSeq: NOWHERE_SEQ,
            seq: NOWHERE_SEQ + 1,
            digest: '',
          })),
          tallies: new Map(),
          alive: new Set(),
          late: new Map(),
          origins: [],
        },
        nowMs(),
      );
      this.#inFlight -= 1;
      if (result.status === 'moved') this.#believe(asked, result.cursors);
      if (result.status === 'fenced') {
        this.#fence(asked, result.producerIds);
        this.#suspects.push(...asked.filter((track) => !track.session.isOver));
      }
    } catch (error) {
      this.#inFlight -= 1;
      this.#suspects.push(...asked);
      this.#unreachable(error);
      return;
    }
    this.start();
  }

  /** Takes the store's word about where its cursors are. */
  #believe(tracks: Iterable<Track>, cursors: ReadonlyMap<string, Cursor>): void {
    for (const track of tracks) {
      const { session } = track;
      const cursor = cursors.get(session.producerId);
      if (cursor === undefined || session.isOver) continue;
      const mine = session.waiting.find((arrival) => arrival.seq === cursor.seq);
      if (mine !== undefined && mine.digest !== '' && cursor.digest !== '' && mine.digest !== cursor.digest) {
        this.#context.conflicted(session, cursor.seq);
        continue;
      }
      const wentBack = cursor.seq < track.confirmed;
      track.confirmed = cursor.seq;
      track.planned = cursor.seq;
      if (wentBack) this.#context.wentBack(session, cursor.seq);
    }
  }

  #fence(tracks: Iterable<Track>, producerIds: readonly string[]): void {
    const fenced = new Set(producerIds);
    for (const { session } of tracks) if (fenced.has(session.producerId)) this.#context.fenced(session);
  }

  #unreachable(error: unknown): void {
    const reason = error instanceof StoreUnavailable ? 'unavailable' : 'fault';
    this.#context.observer.applyFailed(this.service, reason, error);
    this.#isAlone = true;
    if (this.#retryTimer !== null) return;
    const waitMs = RETRY_MS[Math.min(this.#unavailable, RETRY_MS.length - 1)];
    this.#unavailable += 1;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.start();
    }, waitMs);
  }

  /** Reports what a call put into the books though its answer was lost. */
  #recover(shares: readonly Share[]): void {
    const group = new Group(this.service, this.#context.times(this.service));
    for (const share of shares) group.add(share);
    this.#report(group, this.#context.nowMs());
    this.#context.held(shares, true);
    this.#context.applied(this.service);
  }

  #report(group: Group, atMs: number): void {
    const { observer } = this.#context;
    for (const [region, platforms] of group.labels) {
      for (const [platform, tallies] of platforms) observer.counted(this.service, region, platform, tallies);
    }
    for (const [minute, tallies] of group.tallies) {
      const endsAtMs = (minute + 1) * MINUTE_MS;
      const sinceMs = endsAtMs < atMs ? endsAtMs : group.earliestArrivalMs;
      observer.delayed(Math.max(0, atMs - sinceMs), tallies[0] ?? 0);
    }
    if (group.tooOld > 0) observer.lost('too-old', group.tooOld);
    if (group.clamped > 0) observer.clamped(group.clamped);
  }
}
