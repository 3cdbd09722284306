import { decodeAgentFrame } from '../../protocol/codec.ts';
import { MINUTE_MS } from '../../sla/facts.ts';
import {
  APPLY_BOUNDS,
  type ApplyResult,
  type Cursor,
  type FactStore,
  type ServiceDelta,
  StoreUnavailable,
} from '../store/store.ts';
import { Group, type GroupRules } from './group.ts';
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
  readonly rules: GroupRules;
  /** The service's books hold these shares; `isNew` is false for those that they held before. */
  held(shares: readonly Share[], isNew: boolean): void;
  /** The books of a service go only as far as `cursor` for this session: what follows is needed again. */
  wentBack(session: Session, cursorSeq: number): void;
  fenced(session: Session): void;
  /** The books hold another batch of this session's producer than the one that waits. */
  conflicted(session: Session): void;
  /** The service's books changed. */
  applied(service: string): void;
  /** The lane may have something to start; ingest calls `start` soon, together with other lanes. */
  ready(lane: Lane): void;
  /** Nothing waits and nothing is in flight. */
  idle(lane: Lane): void;
}

interface Call {
  readonly group: Group;
  /** Calls are numbered as they start; a call that is repeated keeps its number. */
  order: number;
}

/**
 * Moves that cannot succeed, and are answered with the true cursors: the port has no other way to ask for them that
 * fences nobody and writes nothing.
 */
export function cursorQuestion(
  service: string,
  producers: readonly { readonly producerId: string; readonly epoch: number }[],
): ServiceDelta {
  const nowhere = { expectedSeq: NOWHERE_SEQ, seq: NOWHERE_SEQ + 1, digest: '' };
  return {
    service,
    cursors: producers.map(({ producerId, epoch }) => ({ producerId, epoch, ...nowhere })),
    tallies: new Map(),
    alive: new Set(),
    late: new Map(),
    origins: [],
  };
}

/**
 * The group commit of one service. Batches are merged as they arrive; when a store call may start, it takes all
 * that was merged. Two calls may be in flight, the second expecting what the first one leaves. Whether a call
 * took effect is decided by compare-and-set in the store, never by us: a call that failed, or whose answer was
 * lost, is made again as it was.
 *
 * After any failure the lane makes one call at a time until one succeeds, and only such a lone call's answer
 * is believed about cursors: with two in flight the second is refused merely because the first was. When the
 * cursors turn out to be elsewhere, what waits is merged anew from the frames, without what the books hold.
 */
export class Lane {
  readonly service: string;
  readonly tracks = new Set<Track>();
  /** Merged and not sent; the last one is still open. */
  #groups: Group[] = [];
  /** Calls to be made again, in the order in which they were first made; before `#groups`. */
  #failed: Call[] = [];
  /** Sent again after a rewind while an older copy is still on its way: whether that arrives decides. */
  #deferred: Share[] = [];
  #inFlight = 0;
  #started = 0;
  #isAlone = false;
  #mustMergeAnew = false;
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
    return (
      this.#inFlight === 0 &&
      this.#groups.length === 0 &&
      this.#failed.length === 0 &&
      this.#deferred.length === 0
    );
  }

  /**
   * Takes a share.
   * @param cells  an upper bound of its cells
   * @returns where its cells are to be counted; null when they are not: the books hold them, or an older copy
   * is on its way
   */
  take(share: Share, cells: number): Group | null {
    const { arrival, track } = share;
    if (arrival.seq <= track.planned) {
      this.#deferred.push(share);
      return null;
    }
    let group = this.#groups.at(-1);
    if (group === undefined || !group.fits(track, cells)) {
      group = new Group(this.service, this.#context.rules);
      this.#groups.push(group);
    }
    group.join(share);
    return group;
  }

  /** What waits of a session that is over is not counted: its successor sends it again. */
  giveUp(track: Track): void {
    if (track.planned === track.confirmed) return;
    this.#mustMergeAnew = true;
    this.#context.ready(this);
  }

  /** Reads every cursor anew as soon as no call is in flight. */
  recheck(): void {
    this.#suspects = [...this.tracks];
    this.#context.ready(this);
  }

  /** Starts as many store calls as may be started. */
  start(): void {
    if (this.#mustMergeAnew && this.#inFlight === 0 && this.#retryTimer === null) this.#mergeAnew();
    while (this.#mayStart()) {
      if (this.#suspects.length > 0) {
        void this.#askCursors(this.#suspects.splice(0, APPLY_BOUNDS.cursors));
        return;
      }
      const call = this.#failed.shift() ?? this.#nextCall();
      if (call === null) break;
      void this.#apply(call);
    }
    if (this.isIdle) this.#context.idle(this);
  }

  /** Forgets what waits: it is not acknowledged and its agents keep it. */
  stop(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#groups = [];
    this.#failed = [];
    this.#deferred = [];
    this.#suspects = [];
  }

  #mayStart(): boolean {
    if (this.#retryTimer !== null || this.#mustMergeAnew) return false;
    const isRecovering = this.#isAlone || this.#failed.length > 0 || this.#suspects.length > 0;
    return this.#inFlight < (isRecovering ? 1 : CALLS_IN_FLIGHT);
  }

  #nextCall(): Call | null {
    const group = this.#groups.shift();
    if (group === undefined) return null;
    this.#started += 1;
    return { group, order: this.#started };
  }

  async #apply(call: Call): Promise<void> {
    const { facts, observer, nowMs } = this.#context;
    const { group } = call;
    this.#inFlight += 1;
    const wasAlone = this.#isAlone;
    const startedAtMs = performance.now();
    let result: ApplyResult;
    try {
      result = await facts.apply(group.delta(), nowMs());
    } catch (error) {
      this.#inFlight -= 1;
      for (const share of group.shares) share.wasSent = true;
      this.#fail(call);
      this.#unreachable(error);
      return;
    }
    this.#inFlight -= 1;
    this.#unavailable = 0;
    if (result.status === 'applied') {
      this.#isAlone = false;
      for (const [track, move] of group.moves) track.confirmed = Math.max(track.confirmed, move.seq);
      const atMs = nowMs();
      const durationMs = performance.now() - startedAtMs;
      observer.applied(this.service, { durationMs, saturated: result.saturated, atMs });
      this.#report(group, atMs);
      this.#context.held(group.shares, true);
      if (this.#deferred.length > 0) this.#settleDeferred();
      this.#context.applied(this.service);
    } else {
      this.#fail(call);
      observer.applyFailed(this.service, result.status);
      if (result.status === 'fenced') {
        this.#fence(group.moves.keys(), result.producerIds);
        this.#mustMergeAnew = true;
      } else if (wasAlone) {
        this.#believe(group.moves.keys(), result.cursors);
        this.#mustMergeAnew = true;
      }
    }
    this.#context.ready(this);
  }

  #fail(call: Call): void {
    this.#isAlone = true;
    this.#failed.push(call);
    this.#failed.sort((a, b) => a.order - b.order);
  }

  /**
   * Merges everything that waits once more, from the frames: without sessions that are over, without what was
   * given up for a rewind, and from the cursors as they are now known.
   */
  #mergeAnew(): void {
    this.#mustMergeAnew = false;
    const groups = [...this.#failed.map((call) => call.group), ...this.#groups];
    const shares = [...groups.flatMap((group) => group.shares), ...this.#deferred];
    this.#failed = [];
    this.#groups = [];
    this.#deferred = [];
    // A share that was deferred goes before those that came after it and were merged.
    shares.sort((a, b) => a.arrival.seq - b.arrival.seq);
    for (const { track } of shares) track.planned = track.confirmed;
    const held: Share[] = [];
    const heldSinceSent: Share[] = [];
    for (const share of shares) {
      const { arrival, track } = share;
      if (arrival.session.isOver || arrival.generation !== arrival.session.generation) continue;
      if (arrival.seq <= track.confirmed) (share.wasSent ? heldSinceSent : held).push(share);
      else this.#mergeFrame(share);
    }
    if (held.length > 0) this.#context.held(held, false);
    if (heldSinceSent.length > 0) this.#recover(heldSinceSent);
  }

  #mergeFrame(share: Share, into?: Group): void {
    const { arrival } = share;
    const decoded = decodeAgentFrame(arrival.frame.toString());
    if (!decoded.ok) throw new Error('a frame that was valid is not any more');
    const { frame } = decoded;
    const cells = frame.type === 'batch' ? frame.cells : [];
    const group = into ?? this.take(share, cells.length);
    if (group === null) return;
    for (const cell of cells) if (cell.service === this.service) group.count(cell, arrival);
  }

  /** Reports what a call put into the books though its answer was lost. */
  #recover(shares: readonly Share[]): void {
    const group = new Group(this.service, this.#context.rules);
    for (const share of shares) {
      this.#mergeFrame(share, group);
      group.loseForbidden(share);
    }
    this.#report(group, this.#context.nowMs());
    this.#context.held(shares, true);
    this.#context.applied(this.service);
  }

  /** Settles what was sent again and whose older copy is now in the books. */
  #settleDeferred(): void {
    const held = this.#deferred.filter(({ arrival, track }) => arrival.seq <= track.confirmed);
    if (held.length === 0) return;
    this.#deferred = this.#deferred.filter(({ arrival, track }) => arrival.seq > track.confirmed);
    this.#context.held(held, false);
  }

  /** Asks for the true cursors. */
  async #askCursors(tracks: readonly Track[]): Promise<void> {
    const { facts, nowMs } = this.#context;
    const asked = tracks.filter((track) => this.tracks.has(track) && !track.session.isOver);
    if (asked.length === 0) {
      this.#context.ready(this);
      return;
    }
    this.#inFlight += 1;
    try {
      const result = await facts.apply(
        cursorQuestion(
          this.service,
          asked.map(({ session }) => session),
        ),
        nowMs(),
      );
      this.#inFlight -= 1;
      if (result.status === 'moved' && this.#believe(asked, result.cursors)) this.#mustMergeAnew = true;
      if (result.status === 'fenced') {
        this.#fence(asked, result.producerIds);
        this.#suspects.push(...asked);
        this.#mustMergeAnew = true;
      }
    } catch (error) {
      this.#inFlight -= 1;
      this.#suspects.push(...asked);
      this.#unreachable(error);
      return;
    }
    this.#context.ready(this);
  }

  /** Takes the store's word about where its cursors are; @returns whether any is elsewhere than confirmed */
  #believe(tracks: Iterable<Track>, cursors: ReadonlyMap<string, Cursor>): boolean {
    let isNews = false;
    for (const track of tracks) {
      const { session } = track;
      const cursor = cursors.get(session.producerId);
      if (cursor === undefined || session.isOver || cursor.seq === track.confirmed) continue;
      isNews = true;
      const mine = session.waiting.find((arrival) => arrival.seq === cursor.seq);
      if (mine !== undefined && mine.digest !== '' && cursor.digest !== '' && mine.digest !== cursor.digest) {
        this.#context.conflicted(session);
        continue;
      }
      const wentBack = cursor.seq < track.confirmed;
      track.confirmed = cursor.seq;
      track.planned = cursor.seq;
      if (wentBack) this.#context.wentBack(session, cursor.seq);
    }
    return isNews;
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
      this.#context.ready(this);
    }, waitMs);
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
    for (const [agent, outcomes] of group.tooOld) {
      observer.lost('too-old', outcomes, { agent, services: [this.service] });
    }
    for (const [{ producerId, refused }, outcomes] of group.forbidden) {
      observer.lost('forbidden', outcomes, { agent: producerId, services: [...refused.keys()] });
    }
    if (group.clamped > 0) observer.clamped(group.clamped);
    const callbacks = group.callbackTotals();
    if (callbacks !== undefined) observer.calledBack(this.service, callbacks);
  }
}
