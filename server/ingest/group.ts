import type { Cell } from '../../protocol/frame.ts';
import {
  CALLBACK_COUNT,
  CALLBACK_INDEX,
  type CallbackMeasure,
  COUNTER_MAX,
  LATE_SLOT_MINUTES,
  MEASURE_COUNT,
  MEASURE_INDEX,
  MINUTE_MS,
} from '../../sla/facts.ts';
import { APPLY_BOUNDS, type CursorMove, type Origin, type ServiceDelta } from '../store/store.ts';
import type { Arrival, Session, Share, Track } from './session.ts';

/** Milliseconds that the future may reach: what lies beyond is counted in the minute of now + this. */
export const FUTURE_MS = 60_000;

/** Which minutes are counted, and when an arrival is late. */
export interface GroupRules {
  /** Outcomes older than this are lost. */
  readonly retentionMs: number;
  /** After this instant an arrival for the minute is late. */
  closesAtMs(service: string, minute: number): number;
}

/**
 * Batches of many producers, merged into what one service gains in one store call. Integers add, so the order
 * of the batches does not matter to the counts; the bounds of a store call are kept at batch borders.
 */
export class Group {
  readonly service: string;
  readonly shares: Share[] = [];
  readonly moves = new Map<Track, Mutable<CursorMove>>();
  readonly tallies = new Map<number, number[]>();
  /** region -> platform -> tallies */
  readonly labels = new Map<string, Map<string, number[]>>();
  /** producer -> outcomes of minutes past the retention */
  readonly tooOld = new Map<string, number>();
  /** Outcomes of services that a session's token does not cover. */
  readonly forbidden = new Map<Session, number>();
  /** Outcomes of the future. */
  clamped = 0;
  earliestArrivalMs = Number.POSITIVE_INFINITY;
  readonly #rules: GroupRules;
  /** When the window of each minute in `tallies` closes. */
  readonly #closes = new Map<number, number>();
  readonly #alive = new Set<number>();
  readonly #late = new Map<number, number>();
  readonly #origins = new Map<string, { readonly origin: Origin; n: number }>();
  /** Left out of most groups: few services have callbacks, and those not in every batch. */
  #callbacks: Map<number, number[]> | undefined;
  // Neighbouring cells mostly share minute and labels, so the rows found last are tried first.
  #minute = -1;
  #row: number[] = NO_ROW;
  #closesAtMs = 0;
  #region: string | null = null;
  #platform: string | null = null;
  #labelRow: number[] = NO_ROW;

  constructor(service: string, rules: GroupRules) {
    this.service = service;
    this.#rules = rules;
  }

  /** A batch alone always fits: its bounds are no wider than a store call's. */
  fits(track: Track, cells: number): boolean {
    return (
      (this.moves.size < APPLY_BOUNDS.cursors || this.moves.has(track)) &&
      this.#alive.size < APPLY_BOUNDS.alive &&
      this.tallies.size + cells <= APPLY_BOUNDS.tallies &&
      this.#late.size + cells <= APPLY_BOUNDS.late &&
      this.#origins.size + cells <= APPLY_BOUNDS.origins &&
      (this.#callbacks === undefined || this.#callbacks.size + cells <= APPLY_BOUNDS.callbacks)
    );
  }

  /** Takes a share in, without its cells, and moves its producer's planned cursor. */
  join(share: Share): void {
    const { arrival, track } = share;
    const move = this.moves.get(track);
    if (move === undefined) {
      this.moves.set(track, {
        producerId: track.session.producerId,
        epoch: track.session.epoch,
        expectedSeq: track.planned,
        seq: arrival.seq,
        digest: arrival.digest,
      });
    } else {
      move.seq = arrival.seq;
      move.digest = arrival.digest;
    }
    track.planned = arrival.seq;
    this.shares.push(share);
    this.loseForbidden(share);
    this.earliestArrivalMs = Math.min(this.earliestArrivalMs, arrival.receivedAtMs);
    if (share.isAlive && arrival.minute !== null) {
      const minute = Math.min(arrival.minute, this.#lastMinute(arrival));
      if (minute >= this.#firstMinute(arrival)) this.#alive.add(minute);
    }
  }

  /** Of a share that joins it is done there. */
  loseForbidden({ arrival: { session }, forbidden }: Share): void {
    if (forbidden > 0) this.forbidden.set(session, (this.forbidden.get(session) ?? 0) + forbidden);
  }

  /** Counts one cell of an arrival whose share has joined. */
  count(cell: Cell, arrival: Arrival): void {
    const { n, region, platform, cause, result } = cell;
    if (result !== 'ok' && result !== 'failed') {
      this.#countCallbacks(cell, result, arrival);
      return;
    }
    let minute = cell.minute + arrival.shiftMinutes;
    if (minute !== this.#minute) {
      if (minute < this.#firstMinute(arrival)) {
        const { producerId } = arrival.session;
        this.tooOld.set(producerId, (this.tooOld.get(producerId) ?? 0) + n);
        return;
      }
      const lastMinute = this.#lastMinute(arrival);
      if (minute > lastMinute) {
        this.clamped += n;
        minute = lastMinute;
      }
      this.#minute = minute;
      this.#row = this.#rowOf(minute);
      this.#closesAtMs = this.#closes.get(minute) ?? 0;
    }
    if (region !== this.#region || platform !== this.#platform) {
      this.#region = region;
      this.#platform = platform;
      this.#labelRow = this.#labelRowOf(region, platform);
    }
    const row = this.#row;
    const labelRow = this.#labelRow;
    row[MEASURE_INDEX.attempts] = (row[MEASURE_INDEX.attempts] ?? 0) + n;
    labelRow[MEASURE_INDEX.attempts] = (labelRow[MEASURE_INDEX.attempts] ?? 0) + n;
    if (arrival.receivedAtMs > this.#closesAtMs) {
      const slot = slotOf(minute);
      this.#late.set(slot, (this.#late.get(slot) ?? 0) + n);
    }
    if (cause !== '') {
      const measure = MEASURE_INDEX[cause];
      row[measure] = (row[measure] ?? 0) + n;
      labelRow[measure] = (labelRow[measure] ?? 0) + n;
      this.#addOrigin({ slotMinute: slotOf(minute), region, platform, cause, code: cell.code }, n);
    }
  }

  delta(): ServiceDelta {
    const delta = {
      service: this.service,
      cursors: [...this.moves.values()],
      tallies: this.tallies,
      alive: this.#alive,
      late: this.#late,
      origins: [...this.#origins.values()],
    };
    return this.#callbacks === undefined ? delta : { ...delta, callbacks: this.#callbacks };
  }

  /** By measure, all minutes together; undefined when there are none. */
  callbackTotals(): readonly number[] | undefined {
    if (this.#callbacks === undefined) return undefined;
    const totals = new Array<number>(CALLBACK_COUNT).fill(0);
    for (const counts of this.#callbacks.values()) {
      for (const [measure, n] of counts.entries()) totals[measure] = (totals[measure] ?? 0) + n;
    }
    return totals;
  }

  /** The vendor's minute stands as it is: its clock is not the agent's, whose error is known. */
  #countCallbacks({ minute, n }: Cell, measure: CallbackMeasure, arrival: Arrival): void {
    if (minute < this.#firstMinute(arrival)) {
      const { producerId } = arrival.session;
      this.tooOld.set(producerId, (this.tooOld.get(producerId) ?? 0) + n);
      return;
    }
    const lastMinute = this.#lastMinute(arrival);
    if (minute > lastMinute) this.clamped += n;
    const counted = Math.min(minute, lastMinute);
    this.#callbacks ??= new Map();
    let counts = this.#callbacks.get(counted);
    if (counts === undefined) {
      counts = new Array<number>(CALLBACK_COUNT).fill(0);
      this.#callbacks.set(counted, counts);
    }
    const index = CALLBACK_INDEX[measure];
    counts[index] = (counts[index] ?? 0) + n;
  }

  #firstMinute({ receivedAtMs }: Arrival): number {
    return Math.floor((receivedAtMs - this.#rules.retentionMs) / MINUTE_MS);
  }

  #lastMinute({ receivedAtMs }: Arrival): number {
    return Math.floor((receivedAtMs + FUTURE_MS) / MINUTE_MS);
  }

  #rowOf(minute: number): number[] {
    let row = this.tallies.get(minute);
    if (row === undefined) {
      row = new Array<number>(MEASURE_COUNT).fill(0);
      this.tallies.set(minute, row);
      this.#closes.set(minute, this.#rules.closesAtMs(this.service, minute));
    }
    return row;
  }

  #labelRowOf(region: string, platform: string): number[] {
    let platforms = this.labels.get(region);
    if (platforms === undefined) {
      platforms = new Map();
      this.labels.set(region, platforms);
    }
    let row = platforms.get(platform);
    if (row === undefined) {
      row = new Array<number>(MEASURE_COUNT).fill(0);
      platforms.set(platform, row);
    }
    return row;
  }

  #addOrigin(origin: Origin, n: number): void {
    // A label holds no control character, so a newline separates.
    const key = `${origin.slotMinute}\n${origin.cause}\n${origin.region}\n${origin.platform}\n${origin.code}`;
    const known = this.#origins.get(key);
    // An origin is a hint where to look, and one call may add at most a full counter.
    if (known !== undefined) known.n = Math.min(known.n + n, COUNTER_MAX);
    else this.#origins.set(key, { origin, n });
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NO_ROW: number[] = [];

function slotOf(minute: number): number {
  return minute - (minute % LATE_SLOT_MINUTES);
}
