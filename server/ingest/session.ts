import type { Group } from './group.ts';
import type { Lane } from './lane.ts';

/** Digests remembered per producer, to tell a repeated batch from another one under the same seq. */
export const DIGESTS_KEPT = 32;

/** Who is told what became of a producer's batches: its connection. */
export interface SessionPeer {
  /** Every batch up to `applied` is in the books. */
  acknowledged(applied: number): void;
  /** The books lack `from` and what follows. */
  rewound(from: number): void;
  /** A newer session of the same producer exists. */
  fenced(): void;
  /** The books hold another batch under this seq; all before it is counted. */
  conflicted(seq: number): void;
}

/** A batch or skip that was received in its turn and is not yet in all of its services' books. */
export interface Arrival {
  readonly session: Session;
  /** The session's generation when it arrived; another one now means it was given up for a rewind. */
  readonly generation: number;
  readonly seq: number;
  readonly digest: string;
  /** The minute for which `alive` holds, epoch minutes; null in a skip. */
  readonly minute: number | null;
  /** Added to the minutes of its cells. */
  readonly shiftMinutes: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly receivedAtMs: number;
  /**
   * The frame as it was received. Its cells are merged at once and forgotten, since kept objects are what a
   * garbage collector pays for; should a merge have to be undone, they are decoded again from here.
   */
  readonly frame: Buffer;
  /** Services whose books do not hold it yet. */
  remaining: number;
}

/** The part of an arrival that concerns one service. */
export interface Share {
  readonly arrival: Arrival;
  readonly track: Track;
  readonly isAlive: boolean;
  /**
   * Outcomes of refused services in the arrival's batch. One of its shares has them, always of the same service, so
   * that they are lost once: when that service's books take the batch.
   */
  readonly forbidden: number;
  /** It was in a store call whose answer is unknown: if the books hold it now, that call put it there. */
  wasSent: boolean;
}

/** Where one producer stands in one service's books, as far as this daemon knows. */
export interface Track {
  readonly session: Session;
  readonly lane: Lane;
  /** The cursor after the last call that succeeded. */
  confirmed: number;
  /** The cursor once everything that was merged is in the books. */
  planned: number;
  /** While an arrival is being merged: it touches this service, and where its cells go (null: nowhere). */
  isTouched: boolean;
  isAlive: boolean;
  target: Group | null;
}

/** How a frame stands in its producer's order. */
export type Turn = 'next' | 'again' | 'conflict' | 'early';

/**
 * One producer's connection as ingest sees it: the order of its batches and what is acknowledged.
 * Small, since a daemon holds one for each of ten thousand idle agents.
 */
export class Session {
  readonly producerId: string;
  readonly epoch: number;
  readonly tracks = new Map<string, Track>();
  /**
   * Services of its agent that are not counted, as its token does not cover them, and up to which seq their books
   * hold its batches from a time when it did.
   */
  readonly refused: ReadonlyMap<string, number>;
  /** null once the connection is gone; what it sent is still counted. */
  peer: SessionPeer | null;
  /** The seq that is taken next. */
  next: number;
  /** The highest seq that is acknowledged. */
  applied: number;
  generation = 0;
  /** Fenced or in conflict: nothing more of it is counted. */
  isOver = false;
  /** A gap was answered with a rewind and the missing batch has not come yet. */
  isRewinding = false;
  /** The daemon's clock minus the agent's, for batches that carry no correction; null until measured. */
  clock: { readonly offsetMs: number; readonly roundTripMs: number } | null = null;
  /** Arrivals that are not yet acknowledged, in order of seq. */
  readonly waiting: Arrival[] = [];
  #digests: string[] | null = null;

  constructor(start: {
    producerId: string;
    epoch: number;
    applied: number;
    peer: SessionPeer;
    refused?: ReadonlyMap<string, number>;
  }) {
    this.producerId = start.producerId;
    this.epoch = start.epoch;
    this.applied = start.applied;
    this.next = start.applied + 1;
    this.peer = start.peer;
    this.refused = start.refused ?? NO_SERVICES;
  }

  /** @param digest  '' for a skip, which has none */
  turnOf(from: number, to: number, digest: string): Turn {
    if (from > this.next) return 'early';
    if (to >= this.next) return 'next';
    const known = this.#digestOf(to);
    return known === '' || digest === '' || known === digest ? 'again' : 'conflict';
  }

  /** Takes [next, to] as received. */
  take(to: number, digest: string): void {
    // The seqs that a skip passes over have no digest, and their slots must not keep an older seq's.
    for (let seq = Math.max(this.next, to - DIGESTS_KEPT + 1); seq < to; seq += 1) this.remember(seq, '');
    this.remember(to, digest);
    this.next = to + 1;
    this.isRewinding = false;
  }

  remember(seq: number, digest: string): void {
    this.#digests ??= new Array<string>(DIGESTS_KEPT).fill('');
    this.#digests[seq % DIGESTS_KEPT] = digest;
  }

  /** Moves `applied` over the arrivals that all of their services hold; @returns those, in order */
  advance(): Arrival[] {
    let count = 0;
    while (count < this.waiting.length && this.waiting[count]?.remaining === 0) count += 1;
    if (count === 0) return NONE;
    const done = this.waiting.splice(0, count);
    this.applied = done[count - 1]?.seq ?? this.applied;
    return done;
  }

  /** Goes back to `applied`, giving up what waits; @returns what was given up */
  rewind(applied: number): Arrival[] {
    this.generation += 1;
    this.applied = applied;
    this.next = applied + 1;
    this.isRewinding = true;
    return this.waiting.splice(0);
  }

  #digestOf(seq: number): string {
    if (this.#digests === null || seq <= this.next - 1 - DIGESTS_KEPT) return '';
    return this.#digests[seq % DIGESTS_KEPT] ?? '';
  }
}

const NONE: Arrival[] = [];
const NO_SERVICES: ReadonlyMap<string, number> = new Map();
