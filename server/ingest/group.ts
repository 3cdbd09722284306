import { COUNTER_MAX, LATE_SLOT_MINUTES, MEASURE_COUNT, MEASURE_INDEX, MINUTE_MS } from '../../sla/facts.ts';
import { APPLY_BOUNDS, type CursorMove, type Origin, type ServiceDelta } from '../store/store.ts';
import type { Share, Track } from './session.ts';

/** Which minutes are counted as they are, and when an arrival is late. */
export interface GroupTimes {
  /** Older minutes are past the retention and counted as lost. */
  readonly firstMinute: number;
  /** Later minutes are counted here: an agent's clock may be ahead, its outcomes are not of the future. */
  readonly lastMinute: number;
  /** After this instant an arrival for the minute is late. */
  closesAtMs(minute: number): number;
}

/**
 * Batches of many producers, merged into what one service gains in one store call. Integers add, so the order
 * of the batches does not matter to the counts; the bounds of a store call are kept at batch borders.
 */
export class Group {
  readonly service: string;
  readonly shares: Share[] = [];
  /** Outcomes of minutes past the retention. */
  tooOld = 0;
  /** Outcomes of the future, counted at `lastMinute`. */
  clamped = 0;
  earliestArrivalMs = Number.POSITIVE_INFINITY;
  readonly moves = new Map<Track, Mutable<CursorMove>>();
  readonly tallies = new Map<number, number[]>();
  /** region -> platform -> tallies */
  readonly labels = new Map<string, Map<string, number[]>>();
  readonly #times: GroupTimes;
  readonly #alive = new Set<number>();
  readonly #late = new Map<number, number>();
  readonly #origins = new Map<string, { readonly origin: Origin; n: number }>();

  constructor(service: string, times: GroupTimes) {
    this.service = service;
    this.#times = times;
  }

  /** A batch alone always fits: its bounds are no wider than a store call's. */
  fits(share: Share): boolean {
    const cells = share.cells.length;
    return (
      (this.moves.size < APPLY_BOUNDS.cursors || this.moves.has(share.track)) &&
      this.#alive.size < APPLY_BOUNDS.alive &&
      this.tallies.size + cells <= APPLY_BOUNDS.tallies &&
      this.#late.size + cells <= APPLY_BOUNDS.late &&
      this.#origins.size + cells <= APPLY_BOUNDS.origins
    );
  }

  /** The caller moves `track.planned` afterwards. */
  add(share: Share): void {
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
    this.shares.push(share);
    this.earliestArrivalMs = Math.min(this.earliestArrivalMs, arrival.receivedAtMs);
    if (share.isAlive && arrival.minute !== null) {
      const minute = Math.min(arrival.minute, this.#times.lastMinute);
      if (minute >= this.#times.firstMinute) this.#alive.add(minute);
    }
    this.#addCells(share);
  }

  delta(): ServiceDelta {
    return {
      service: this.service,
      cursors: [...this.moves.values()],
      tallies: this.tallies,
      alive: this.#alive,
      late: this.#late,
      origins: [...this.#origins.values()],
    };
  }

  #addCells({ cells, arrival }: Share): void {
    const { firstMinute, lastMinute } = this.#times;
    // Neighbouring cells mostly share minute and labels, so the last row found is tried first.
    let rowMinute = -1;
    let row: number[] = NO_ROW;
    let isLate = false;
    let labelRegion: string | null = null;
    let labelPlatform: string | null = null;
    let labelRow: number[] = NO_ROW;
    for (const cell of cells) {
      const { n } = cell;
      let minute = cell.minute + arrival.shiftMinutes;
      if (minute < firstMinute) {
        this.tooOld += n;
        continue;
      }
      if (minute > lastMinute) {
        this.clamped += n;
        minute = lastMinute;
      }
      if (minute !== rowMinute) {
        rowMinute = minute;
        row = this.#rowOf(minute);
        isLate = arrival.receivedAtMs > this.#times.closesAtMs(minute);
      }
      if (cell.region !== labelRegion || cell.platform !== labelPlatform) {
        labelRegion = cell.region;
        labelPlatform = cell.platform;
        labelRow = this.#labelRowOf(labelRegion, labelPlatform);
      }
      row[MEASURE_INDEX.attempts] = (row[MEASURE_INDEX.attempts] ?? 0) + n;
      labelRow[MEASURE_INDEX.attempts] = (labelRow[MEASURE_INDEX.attempts] ?? 0) + n;
      if (isLate) {
        const slot = slotOf(minute);
        this.#late.set(slot, (this.#late.get(slot) ?? 0) + n);
      }
      if (cell.cause !== '') {
        const measure = MEASURE_INDEX[cell.cause];
        row[measure] = (row[measure] ?? 0) + n;
        labelRow[measure] = (labelRow[measure] ?? 0) + n;
        this.#addOrigin(slotOf(minute), cell.region, cell.platform, cell.cause, cell.code, n);
      }
    }
  }

  #rowOf(minute: number): number[] {
    let row = this.tallies.get(minute);
    if (row === undefined) {
      row = new Array<number>(MEASURE_COUNT).fill(0);
      this.tallies.set(minute, row);
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

  #addOrigin(slotMinute: number, region: string, platform: string, cause: string, code: string, n: number) {
    // A label holds no control character, so a newline separates.
    const key = `${slotMinute}\n${cause}\n${region}\n${platform}\n${code}`;
    const known = this.#origins.get(key);
    // An origin is a hint where to look, and one call may add at most a full counter.
    if (known !== undefined) known.n = Math.min(known.n + n, COUNTER_MAX);
    else this.#origins.set(key, { origin: { slotMinute, region, platform, cause, code }, n });
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NO_ROW: number[] = [];

function slotOf(minute: number): number {
  return minute - (minute % LATE_SLOT_MINUTES);
}

/** Milliseconds that the future may reach: what lies beyond is counted in the minute of now + this. */
export const FUTURE_MS = 60_000;

export function minuteOf(atMs: number): number {
  return Math.floor(atMs / MINUTE_MS);
}
