import { AGENT_PATH } from '../protocol/limits.ts';
import { BACKOFF, Backoff, type BackoffSettings } from './backoff.ts';
import type { Clock } from './clock.ts';
import { type ClockEstimate, correctionMs, StepWatch } from './clock-offset.ts';
import { CONNECTION, Connection, type ConnectionSettings } from './connection.ts';
import type { Ended } from './ending.ts';
import type { ForbiddenServices } from './forbidden-services.ts';
import { LiveBatches } from './live-batches.ts';
import type { Log } from './log.ts';
import type { AgentMetrics } from './metrics.ts';
import type { Spool } from './spool/spool.ts';

export interface LinkOptions {
  /** ws:// or wss://; without a path the agents' own is added. */
  readonly server: string;
  /** Asked before each connection, so that a rotated token is picked up. */
  readonly token: () => Promise<string>;
  readonly agentId: string;
  readonly spool: Spool;
  /** Told of by each welcome. */
  readonly forbidden: ForbiddenServices;
  readonly clock: Clock;
  /** uniform in [0, 1) */
  readonly random: () => number;
  /** False when the clock is a simulated one. */
  readonly correctsClock: boolean;
  readonly metrics: AgentMetrics;
  readonly log: Log;
  readonly backoff?: Partial<BackoffSettings>;
  readonly connection?: Partial<ConnectionSettings>;
}

/** A second change of identity follows the first no sooner. */
const REIDENTIFY_EVERY_MS = 60_000;

/** Until it is noticed that the clock was set, outcomes are booked by the correction of the old one. */
const CLOCK_WATCH_MS = 250;

const STOPPED: Ended = {
  result: 'stopped',
  message: 'the agent stops',
  retry: { kind: 'soon' },
  lastedMs: 0,
};

/** Keeps one connection to the daemon, for as long as the agent lives. */
export class Link {
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #liveBatches: LiveBatches;
  #connection: Connection | undefined;
  readonly #stepWatch: StepWatch;
  #estimate: ClockEstimate | undefined;
  #isStopped = false;
  #isWaitingForService = false;
  #reidentifiedAtMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #wakeSleeper: () => void = () => {};
  readonly #flushed = new Set<() => void>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...BACKOFF, ...options.backoff }, options.random);
    this.#liveBatches = new LiveBatches(options.spool.lastSealed);
    this.#stepWatch = new StepWatch(options.clock.nowMs(), options.clock.monotonicMs());
  }

  get isConnected(): boolean {
    return this.#connection?.isWelcomed === true;
  }

  get clockEstimate(): ClockEstimate | undefined {
    return this.#estimate;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something was sealed. */
  wake(): void {
    this.#noteSealed();
    this.#connection?.wake();
  }

  /** A service reported for the first time: it must be named in a hello before its batches are sent. */
  announceServices(): void {
    if (this.#connection) this.#connection.announceServices();
    else if (this.#isWaitingForService) this.#wakeSleeper();
  }

  /** @returns whether everything sealed was acknowledged in time */
  async flush(withinMs: number): Promise<boolean> {
    const isFlushed = () => this.#options.spool.acked >= this.#options.spool.lastSealed;
    if (isFlushed()) return true;
    this.wake();
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(deadline);
        this.#flushed.delete(check);
        resolve();
      };
      const check = () => {
        if (isFlushed()) done();
      };
      const deadline = setTimeout(done, withinMs);
      this.#flushed.add(check);
    });
    return isFlushed();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#connection?.close();
    this.#wakeSleeper();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Also while the daemon is away: an outage may last, and all of it would be booked by the old clock.
    const watch = setInterval(() => this.#watchClock(), CLOCK_WATCH_MS);
    await this.#keepConnected();
    clearInterval(watch);
  }

  async #keepConnected(): Promise<void> {
    const { spool, metrics, log } = this.#options;
    while (!this.#isStopped) {
      // A hello names at least one service.
      if (spool.services.length === 0) {
        this.#isWaitingForService = true;
        await this.#sleep(Number.POSITIVE_INFINITY);
        this.#isWaitingForService = false;
        continue;
      }
      const ended = await this.#connect();
      if (ended.lastedMs > 0) metrics.count('disconnects', 1, ended.result);
      else metrics.count('connects', 1, ended.result);
      if (this.#isStopped) return;
      const waitMs = await this.#waitAfter(ended);
      const { result, message, lastedMs } = ended;
      const level = ended.retry.kind === 'soon' ? 'info' : 'warn';
      log[level]({ result, lastedMs: Math.round(lastedMs), waitMs: Math.round(waitMs) }, message);
      await this.#sleep(waitMs);
    }
  }

  async #connect(): Promise<Ended> {
    try {
      const token = await this.#options.token();
      // Stopped while it was read: nobody is left to close a connection that is made now.
      if (this.#isStopped) return STOPPED;
      this.#connection = this.#dial(token);
    } catch (error) {
      // No token, or one that no header can hold.
      const { message } = error as Error;
      return { result: 'no-token', message, retry: { kind: 'backoff' }, lastedMs: 0 };
    }
    const ended = await this.#connection.ended;
    this.#connection = undefined;
    return ended;
  }

  #dial(token: string): Connection {
    const { server, agentId, spool, clock, metrics, log } = this.#options;
    return new Connection({
      url: agentUrl(server),
      token,
      agentId,
      spool,
      clock,
      settings: { ...CONNECTION, ...this.#options.connection },
      isLive: (seq) => {
        // A batch may be in the spool a moment before it is told of.
        this.#noteSealed();
        return this.#liveBatches.isLive(seq, clock.monotonicMs());
      },
      on: {
        welcomed: ({ epoch, applied, storeId, refused }) => {
          metrics.count('connects', 1, 'welcomed');
          log.info({ epoch, applied, storeId, lastSealed: spool.lastSealed }, 'connected');
          this.#noteForbidden(refused ?? []);
        },
        acknowledged: (batches) => {
          if (batches > 0) metrics.count('batchesAcknowledged', batches);
          for (const check of this.#flushed) check();
        },
        rewound: (from) => {
          metrics.count('rewinds');
          log.warn({ from }, 'the daemon asked for batches again');
        },
        rejected: (seq, reason) => log.error({ seq, reason }, 'the daemon rejected a batch; it is set aside'),
        gone: (gap) => {
          metrics.count('outcomesLost', gap.outcomes, gap.reason);
          log.error(gap, 'the daemon lacks batches that are no longer here');
        },
        spreadTold: (told) => this.#backoff.spreadOver(told),
        clockMeasured: ({ estimate }) => {
          // Before a sample of the clock that was just set is taken for one of the old.
          this.#watchClock();
          if (estimate) this.#believe(estimate);
        },
      },
    });
  }

  #believe(estimate: ClockEstimate): void {
    const { spool, correctsClock, log } = this.#options;
    this.#estimate = estimate;
    if (!correctsClock) return;
    const corrected = correctionMs(estimate, spool.clockOffsetMs);
    if (corrected !== spool.clockOffsetMs && corrected !== 0) {
      log.warn({ offsetMs: corrected }, 'this clock is off; outcomes are corrected by the offset');
    }
    spool.clockOffsetMs = corrected;
  }

  /** What a clock was set by is known at once and without the daemon, which then measures it anew. */
  #watchClock(): void {
    const { clock, log } = this.#options;
    const stepMs = this.#stepWatch.look(clock.nowMs(), clock.monotonicMs());
    if (stepMs === 0) return;
    log.warn({ stepMs: Math.round(stepMs) }, 'this clock was set');
    if (this.#estimate) {
      const { offsetMs, roundTripMs } = this.#estimate;
      this.#believe({ offsetMs: offsetMs - stepMs, roundTripMs });
    }
    this.#connection?.clockWasSet();
  }

  async #waitAfter({ retry, lastedMs }: Ended): Promise<number> {
    switch (retry.kind) {
      case 'soon':
        return this.#backoff.firstMs();
      case 'backoff':
        return this.#backoff.nextMs(lastedMs);
      case 'long':
        return this.#backoff.longMs();
      case 'asked':
        return this.#backoff.askedMs(retry.afterMs, retry.spreadMs);
      case 'reidentify':
        return this.#reidentify(retry.counted);
    }
  }

  async #reidentify(counted: number): Promise<number> {
    const { spool, clock, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#reidentifiedAtMs < REIDENTIFY_EVERY_MS) return this.#backoff.longMs();
    this.#reidentifiedAtMs = nowMs;
    const old = spool.producerId;
    try {
      await spool.reidentify(counted);
      this.#liveBatches.reset(spool.lastSealed);
    } catch (error) {
      log.error({ error: (error as Error).message }, 'the spool could not take a new identity; trying again');
      return this.#backoff.longMs();
    }
    log.warn({ old, new: spool.producerId, counted }, 'the spool goes on under a new identity');
    return this.#backoff.nextMs(0);
  }

  #noteForbidden(services: readonly string[]): void {
    const { forbidden, log } = this.#options;
    const { added, ended } = forbidden.replace(services);
    if (added.length > 0) {
      log.error(
        { services: added },
        'the token does not cover these services: what is reported for them is refused from now on, and what was accepted before is not counted; correct the names where they are reported, or add them to the token in the daemon’s configuration',
      );
    }
    if (ended.length > 0) log.info({ services: ended }, 'outcomes of these services are taken again');
  }

  #noteSealed(): void {
    const { spool, clock } = this.#options;
    this.#liveBatches.sealed(spool.lastSealed, clock.monotonicMs());
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined;
      this.#wakeSleeper = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isStopped) this.#wakeSleeper();
    });
    this.#wakeSleeper = () => {};
  }
}

function agentUrl(server: string): string {
  const url = new URL(server);
  if (url.pathname === '/' || url.pathname === '') url.pathname = AGENT_PATH;
  return url.href;
}
