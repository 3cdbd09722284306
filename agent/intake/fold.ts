import type { Cell } from '../../protocol/frame.ts';
import type { CauseLookup } from '../../sla/causes.ts';
import { MINUTE_MS } from '../../sla/facts.ts';
import { parseInstant } from '../../sla/instant.ts';
import { OUTCOME_LIMITS, parseOutcome } from '../../sla/outcome.ts';
import { type OutcomeLabels, outcomeLabels } from '../labels.ts';
import { Tally } from '../tally.ts';

/** An outcome's fields as reported, of whatever types; see `parseOutcome`. */
export interface ReportedFields {
  readonly service?: unknown;
  readonly at?: unknown;
  readonly result?: unknown;
  readonly platform?: unknown;
  readonly region?: unknown;
  readonly app?: unknown;
  readonly code?: unknown;
  readonly extraCode?: unknown;
  readonly cause?: unknown;
  readonly count?: unknown;
  readonly id?: unknown;
  readonly durationMs?: unknown;
}

/** Outcomes on their way to the spool, in minutes under one clock correction. */
export interface FoldedCells {
  readonly clockOffsetMs: number | null;
  readonly cells: readonly Cell[];
}

/** Outcomes that differ in time and number only. */
export interface Series {
  readonly labels: OutcomeLabels;
  /** Of the `n` outcomes not taken yet. */
  minute: number;
  n: number;
}

/** Combinations of labels that are known; beyond it all are forgotten and learnt anew. */
const SERIES_MAX = 4_096;
/** Cells that wait to be taken; beyond it outcomes are refused. */
const CELLS_MAX = 10_000;
const APPS_MAX = 256;

/**
 * Folds outcomes into cells as they are reported, at a tenth of a microsecond each: no record is copied, parsed or
 * kept. That is possible because labels repeat. A combination is validated and given its cause once, by the full
 * parser, and is found again by its raw values; time, count and duration are checked each time. Whatever else there
 * is about a record (an id, a fault) is left to the full way.
 */
export class Fold {
  readonly #lookup: CauseLookup;
  readonly #service: string | undefined;
  readonly #clockOffset: () => number | null;
  readonly #admits: (service: string) => boolean;
  readonly #admission: () => number;
  #admittedUnder: number;
  /** By service, region and platform as reported. */
  #known: Branch<Branch<Branch<Results>>> = new Map();
  #knownSeries = 0;
  readonly #apps = new Set<unknown>();
  /** Those with outcomes not taken yet. */
  #active: Series[] = [];
  /** Outcomes not taken yet that are of another minute than the last one of their series. */
  readonly #tally = new Tally();
  #clockOffsetMs: number | null = null;

  /**
   * @param options.clockOffset what is to be added to the agent's clock now; null while that is not known
   * @param options.admits      whether outcomes of a service can be taken at all
   * @param options.admission   another number once `admits` may say otherwise; looked at whenever cells are taken
   */
  constructor(options: {
    readonly lookup: CauseLookup;
    readonly service: string | undefined;
    readonly clockOffset: () => number | null;
    readonly admits?: (service: string) => boolean;
    readonly admission?: () => number;
  }) {
    this.#lookup = options.lookup;
    this.#service = options.service;
    this.#clockOffset = options.clockOffset;
    this.#admits = options.admits ?? (() => true);
    this.#admission = options.admission ?? (() => 0);
    this.#admittedUnder = this.#admission();
  }

  get isEmpty(): boolean {
    return this.#active.length === 0 && this.#tally.cells === 0;
  }

  /**
   * Counts an outcome.
   * @param nowMs for one without a time
   * @returns false when it must go the full way
   */
  add(fields: ReportedFields, nowMs: number): boolean {
    if ((fields.id ?? null) !== null || !isMeasured(fields)) return false;
    const startedAtMs = startOf(fields.at, nowMs);
    if (Number.isNaN(startedAtMs)) return false;
    const series = this.seriesOf(fields);
    return series !== undefined && this.#count(series, startedAtMs, (fields.count as number | null) ?? 1);
  }

  /**
   * Reads an outcome without counting it, whatever its id.
   * @returns undefined when it must go the full way
   */
  read(
    fields: ReportedFields,
    nowMs: number,
  ): { readonly labels: OutcomeLabels; readonly at: number; readonly count: number } | undefined {
    if (!isMeasured(fields)) return undefined;
    const at = startOf(fields.at, nowMs);
    const series = Number.isNaN(at) ? undefined : this.seriesOf(fields);
    return series && { labels: series.labels, at, count: (fields.count as number | null) ?? 1 };
  }

  /**
   * What an outcome's labels are, whatever its time, count and id.
   * @returns undefined when they are not valid, or of a service that is not taken
   */
  seriesOf(fields: ReportedFields): Series | undefined {
    const { app } = fields;
    const isAppKnown = app === undefined || app === null || this.#apps.has(app);
    return (isAppKnown ? this.#find(fields) : undefined) ?? this.#learn(fields);
  }

  /** What was counted since the last call. */
  take(): FoldedCells {
    for (const series of this.#active) this.#settle(series);
    this.#active = [];
    const admission = this.#admission();
    if (admission !== this.#admittedUnder) this.#forget();
    this.#admittedUnder = admission;
    return { clockOffsetMs: this.#clockOffsetMs, cells: this.#tally.take() };
  }

  #find(fields: ReportedFields): Series | undefined {
    const regions = this.#known.get(fields.service ?? this.#service);
    const results = regions?.get(fields.region ?? '')?.get(fields.platform ?? '');
    if (results === undefined) return undefined;
    const { result } = fields;
    if (result === 'failed') {
      return results.failed.get(fields.code)?.get(fields.extraCode)?.get(fields.cause);
    }
    if (result !== 'ok' || (fields.code ?? fields.extraCode ?? fields.cause ?? null) !== null)
      return undefined;
    return results.ok;
  }

  #learn(fields: ReportedFields): Series | undefined {
    const { service, region, platform, app, result, code, extraCode, cause } = fields;
    const alone = {
      service,
      region,
      platform,
      app,
      result,
      code,
      extraCode,
      cause,
      at: OUTCOME_LIMITS.minMs,
    };
    const parsed = parseOutcome(alone, this.#service === undefined ? {} : { service: this.#service });
    if (!parsed.ok || !this.#admits(parsed.outcome.service)) return undefined;
    if (this.#knownSeries >= SERIES_MAX) this.#forget();
    if (app !== undefined && app !== null) {
      if (this.#apps.size >= APPS_MAX) this.#apps.clear();
      this.#apps.add(app);
    }
    const found = this.#find(fields);
    // Only the application was new.
    if (found !== undefined) return found;
    const series: Series = { labels: outcomeLabels(parsed.outcome, this.#lookup), minute: 0, n: 0 };
    const regions = child(this.#known, service ?? this.#service);
    const platforms = child(regions, region ?? '');
    let results = platforms.get(platform ?? '');
    if (results === undefined) {
      results = { ok: undefined, failed: new Map() };
      platforms.set(platform ?? '', results);
    }
    // A success with a code is the same series as one without, and is looked at in full each time.
    if (results.ok !== undefined && result === 'ok') return results.ok;
    this.#knownSeries += 1;
    if (result === 'failed') child(child(results.failed, code), extraCode).set(cause, series);
    else results.ok = series;
    return series;
  }

  #count(series: Series, startedAtMs: number, count: number): boolean {
    const clockOffsetMs = this.#clockOffset();
    if (clockOffsetMs !== this.#clockOffsetMs) {
      // What is not taken yet was counted under another correction.
      if (!this.isEmpty) return false;
      this.#clockOffsetMs = clockOffsetMs;
    }
    const minute = Math.floor((startedAtMs + (clockOffsetMs ?? 0)) / MINUTE_MS);
    if (series.n > 0 && series.minute === minute) {
      series.n += count;
      return true;
    }
    if (this.#active.length + this.#tally.cells >= CELLS_MAX) return false;
    if (series.n === 0) this.#active.push(series);
    else this.#settle(series);
    series.minute = minute;
    series.n = count;
    return true;
  }

  #settle(series: Series): void {
    const { labels, minute, n } = series;
    if (n > 0) this.#tally.add({ ...labels, minute, n });
    series.n = 0;
  }

  #forget(): void {
    for (const series of this.#active) this.#settle(series);
    this.#active = [];
    this.#known = new Map();
    this.#knownSeries = 0;
  }
}

type Branch<T> = Map<unknown, T>;
interface Results {
  /** Without code and cause. */
  ok: Series | undefined;
  /** By code, extra code and cause as reported. */
  readonly failed: Branch<Branch<Branch<Series>>>;
}

function child<T>(branch: Branch<Branch<T>>, key: unknown): Branch<T> {
  let found = branch.get(key);
  if (found === undefined) {
    found = new Map();
    branch.set(key, found);
  }
  return found;
}

/** @returns NaN for what is no time, or one out of bounds */
function startOf(at: unknown, nowMs: number): number {
  const ms = typeof at === 'string' ? parseInstant(at) : (at ?? nowMs);
  const isInstant = typeof ms === 'number' && Number.isInteger(ms);
  return isInstant && ms >= OUTCOME_LIMITS.minMs && ms < OUTCOME_LIMITS.maxMs ? ms : Number.NaN;
}

/** Whether count and duration are as they may be. */
function isMeasured({ count, durationMs }: ReportedFields): boolean {
  return isCount(count ?? 1) && isDuration(durationMs ?? 0);
}

function isCount(count: unknown): boolean {
  return Number.isInteger(count) && (count as number) >= 1 && (count as number) <= OUTCOME_LIMITS.count;
}

function isDuration(durationMs: unknown): boolean {
  return typeof durationMs === 'number' && durationMs >= 0 && durationMs < Number.POSITIVE_INFINITY;
}
