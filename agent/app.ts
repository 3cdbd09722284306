import { hostname } from 'node:os';
import { type CauseRow, createCauseLookup } from '../sla/causes.ts';
import type { BackoffSettings } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ConnectionSettings } from './connection.ts';
import { ForbiddenServices } from './forbidden-services.ts';
import { refusals } from './intake/failure.ts';
import { type Follower, followFile } from './intake/follow.ts';
import { assertFile } from './intake/followed-file.ts';
import { type HttpIntake, startHttpIntake } from './intake/http.ts';
import { type CallbackApp, TrtcCallbacks } from './intake/trtc-callback.ts';
import { Link } from './link.ts';
import { type Log, silentLog } from './log.ts';
import { AgentMetrics } from './metrics.ts';
import { Receiver } from './receiver.ts';
import type { Disk } from './spool/disk.ts';
import type { SpoolSettings } from './spool/parts.ts';
import { Spool } from './spool/spool.ts';
import { AGENT_VERSION } from './version.ts';

export interface AgentOptions {
  readonly server: string;
  readonly token: () => Promise<string>;
  readonly spoolDirectory: string;
  /** Whose outcomes are reported here; alive from the start even if nobody calls. */
  readonly services: readonly string[];
  /** For records that name no service; by default the only one of `services`. */
  readonly defaultService?: string;
  readonly agentId?: string;
  /** Left out: no HTTP intake. Port 0 = any. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly origins?: readonly string[];
  /** Applications whose callbacks the vendor sends here; they come in by HTTP. */
  readonly trtcCallbacks?: readonly CallbackApp[];
  /** Absolute paths of NDJSON files to follow. */
  readonly follow?: readonly string[];
  /** Rows of the operator's own for the cause of a code. */
  readonly causes?: readonly CauseRow[];
  readonly spool?: Partial<SpoolSettings>;
  readonly hostId?: string;
  readonly backoff?: Partial<BackoffSettings>;
  readonly connection?: Partial<ConnectionSettings>;
  /** Of outcomes and batches, and what the link measures against the daemon's. */
  readonly clock?: Clock;
  /** False with a simulated clock; the link then runs by the system's. */
  readonly correctsClock?: boolean;
  /** uniform in [0, 1) */
  readonly random?: () => number;
  readonly disk?: Disk;
  readonly log?: Log;
}

export interface RunningAgent {
  readonly ports: { readonly http?: number };
  readonly services: readonly string[];
  readonly receiver: Receiver;
  readonly spool: Spool;
  readonly metrics: AgentMetrics;
  /** Of the services reported here those that the token does not cover. */
  readonly forbidden: ForbiddenServices;
  readonly isConnected: boolean;
  /** Aborted once another process has the spool: nothing is accepted any more, and the agent is to be stopped. */
  readonly taken: AbortSignal;
  /** @returns whether the daemon acknowledged everything that was sealed in time */
  flush(withinMs: number): Promise<boolean>;
  /** Stops the intake, seals, waits for the daemon for up to `flushMs`, and lets go of the spool; at once when `taken`. */
  stop(flushMs?: number): Promise<{ readonly isFlushed: boolean }>;
}

const TICK_MS = 1_000;
/** How long a stopping agent waits for the daemon: a supervisor kills most programs after a little more. */
export const STOP_FLUSH_MS = 10_000;
/** The spool has failed, or had no room, for so long before the agent calls itself unhealthy. */
const UNHEALTHY_MS = 30_000;

/** Wires an agent: intake -> spool -> link. What it started, `stop` unwinds in reverse. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const log = options.log ?? silentLog;
  const clock = options.clock ?? systemClock;
  // Before anything is started, as it is a slip of the configuration.
  for (const path of options.follow ?? []) await assertFile(path);
  const forbidden = new ForbiddenServices();
  const taken = new AbortController();
  let link: Link | undefined;
  const metrics: AgentMetrics = new AgentMetrics({ version: AGENT_VERSION, gauges: () => gauges() });
  const spool = await Spool.open({
    directory: options.spoolDirectory,
    settings: options.spool ?? {},
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    services: options.services,
    ...(options.hostId === undefined ? {} : { hostId: options.hostId }),
    ...(options.disk === undefined ? {} : { disk: options.disk }),
    on: {
      sealed: () => {
        metrics.count('batchesSealed');
        link?.wake();
      },
      serviceAdded: () => link?.announceServices(),
      lost: ({ reason, outcomes, from, to }) => {
        metrics.count('outcomesLost', outcomes, reason);
        // Batches that only say that the agent was alive are a gap as well.
        if (outcomes > 0) log.error({ reason, outcomes, from, to }, 'outcomes were lost; the daemon is told');
        else log.info({ reason, from, to }, 'batches without outcomes were given up');
      },
      repaired: (repair) => log.warn({ repair }, 'the spool was mended'),
      copied: ({ producerId, host }) =>
        log.error(
          { producerId, host },
          'the spool is a copy of another agent’s and is set aside; if it is not, set spool.hostId from the start',
        ),
      taken: (error) => {
        log.error(error.message);
        taken.abort(error);
      },
    },
  });
  link = new Link({
    server: options.server,
    token: options.token,
    agentId: options.agentId ?? hostname(),
    spool,
    forbidden,
    // A simulated clock is right by definition; any other is measured against the daemon's.
    clock: options.correctsClock === false ? systemClock : clock,
    random: options.random ?? Math.random,
    correctsClock: options.correctsClock ?? true,
    metrics,
    log,
    ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
    ...(options.connection === undefined ? {} : { connection: options.connection }),
  });
  const running = link;
  let followers: readonly Follower[] = [];

  const gauges = () => ({
    spoolBatches: spool.lastSealed - spool.acked,
    spoolBytes: spool.bytes,
    spoolOldestTimestampSeconds: (spool.oldestUnackedAtMs ?? 0) / 1_000,
    followedUnreadBytes: followers.reduce((sum, { unreadBytes }) => sum + unreadBytes, 0),
    followedFilesOpen: followers.filter(({ isOpen }) => isOpen).length,
    connected: running.isConnected ? 1 : 0,
    servicesForbidden: forbidden.size,
    clockOffsetSeconds: (running.clockEstimate?.offsetMs ?? 0) / 1_000,
    roundTripSeconds: (running.clockEstimate?.roundTripMs ?? 0) / 1_000,
  });

  const only = options.services.length === 1 ? options.services[0] : undefined;
  const service = options.defaultService ?? only;
  const receiver = new Receiver({
    spool,
    lookup: createCauseLookup(options.causes),
    clock,
    metrics,
    forbidden,
    ...(service === undefined ? {} : { service }),
  });

  const ticker = startTicker(spool, { clock, log });
  const statusOf = () => ticker.failure() ?? (spool.fault === undefined ? 'ok' : 'not-delivering');
  let http: HttpIntake | undefined;
  let callbacks: TrtcCallbacks | undefined;
  try {
    if (options.listen) {
      const apps = options.trtcCallbacks ?? [];
      if (apps.length > 0)
        callbacks = await TrtcCallbacks.open({ apps, spool, forbidden, clock, metrics, log });
      http = await startHttpIntake({
        ...options.listen,
        origins: options.origins ?? [],
        receiver,
        ...(callbacks && { callbacks }),
        spool,
        clock,
        metrics,
        log,
        health: () => ({
          isHealthy: ticker.failure() === undefined,
          body: {
            status: statusOf(),
            ...(spool.fault === undefined ? {} : { fault: spool.fault }),
            connected: running.isConnected,
            waitingBatches: spool.lastSealed - spool.acked,
            ...(forbidden.size > 0 && { forbiddenServices: forbidden.list }),
          },
        }),
      });
    }
  } catch (error) {
    await ticker.stop();
    await spool.close();
    throw error;
  }
  // Twice the same file would count each line twice.
  followers = [...new Set(options.follow)].map((path) =>
    followFile({ path, receiver, spool, metrics, clock, log }),
  );
  running.start();

  return {
    ports: http ? { http: http.port } : {},
    get services() {
      return spool.services;
    },
    receiver,
    spool,
    metrics,
    forbidden,
    get isConnected() {
      return running.isConnected;
    },
    taken: taken.signal,
    flush: (withinMs) => running.flush(withinMs),
    stop: async (flushMs = STOP_FLUSH_MS) => {
      await http?.stop();
      callbacks?.close();
      await Promise.all(followers.map((follower) => follower.stop()));
      await ticker.stop();
      if (!taken.signal.aborted) {
        await spool.commit().catch(() => {});
        await spool
          .seal()
          .catch((error: Error) => log.error({ error: error.message }, 'the last batch stays open'));
      }
      const isFlushed = await running.flush(taken.signal.aborted ? 0 : flushMs);
      await running.stop();
      // What could not be sealed is in the journal, and the next start seals it.
      await spool
        .close()
        .catch((error: Error) => log.error({ error: error.message }, 'the spool is left as it is'));
      return { isFlushed };
    },
  };
}

/** Ticks the spool once a second; a tick that fails is tried again at the next. */
function startTicker(
  spool: Spool,
  { clock, log }: { clock: Clock; log: Log },
): { failure(): string | undefined; stop(): Promise<void> } {
  let failing: { readonly status: string; readonly sinceMs: number } | undefined;
  let ticking: Promise<void> | undefined;
  const fail = (status: string, message: string) => {
    if (failing?.status !== status) log.error({ status }, message);
    failing = { status, sinceMs: failing?.sinceMs ?? clock.monotonicMs() };
  };
  const tick = () => {
    ticking ??= spool
      .tick()
      .then(() => {
        const refusal = spool.refusal();
        if (refusal === 'disk-full' || refusal === 'spool-full') {
          fail(refusal, refusals[refusal].message);
          return;
        }
        if (failing !== undefined) log.info('the spool can be written again');
        failing = undefined;
      })
      .catch((error: Error) => fail('spool-failing', `the spool cannot be kept: ${error.message}`))
      .finally(() => {
        ticking = undefined;
      });
  };
  tick();
  const timer = setInterval(tick, TICK_MS);
  return {
    failure: () =>
      failing && clock.monotonicMs() - failing.sinceMs >= UNHEALTHY_MS ? failing.status : undefined,
    stop: async () => {
      clearInterval(timer);
      await ticking;
    },
  };
}
