import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cell } from '../protocol/frame.ts';
import { createCauseLookup } from '../sla/causes.ts';
import { IdHash } from '../sla/lines/id-hash.ts';
import { isOutcomeId } from '../sla/outcome.ts';
import { type AgentOptions, type RunningAgent, startAgent } from './app.ts';
import { Fold, type FoldedCells } from './intake/fold.ts';
import { HashedReports } from './intake/hashed-reports.ts';
import { type TakenEach, takeEach } from './intake/take-each.ts';
import { checkLibraryOptions } from './library-options.ts';
import { type Log, sheltered, silentLog } from './log.ts';
import type { ReceiveFault } from './receiver.ts';
import { DEFAULT_SERVER } from './settings.ts';
import type { HashedRange } from './spool/hashed-outcomes.ts';
import type { Spool } from './spool/spool.ts';
import { readToken } from './token.ts';

export { AgentOptionsError } from './library-options.ts';
export type { Log } from './log.ts';

/** One room entry, or `count` equal ones; see the outcome of the HTTP intake for the fields. */
export interface OutcomeReport {
  readonly service?: string;
  /** When the request started: epoch milliseconds, RFC 3339 or a Date; left out = now. */
  readonly at?: number | string | Date;
  readonly result: 'ok' | 'failed';
  readonly platform?: string;
  readonly region?: string;
  readonly app?: string;
  readonly code?: number;
  readonly extraCode?: number;
  readonly cause?: 'provider' | 'customer' | 'network' | 'unknown';
  readonly id?: string;
  readonly durationMs?: number;
  readonly count?: number;
}

export interface LibraryOptions {
  /** Whose outcomes are recorded; the first one is for reports that name none. */
  readonly services: readonly string[];
  readonly server?: string;
  /** Default: ROOMWATCH_TOKEN, then `tokenFile`, then ./data/agent-token. */
  readonly token?: string;
  readonly tokenFile?: string;
  /** A directory of this process's own (default ./data/spool). */
  readonly spoolDirectory?: string;
  readonly log?: Log;
  /** Everything else that an agent takes. */
  readonly agent?: Partial<AgentOptions>;
}

export interface Agent {
  /**
   * Takes an outcome. Returns at once and never throws; a bad report or a full buffer is counted and logged. One
   * without an id costs a tenth of a microsecond, see `Fold`; one with an id less than a whole one.
   */
  record(outcome: OutcomeReport): void;
  /**
   * Waits until everything recorded so far is on disk and counted by the daemon, but for what is `rejected`.
   * @param withinMs  default 10,000; Infinity, as whatever is more than 24 days, is 24 days
   * @returns false when that took longer; it is tried on all the same
   */
  flush(withinMs?: number): Promise<boolean>;
  /** Flushes for up to ten seconds and lets go of the spool; what was not counted waits there. */
  close(): Promise<void>;
  /** Reports that were not kept: the buffer was full, the agent closed, or a getter threw. */
  readonly dropped: number;
  /**
   * Reports refused for what they are, once they were looked at: after `flush`, all that were recorded before it. Those
   * for whose service there was no place may have been folded, and then count as many as their `count` says; so do
   * those that were accepted before the daemon said that the token does not cover their service.
   */
  readonly rejected: number;
}

/** Reports that wait to be taken, of those that cannot be folded at once; beyond it, new ones are dropped. */
const BUFFER_MAX = 100_000;
/** Reports taken in one turn of the application's event loop: about a millisecond. */
const PORTION = 500;
/** Portions for which the disk is waited once. */
const PORTIONS_MAX = 20;
const RETRY_MS = 1_000;
const FLUSH_MS = 10_000;
/** A timer of Node that is to run longer runs out at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * An agent inside the application's own process, for Node.
 * @throws AgentOptionsError (code AGENT_OPTIONS_INVALID) for options that cannot be meant; after that nothing is thrown
 */
export function createAgent(options: LibraryOptions): Agent {
  return new EmbeddedAgent(options);
}

class EmbeddedAgent implements Agent {
  readonly #options: LibraryOptions;
  readonly #log: Log;
  readonly #fold: Fold;
  /** Taken from the fold and not on disk yet. */
  #folded: FoldedCells | undefined;
  /** Of whatever kind: what is no report is refused by the full way. */
  readonly #buffer: unknown[] = [];
  readonly #hashed = new HashedReports();
  readonly #idHash = new IdHash();
  #agent: RunningAgent | undefined;
  #isClosing = false;
  #isStopped = false;
  #closed: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  /** In a row. */
  #failures = 0;
  #dropped = 0;
  #rejected = 0;

  constructor(options: LibraryOptions) {
    checkLibraryOptions(options);
    this.#options = options;
    this.#log = sheltered(options.log ?? silentLog);
    this.#fold = new Fold({
      lookup: createCauseLookup(options.agent?.causes),
      service: options.agent?.defaultService ?? options.services[0],
      clockOffset: () => this.#agent?.spool.clockOffsetMs ?? null,
      // One that is not taken is refused record by record, by the agent.
      admits: (service) => this.#agent?.forbidden.has(service) !== true,
      admission: () => this.#agent?.forbidden.revision ?? 0,
    });
    this.#drain();
  }

  get dropped(): number {
    return this.#dropped;
  }

  get rejected(): number {
    const { receiver, forbidden } = this.#agent ?? {};
    return this.#rejected + (forbidden ? (receiver?.acceptedOf(forbidden.list) ?? 0) : 0);
  }

  record(outcome: OutcomeReport): void {
    try {
      this.#take(outcome?.at instanceof Date ? copyOf(outcome, outcome.at.getTime()) : outcome);
    } catch {
      // A getter or a proxy of the application's: what it throws is not thrown back at it.
      this.#drop(1);
    }
  }

  #take(outcome: OutcomeReport): void {
    const nowMs = Date.now();
    if (this.#isClosing) this.#drop(1);
    else if (typeof outcome !== 'object' || !outcome) this.#put(outcome);
    else if (!this.#fold.add(outcome, nowMs) && !this.#addHashed(outcome, nowMs))
      // As it is now, and "now" is when it was made.
      this.#put(copyOf(outcome, outcome.at ?? nowMs));
    this.#drain();
  }

  /**
   * Keeps of a sound report with an id what counts, in a few bytes, or drops it.
   * @returns false when it must go the full way
   */
  #addHashed(outcome: OutcomeReport, nowMs: number): boolean {
    const { id } = outcome;
    if (!isOutcomeId(id) || !this.#agent) return false;
    const read = this.#fold.read(outcome, nowMs);
    if (read === undefined) return false;
    this.#idHash.ofText(id);
    if (!this.#hashed.add(read.labels, read, this.#idHash)) this.#drop(1);
    return true;
  }

  #put(report: unknown): void {
    if (this.#buffer.length < BUFFER_MAX) this.#buffer.push(report);
    else this.#drop(1);
  }

  #drop(outcomes: number): void {
    const before = this.#dropped;
    this.#dropped += outcomes;
    if (!isWorthALine(before, this.#dropped)) return;
    this.#log.warn({ dropped: this.#dropped }, 'outcomes are dropped: the agent cannot keep up or is closed');
  }

  async flush(withinMs = FLUSH_MS): Promise<boolean> {
    const deadlineMs = performance.now() + withinMs;
    const leftMs = () => Math.min(TIMER_MAX_MS, Math.max(0, deadlineMs - performance.now()));
    do {
      this.#drain();
      if (!(await before(this.#draining ?? Promise.resolve(), leftMs()))) return false;
    } while (this.#hasWork && !this.#isStopped);
    if (!this.#agent || this.#isStopped) return false;
    try {
      await this.#agent.spool.commit();
      await this.#agent.spool.seal();
    } catch (error) {
      this.#log.error({ error: (error as Error).message }, 'the spool cannot be written');
      return false;
    }
    return this.#agent.flush(leftMs());
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // Nothing more is taken in, so that what is there comes to an end.
    this.#isClosing = true;
    await before(this.#draining ?? Promise.resolve(), FLUSH_MS);
    this.#isStopped = true;
    // A portion that is under way is on disk or back in the buffer.
    await before(this.#draining ?? Promise.resolve(), RETRY_MS);
    const folded = outcomesIn(this.#fold.take()) + (this.#folded ? outcomesIn(this.#folded) : 0);
    const left = this.#buffer.length + this.#hashed.length + folded;
    if (left > 0) this.#drop(left);
    await this.#agent?.stop(FLUSH_MS).catch((error: Error) => {
      this.#log.error({ error: error.message }, 'the agent did not stop cleanly');
    });
  }

  #drain(): void {
    if (this.#isStopped) return;
    this.#draining ??= this.#takeAll()
      .then(() => {
        this.#failures = 0;
      })
      .catch((error: Error) => {
        this.#failures += 1;
        if (isWorthALine(this.#failures - 1, this.#failures))
          this.#log.error({ error: error.message }, 'the agent does not run; trying again every second');
        return pause(RETRY_MS);
      })
      .finally(() => {
        this.#draining = undefined;
        if (this.#hasWork || !this.#isRunning) this.#drain();
      });
  }

  async #takeAll(): Promise<void> {
    if (this.#agent?.taken.aborted) {
      const taken = this.#agent;
      this.#agent = undefined;
      await taken.stop(0);
      if (this.#isStopped) return;
    }
    if (!this.#agent) {
      const started = await this.#start();
      // Too late for `close`, which could not stop it.
      if (this.#isStopped) return void (await started.stop(0));
      this.#agent = started;
    }
    while (this.#hasWork && !this.#isStopped && !this.#agent.taken.aborted) {
      if (this.#agent.spool.refusal() !== undefined) {
        await pause(RETRY_MS / 10);
        continue;
      }
      await this.#takeFolded(this.#agent);
      // A disk that hung may have outlived the patience of `close`.
      if (!this.#isStopped) await this.#takeReports(this.#agent);
      if (!this.#isStopped) await this.#takeHashed(this.#agent);
    }
  }

  get #isRunning(): boolean {
    return this.#agent !== undefined && !this.#agent.taken.aborted;
  }

  get #hasWork(): boolean {
    const hasReports = this.#buffer.length > 0 || this.#hashed.length > 0;
    return hasReports || this.#folded !== undefined || !this.#fold.isEmpty;
  }

  async #takeFolded({ receiver, spool }: RunningAgent): Promise<void> {
    this.#folded ??= this.#fold.take();
    const { cells, clockOffsetMs } = this.#folded;
    const take = (cell: Cell) => {
      const received = receiver.receiveCell(cell, clockOffsetMs, 'library');
      if (received.status === 'rejected') this.#reject(received.fault, cell.n);
      return received.status !== 'rejected';
    };
    const { failed, error } = await takeEach(cells, take, spool);
    // What the disk refused is taken again; what it took is not.
    this.#folded = failed.length > 0 ? { cells: failed, clockOffsetMs } : undefined;
    if (error) throw error;
  }

  #takeReports({ receiver, spool }: RunningAgent): Promise<void> {
    const take = (report: unknown) => {
      const received = receiver.receive(report, 'library');
      if (received.status === 'rejected') this.#reject(received.fault, 1);
      return received.status !== 'rejected';
    };
    return takePortions(this.#buffer, PORTION, take, spool);
  }

  #takeHashed({ receiver, spool }: RunningAgent): Promise<void> {
    const { outcomes, ranges } = this.#hashed.first();
    const take = (range: HashedRange) => {
      receiver.receiveHashed(outcomes, range, 'library', (fault) => this.#reject(fault, 1));
      return true;
    };
    return takePortions(ranges, 1, take, spool);
  }

  #reject(fault: ReceiveFault, reports: number): void {
    const before = this.#rejected;
    this.#rejected += reports;
    if (isWorthALine(before, this.#rejected)) {
      this.#log.warn({ ...fault, rejected: this.#rejected }, 'a record was refused');
    }
  }

  async #start(): Promise<RunningAgent> {
    const { services, server, token, tokenFile, spoolDirectory, agent } = this.#options;
    const given = token ?? process.env.ROOMWATCH_TOKEN;
    const hostId = process.env.ROOMWATCH_HOST_ID;
    const started = await startAgent({
      server: server ?? DEFAULT_SERVER,
      token: () =>
        readToken({
          generatedFile: resolve('data', 'agent-token'),
          ...(given === undefined ? {} : { token: given }),
          ...(tokenFile === undefined ? {} : { tokenFile }),
        }),
      spoolDirectory: resolve(spoolDirectory ?? 'data/spool'),
      services,
      log: this.#log,
      ...(services[0] === undefined ? {} : { defaultService: services[0] }),
      ...(hostId ? { hostId } : {}),
      ...agent,
    });
    // The other one may stop, and until then it is tried again and again.
    started.taken.addEventListener('abort', () => this.#drain(), { once: true });
    return started;
  }
}

/**
 * Takes items a portion in a turn of the event loop, and waits for the disk once for many of them. What the disk
 * refused stays among the items.
 * @throws why it did
 */
async function takePortions<T>(
  items: T[],
  portion: number,
  take: (item: T) => boolean,
  spool: Spool,
): Promise<void> {
  const underWay: Promise<TakenEach<T>>[] = [];
  while (items.length > 0 && underWay.length < PORTIONS_MAX && spool.refusal() === undefined) {
    underWay.push(takeEach(items.splice(0, portion), take, spool));
    await nextTurn();
  }
  const taken = await Promise.all(underWay);
  items.unshift(...taken.flatMap(({ failed }) => failed));
  const refused = taken.find(({ error }) => error !== undefined);
  if (refused?.error) throw refused.error;
}

/** By name: what an object inherits, as from a class with getters, is no property of its own. */
function copyOf(report: OutcomeReport, at: OutcomeReport['at']): OutcomeReport {
  const { service, result, platform, region, app, code, extraCode, cause, id, durationMs, count } = report;
  const copy = { service, at, result, platform, region, app, code, extraCode, cause, id, durationMs, count };
  // A field that is undefined is one that was left out.
  return copy as OutcomeReport;
}

/** Once for each power of ten: the count matters, not the noise. */
function isWorthALine(before: number, now: number): boolean {
  return before === 0 || Math.floor(Math.log10(now)) > Math.floor(Math.log10(before));
}

function outcomesIn({ cells }: FoldedCells): number {
  return cells.reduce((sum, { n }) => sum + n, 0);
}

/** @returns whether the promise settled in time */
async function before(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), withinMs);
  });
  const isInTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isInTime;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
