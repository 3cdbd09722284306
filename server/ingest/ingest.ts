import type { Batch, Hello, Skip } from '../../protocol/frame.ts';
import { MINUTE_MS } from '../../sla/facts.ts';
import { type Cursor, type FactStore, StoreUnavailable } from '../store/store.ts';
import type { Group } from './group.ts';
import { cursorQuestion, Lane, type LaneContext } from './lane.ts';
import { createLossReasons } from './loss-reasons.ts';
import type { IngestObserver } from './observer.ts';
import { type Arrival, Session, type SessionPeer, type Track } from './session.ts';

/** Bytes of frames that may wait for the store, of all agents together; beyond it `isFull` stops the decoding. */
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Store calls start in rounds. A round starts at once when none was just made; the more batches the last one
 * took, the longer the next one waits for company, since a store call costs the daemon more than a batch does.
 */
const ROUND = { leastMs: 1, mostMs: 4, batchesPerMs: 32 } as const;
/** Clocks that differ by less are taken as equal, as their difference cannot be measured better. */
const CLOCK_TOLERANCE_MS = 2_000;

export interface IngestOptions {
  readonly facts: FactStore;
  readonly nowMs: () => number;
  /** When the window of an epoch minute closes for a service: an outcome that arrives later is late. */
  readonly closesAtMs: (service: string, minute: number) => number;
  /** Outcomes of minutes older than this are lost, with the reason `too-old`. */
  readonly retentionMs: number;
  readonly observer: IngestObserver;
  /** Services whose books changed, so that an evaluation can follow. */
  readonly onApplied?: (services: readonly string[]) => void;
}

export type Opened =
  | {
      readonly status: 'open';
      readonly session: Session;
      /** Digest of the batch `session.applied` as the books know it, '' when unknown. */
      readonly appliedDigest: string;
      /** The highest batch that one of the services holds, where that is above `session.applied`. */
      readonly furthest?: { readonly seq: number; readonly digest: string };
    }
  /** A newer session of the producer was opened meanwhile. */
  | { readonly status: 'fenced' }
  /** The books hold a batch that the agent says it never sealed: its spool is a copy, or went back in time. */
  | { readonly status: 'conflict'; readonly seq: number }
  /** The store cannot be reached; say hello again later. */
  | { readonly status: 'unavailable'; readonly message: string };

/** What became of a batch or skip at once; acknowledgements follow through the session's peer. */
export type Submitted =
  | { readonly status: 'taken' }
  /** Applied before: acknowledge `session.applied` again. */
  | { readonly status: 'again' }
  /** One before it is missing: ask for a rewind to `session.next`. */
  | { readonly status: 'early' }
  /** Needs no answer now: it follows a gap for which a rewind was asked, or an earlier copy is on its way. */
  | { readonly status: 'passed' }
  | { readonly status: 'fenced' }
  | { readonly status: 'conflict' }
  /** Of an epoch that was never given. */
  | { readonly status: 'unknown-epoch' }
  /** Names a service that hello did not. */
  | { readonly status: 'stranger'; readonly service: string };

export interface Ingest {
  /**
   * Opens a new epoch for a producer; an older session of it is fenced.
   * @param hello.services  those that are counted, at least one
   * @param hello.refused   others that its batches may name: of these nothing is counted or kept
   */
  openSession(
    hello: Pick<Hello, 'producerId' | 'services' | 'firstRetained' | 'lastSealed'> & {
      readonly refused?: readonly string[];
    },
    peer: SessionPeer,
  ): Promise<Opened>;
  /** @param raw  the frame as received; kept until the books hold it */
  submit(session: Session, frame: Batch | Skip, raw: Buffer): Submitted;
  /** The connection is gone; what it sent is still counted. */
  closeSession(session: Session): void;
  /** Counts a frame that its connection refuses, for what it is or for what `submit` said of it. */
  refuse(): void;
  /** Reads every cursor anew: call it when the store was lost and is back. */
  recheck(): void;
  /** True while so much waits for the store that nothing more should be decoded. */
  isFull(): boolean;
  /** Called when `isFull` turns false. */
  onRoom(listener: () => void): void;
  /** Resolves when everything received is in the books. */
  drain(): Promise<void>;
  /** Gives up what waits: it is not acknowledged, so its agents send it again to another daemon. */
  stop(): void;
}

/**
 * From frames to books. Keeps each producer's order, merges what waits into one store call per service, and
 * acknowledges a batch when all of its services hold it. See `lane.ts` for the store calls.
 */
export function createIngest(options: IngestOptions): Ingest {
  const { facts, nowMs, observer } = options;
  const sessions = new Map<string, Session>();
  const lanes = new Map<string, Lane>();
  const lossReasons = createLossReasons();
  const roomListeners: (() => void)[] = [];
  const drained: (() => void)[] = [];
  let dirty = new Set<Lane>();
  let changed = new Set<string>();
  let isScheduled = false;
  let roundAtMs = 0;
  /** Batches taken since the last round started, and how long that lets the next one wait. */
  let batches = 0;
  let waitMs: number = ROUND.leastMs;
  let waitingBytes = 0;
  let wasFull = false;
  let isStopped = false;

  const startRound = () => {
    isScheduled = false;
    roundAtMs = performance.now();
    waitMs = Math.min(ROUND.leastMs + batches / ROUND.batchesPerMs, ROUND.mostMs);
    batches = 0;
    const lanesToStart = dirty;
    dirty = new Set();
    for (const lane of lanesToStart) lane.start();
    if (changed.size === 0) return;
    const services = [...changed];
    changed = new Set();
    options.onApplied?.(services);
  };

  const schedule = () => {
    if (isScheduled || isStopped) return;
    isScheduled = true;
    const leftMs = roundAtMs + waitMs - performance.now();
    if (leftMs <= 0) setImmediate(startRound);
    else setTimeout(startRound, Math.ceil(leftMs));
  };

  const free = (arrivals: readonly Arrival[]) => {
    for (const arrival of arrivals) waitingBytes -= arrival.frame.length;
    if (!wasFull || waitingBytes > WAITING_BYTES_MAX / 2) return;
    wasFull = false;
    for (const listener of roomListeners) listener();
  };

  /** Acknowledges what is complete, in order. */
  const settle = (session: Session) => {
    const done = session.advance();
    if (done.length === 0) return;
    for (const { lost } of done) {
      for (const reason in lost) {
        const outcomes = lost[reason] ?? 0;
        if (outcomes <= 0) continue;
        const from = { agent: session.producerId, services: [...session.tracks.keys()] };
        observer.lost(lossReasons.nameOf(reason), outcomes, from);
      }
    }
    free(done);
    if (session.peer !== null) session.peer.acknowledged(session.applied);
    else forget(session);
  };

  /** A closed session is known until all it sent is settled: a newer one of its producer must fence it first. */
  const forget = (session: Session) => {
    if (session.waiting.length > 0 || sessions.get(session.producerId) !== session) return;
    sessions.delete(session.producerId);
  };

  const end = (session: Session) => {
    session.isOver = true;
    for (const track of session.tracks.values()) track.lane.giveUp(track);
    const dropped = session.rewind(session.applied);
    if (dropped.length > 0) observer.batches('refused', dropped.length);
    free(dropped);
  };

  const fence = (session: Session) => {
    if (session.isOver) return;
    end(session);
    session.peer?.fenced();
  };

  const context: LaneContext = {
    facts,
    observer,
    nowMs,
    rules: options,
    held: (shares, isNew) => {
      const touched = new Set<Session>();
      let complete = 0;
      for (const { arrival } of shares) {
        arrival.remaining -= 1;
        if (arrival.remaining === 0) complete += 1;
        if (arrival.generation === arrival.session.generation) touched.add(arrival.session);
      }
      if (complete > 0) observer.batches(isNew ? 'applied' : 'duplicate', complete);
      for (const session of touched) settle(session);
    },
    wentBack: (session, cursorSeq) => {
      if (session.next - 1 <= cursorSeq) return;
      const dropped = session.rewind(Math.min(session.applied, cursorSeq));
      observer.batches('rewound', dropped.length);
      free(dropped);
      session.peer?.rewound(session.next);
    },
    fenced: fence,
    conflicted: (session) => {
      end(session);
      session.peer?.conflicted(session.applied + 1);
    },
    applied: (service) => {
      changed.add(service);
      schedule();
    },
    ready: (lane) => {
      dirty.add(lane);
      schedule();
    },
    idle: (lane) => {
      if (lane.tracks.size === 0) lanes.delete(lane.service);
      if (drained.length > 0 && [...lanes.values()].every((one) => one.isIdle)) {
        for (const resolve of drained.splice(0)) resolve();
      }
    },
  };

  const laneOf = (service: string): Lane => {
    let lane = lanes.get(service);
    if (lane === undefined) {
      lane = new Lane(service, context);
      lanes.set(service, lane);
    }
    return lane;
  };

  /** How far the books of services go that a token no longer covers: what they hold of a batch is not lost. */
  const readCounted = async (
    refused: readonly string[],
    producer: { readonly producerId: string; readonly epoch: number },
  ): Promise<ReadonlyMap<string, number>> => {
    const asked = [...new Set(refused)].map(async (service) => {
      const answer = await facts.apply(cursorQuestion(service, [producer]), nowMs());
      const cursor = answer.status === 'moved' ? answer.cursors.get(producer.producerId) : undefined;
      return [service, cursor?.seq ?? 0] as const;
    });
    return new Map(await Promise.all(asked));
  };

  const shiftOf = (session: Session, frame: Batch): number => {
    if (frame.clockOffsetMs !== null || session.clock === null) return 0;
    const { offsetMs, roundTripMs } = session.clock;
    if (Math.abs(offsetMs) <= Math.max(CLOCK_TOLERANCE_MS, 2 * roundTripMs)) return 0;
    return Math.round(offsetMs / MINUTE_MS);
  };

  /** Takes a frame whose turn it is, and merges it into what its services gain. */
  const take = (session: Session, frame: Batch | Skip, raw: Buffer): Submitted => {
    const isBatch = frame.type === 'batch';
    const touched = isBatch ? touchedBy(session, frame) : [...session.tracks.values()];
    if (!Array.isArray(touched)) return touched;
    const forbidden = isBatch ? forbiddenIn(session, frame) : 0;
    const shiftMinutes = isBatch ? shiftOf(session, frame) : 0;
    const arrival: Arrival = {
      session,
      generation: session.generation,
      seq: isBatch ? frame.seq : frame.to,
      digest: isBatch ? frame.digest : '',
      minute: isBatch ? Math.max(0, frame.minute + shiftMinutes) : null,
      shiftMinutes,
      lost: isBatch ? frame.lost : { [frame.reason]: frame.outcomes },
      receivedAtMs: nowMs(),
      frame: raw,
      remaining: 0,
    };
    session.take(arrival.seq, arrival.digest);
    session.waiting.push(arrival);
    batches += 1;
    waitingBytes += raw.length;
    wasFull ||= waitingBytes > WAITING_BYTES_MAX;
    for (const track of touched) {
      const { lane, isAlive } = track;
      track.isTouched = false;
      track.isAlive = false;
      // The books of this service hold it already: it was sent again for the sake of another one.
      if (track.confirmed >= arrival.seq) continue;
      arrival.remaining += 1;
      const share = {
        arrival,
        track,
        isAlive,
        forbidden: track === touched[0] ? forbidden : 0,
        wasSent: false,
      };
      track.target = lane.take(share, isBatch ? frame.cells.length : 0);
      dirty.add(lane);
    }
    if (isBatch) countCells(arrival, frame);
    for (const track of touched) track.target = null;
    if (arrival.remaining > 0) schedule();
    else {
      observer.batches('duplicate', 1);
      settle(session);
    }
    return TAKEN;
  };

  return {
    openSession: async ({ producerId, firstRetained, lastSealed, ...hello }, peer) => {
      const services = [...new Set(hello.services)];
      let opened: { readonly epoch: number; readonly cursors: ReadonlyMap<string, Cursor> };
      let refused: ReadonlyMap<string, number> | undefined;
      try {
        opened = await facts.openEpoch({ producerId, services, nowMs: nowMs() });
        if (hello.refused?.length) refused = await readCounted(hello.refused, { producerId, ...opened });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        return { status: 'unavailable', message: error.message };
      }
      const former = sessions.get(producerId);
      if (former !== undefined && former.epoch > opened.epoch) return { status: 'fenced' };
      if (former !== undefined) fence(former);

      const cursors = services.map((service) => opened.cursors.get(service) ?? NOTHING_HELD);
      const seqs = cursors.map(({ seq }) => seq);
      const highest = Math.max(...seqs);
      if (highest > lastSealed) return { status: 'conflict', seq: lastSealed + 1 };
      const applied = Math.max(Math.min(...seqs), firstRetained - 1);
      const { epoch } = opened;
      const session = new Session({ producerId, epoch, applied, peer, ...(refused && { refused }) });
      let appliedDigest = '';
      for (const [at, service] of services.entries()) {
        const { seq, digest } = cursors[at]!;
        const lane = laneOf(service);
        const track: Track = {
          session,
          lane,
          confirmed: seq,
          planned: seq,
          isTouched: false,
          isAlive: false,
          target: null,
        };
        session.tracks.set(service, track);
        lane.tracks.add(track);
        if (seq === applied && digest !== '') appliedDigest = digest;
      }
      if (appliedDigest !== '') session.remember(applied, appliedDigest);
      sessions.set(producerId, session);
      const furthest = highest > applied ? cursors.find(({ seq }) => seq === highest) : undefined;
      return { status: 'open', session, appliedDigest, ...(furthest && { furthest }) };
    },

    submit: (session, frame, raw) => {
      if (session.isOver || frame.epoch < session.epoch) {
        observer.batches('refused', 1);
        return FENCED;
      }
      if (frame.epoch > session.epoch) return UNKNOWN_EPOCH;
      const isBatch = frame.type === 'batch';
      const from = isBatch ? frame.seq : frame.from;
      const to = isBatch ? frame.seq : frame.to;
      switch (session.turnOf(from, to, isBatch ? frame.digest : '')) {
        case 'again':
          observer.batches('duplicate', 1);
          return to <= session.applied ? AGAIN : PASSED;
        case 'conflict':
          observer.batches('refused', 1);
          return CONFLICT;
        case 'early': {
          observer.batches('rewound', 1);
          const wasRewinding = session.isRewinding;
          session.isRewinding = true;
          return wasRewinding ? PASSED : EARLY;
        }
        case 'next':
          return take(session, frame, raw);
      }
    },

    closeSession: (session) => {
      session.peer = null;
      forget(session);
      for (const track of session.tracks.values()) {
        track.lane.tracks.delete(track);
        if (track.lane.isIdle) context.idle(track.lane);
      }
    },

    refuse: () => observer.batches('refused', 1),

    recheck: () => {
      for (const lane of lanes.values()) lane.recheck();
    },

    isFull: () => wasFull,

    onRoom: (listener) => {
      roomListeners.push(listener);
    },

    drain: async () => {
      if ([...lanes.values()].every((lane) => lane.isIdle)) return;
      await new Promise<void>((resolve) => drained.push(resolve));
    },

    stop: () => {
      isStopped = true;
      for (const lane of lanes.values()) lane.stop();
    },
  };
}

const TAKEN: Submitted = { status: 'taken' };
const AGAIN: Submitted = { status: 'again' };
const EARLY: Submitted = { status: 'early' };
const PASSED: Submitted = { status: 'passed' };
const NOTHING_HELD: Cursor = { seq: 0, digest: '' };
const FENCED: Submitted = { status: 'fenced' };
const CONFLICT: Submitted = { status: 'conflict' };
const UNKNOWN_EPOCH: Submitted = { status: 'unknown-epoch' };

/**
 * The services that a batch touches, marked so; or the one that hello did not name, and nothing is marked. A batch of
 * nothing but refused services touches all others: a cursor must tell that it was taken, or it would come again.
 */
function touchedBy(session: Session, { cells, alive }: Batch): Track[] | Submitted {
  const { tracks, refused } = session;
  const touched: Track[] = [];
  const refuse = (service: string): Submitted => {
    for (const track of touched) {
      track.isTouched = false;
      track.isAlive = false;
    }
    return { status: 'stranger', service };
  };
  // Neighbouring cells mostly share their service, here and in countCells.
  let last = '';
  for (const { service } of cells) {
    if (service === last) continue;
    last = service;
    const track = tracks.get(service);
    if (track === undefined) {
      if (refused.has(service)) continue;
      return refuse(service);
    }
    if (track.isTouched) continue;
    track.isTouched = true;
    touched.push(track);
  }
  for (const service of alive) {
    const track = tracks.get(service);
    if (track === undefined) {
      if (refused.has(service)) continue;
      return refuse(service);
    }
    track.isAlive = true;
    if (track.isTouched) continue;
    track.isTouched = true;
    touched.push(track);
  }
  const isAllRefused = touched.length === 0 && cells.length + alive.length > 0;
  return isAllRefused ? [...tracks.values()] : touched;
}

function forbiddenIn({ refused }: Session, { seq, cells }: Batch): number {
  if (refused.size === 0) return 0;
  return cells.reduce((sum, { service, n }) => (seq > (refused.get(service) ?? seq) ? sum + n : sum), 0);
}

function countCells(arrival: Arrival, { cells }: Batch): void {
  const { tracks } = arrival.session;
  let last = '';
  let target: Group | null = null;
  for (const cell of cells) {
    if (cell.service !== last) {
      last = cell.service;
      target = tracks.get(last)?.target ?? null;
    }
    target?.count(cell, arrival);
  }
}
