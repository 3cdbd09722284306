import { resolve } from 'node:path';
import { type AgentOptions, type RunningAgent, startAgent } from './app.ts';
import { takeEach } from './intake/take-each.ts';
import { type Log, silentLog } from './log.ts';
import { DEFAULT_SERVER } from './settings.ts';
import { readToken } from './token.ts';

export type { Log } from './log.ts';

/** One room entry, or `count` equal ones; see the outcome of the HTTP intake for the fields. */
export interface OutcomeReport {
  readonly service?: string;
  /** When the request started: epoch milliseconds or RFC 3339; left out = now. */
  readonly at?: number | string;
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
  /** Takes an outcome. Returns at once and never throws; a bad report or a full buffer is counted and logged. */
  record(outcome: OutcomeReport): void;
  /**
   * Waits until everything recorded so far is on disk and counted by the daemon.
   * @returns false when that took longer; it is tried on all the same
   */
  flush(withinMs?: number): Promise<boolean>;
  /** Flushes for up to ten seconds and lets go of the spool; what was not counted waits there. */
  close(): Promise<void>;
  /** Reports dropped because the buffer was full. */
  readonly dropped: number;
}

/** Reports that wait to be taken; beyond it, new ones are dropped. */
const BUFFER_MAX = 100_000;
/** Reports taken in one turn of the application's event loop: about a millisecond. */
const PORTION = 500;
const RETRY_MS = 1_000;
const FLUSH_MS = 10_000;

/** An agent inside the application's own process, for Node. */
export function createAgent(options: LibraryOptions): Agent {
  return new EmbeddedAgent(options);
}

class EmbeddedAgent implements Agent {
  readonly #options: LibraryOptions;
  readonly #log: Log;
  #buffer: OutcomeReport[] = [];
  #agent: RunningAgent | undefined;
  #isClosed = false;
  #draining: Promise<void> | undefined;
  #dropped = 0;
  #rejected = 0;

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#drain();
  }

  get dropped(): number {
    return this.#dropped;
  }

  record(outcome: OutcomeReport): void {
    if (this.#isClosed || this.#buffer.length >= BUFFER_MAX) {
      this.#dropped += 1;
      // Once for each power of ten: the count matters, not the noise.
      if (Number.isInteger(Math.log10(this.#dropped))) {
        this.#log.warn(
          { dropped: this.#dropped },
          'outcomes are dropped: the agent cannot keep up or is closed',
        );
      }
      return;
    }
    // The copy is the application's record as it is now, and "now" is when it was made.
    this.#buffer.push(outcome.at === undefined ? { ...outcome, at: Date.now() } : { ...outcome });
    this.#drain();
  }

  async flush(withinMs = FLUSH_MS): Promise<boolean> {
    const deadlineMs = performance.now() + withinMs;
    const leftMs = () => Math.max(0, deadlineMs - performance.now());
    do {
      this.#drain();
      if (!(await before(this.#draining ?? Promise.resolve(), leftMs()))) return false;
    } while (this.#buffer.length > 0);
    if (!this.#agent) return false;
    try {
      await this.#agent.spool.commit();
      await this.#agent.spool.seal();
    } catch (error) {
      this.#log.error({ error: (error as Error).message }, 'the spool cannot be written');
      return false;
    }
    return this.#agent.flush(leftMs());
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await before(this.#draining ?? Promise.resolve(), FLUSH_MS);
    this.#isClosed = true;
    await this.#agent?.stop(FLUSH_MS).catch((error: Error) => {
      this.#log.error({ error: error.message }, 'the agent did not stop cleanly');
    });
  }

  #drain(): void {
    this.#draining ??= this.#takeAll()
      .catch((error: Error) => {
        this.#log.error({ error: error.message }, 'the agent does not run; trying again');
        return pause(RETRY_MS);
      })
      .finally(() => {
        this.#draining = undefined;
        if (this.#buffer.length > 0 && !this.#isClosed) this.#drain();
      });
  }

  async #takeAll(): Promise<void> {
    this.#agent ??= await this.#start();
    const { receiver, spool } = this.#agent;
    while (this.#buffer.length > 0 && !this.#isClosed) {
      if (spool.refusal() !== undefined) {
        await pause(RETRY_MS / 10);
        continue;
      }
      const portion = this.#buffer.slice(0, PORTION);
      const take = (report: OutcomeReport): boolean => {
        const received = receiver.receive(report, 'library');
        if (received.status !== 'rejected') return true;
        this.#rejected += 1;
        if (Number.isInteger(Math.log10(this.#rejected)))
          this.#log.warn(received.fault, 'a record was refused');
        return false;
      };
      const { failed, error } = await takeEach(portion, take, spool);
      // What the disk refused stays in the buffer and is taken again; what it took does not.
      this.#buffer.splice(0, portion.length, ...failed);
      if (error) throw error;
    }
  }

  async #start(): Promise<RunningAgent> {
    const { services, server, token, tokenFile, spoolDirectory, agent } = this.#options;
    const given = token ?? process.env.ROOMWATCH_TOKEN;
    const hostId = process.env.ROOMWATCH_HOST_ID;
    return startAgent({
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
  }
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
