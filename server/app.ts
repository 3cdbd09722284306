import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Exclusion } from '../sla/exclusion.ts';
import { readOrMakeAgentToken } from './app/agent-token.ts';
import { createDaemonAlerting } from './app/alerting.ts';
import { createClosing } from './app/closing.ts';
import { Grants } from './app/grants.ts';
import { observeIngest } from './app/ingest-observer.ts';
import { ServiceList } from './app/known-services.ts';
import { openLate } from './app/late-store.ts';
import { LossLog } from './app/loss-log.ts';
import { StoreHealth } from './app/store-health.ts';
import { Undo } from './app/undo.ts';
import { type Config, termsOf as configuredTermsOf } from './config/config.ts';
import { faultText } from './config/faults.ts';
import type { LoadedConfig } from './config/load.ts';
import { EVALUATION_BOUNDS, Evaluator } from './evaluate/evaluator.ts';
import { Months } from './evaluate/months.ts';
import { ExclusionBook } from './exclusions.ts';
import { FactsCache } from './facts-cache.ts';
import { createGateway } from './gateway/gateway.ts';
import { Access, type Token } from './http/access.ts';
import { addressOf, close, listen } from './http/listening.ts';
import { Router } from './http/router.ts';
import { alertRoutes } from './http/routes/alerts.ts';
import { Events } from './http/routes/events.ts';
import { exclusionRoutes } from './http/routes/exclusions.ts';
import { healthRoutes } from './http/routes/health.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { monthWindowRoutes } from './http/routes/month-windows.ts';
import { PAGE_FOLDER, pageRoutes } from './http/routes/page.ts';
import { serviceRoutes } from './http/routes/services.ts';
import { statementRoutes } from './http/routes/statement.ts';
import { windowRoutes } from './http/routes/windows.ts';
import { createHttpServer, HTTP_BOUNDS } from './http/server.ts';
import { createIngest } from './ingest/ingest.ts';
import { createLog, type Log } from './log.ts';
import { DaemonMetrics } from './metrics/daemon-metrics.ts';
import { runtimeFamilies } from './metrics/runtime.ts';
import { EVERY_TEN_SECONDS, EVERY_TWO_SECONDS, startSchedule } from './schedule.ts';
import { openStore } from './store/open-store.ts';
import { StoreUnavailable } from './store/store.ts';
import { VERSION } from './version.ts';

const DAY_MS = 86_400_000;
/** Of the deadline for stopping: the agents' share; what is left goes to answers, evaluation and the store. */
const DRAIN_SHARE = 0.7;

export interface Daemon {
  readonly url: string;
  readonly port: number;
  /**
   * Takes a new configuration, or keeps the old one when it is not valid.
   * @returns what of it holds only after a restart
   */
  reload(loaded: LoadedConfig): Reloaded;
  /** Sends the agents away, finishes what was received, and unwinds in reverse order. */
  stop(): Promise<void>;
}

export type Reloaded =
  | { readonly status: 'applied'; readonly needRestart: readonly string[] }
  | { readonly status: 'refused' };

export interface DaemonOptions {
  readonly nowMs?: () => number;
  readonly log?: Log;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** What a reload cannot change in a running daemon. */
const RESTART_KEYS = ['listen', 'store', 'limits', 'retentionDays', 'shutdownDeadlineMs'] as const;

/**
 * Wires and starts the daemon.
 * @throws StoreFault when the store will not be usable as it is; an Error with code EADDRINUSE or the like when
 * the address cannot be had. A store that merely does not answer is waited for.
 */
export async function startDaemon(initial: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const { nowMs = Date.now, random = Math.random } = options;
  const log = options.log ?? createLog(initial.log.level);
  const undo = new Undo(log);
  try {
    return await wire();
  } catch (error) {
    await undo.unwind(initial.shutdownDeadlineMs);
    throw error;
  }

  async function wire(): Promise<Daemon> {
    let config = initial;
    let stopping: Promise<void> | null = null;
    const accessOf = (of: Config) =>
      new Access({
        tokens: [...of.tokens, ...agentToken(of, log)],
        host: config.listen.host,
        areMetricsOpen: of.metrics.open,
      });
    let access = accessOf(config);
    const grants = new Grants(() => access);
    const termsOf = (service: string) => configuredTermsOf(config, service);
    const metrics = new DaemonMetrics({ version: VERSION, caps: config.limits });
    for (const warning of config.warnings) log.warn(warning);

    const store = await openLate({
      open: () =>
        openStore({
          ...config.store,
          retentionDays: config.retentionDays,
          onWarning: (message) => log.warn(message),
        }),
      log,
      random,
    });
    undo.push('the store', () => store.close());
    const health = new StoreHealth(store, log, (isUp) => metrics.storeUp.set({}, isUp ? 1 : 0));
    const known = new ServiceList(store.facts);
    const book = new ExclusionBook(store.journal, (services) => evaluator.poke(services));
    const exclusionsOf = (service: string): readonly Exclusion[] => {
      // A reading without them could call a month lost that is not.
      if (!book.isRead)
        throw new StoreUnavailable('the exclusions have not been read yet; try again shortly');
      return book.inForce(service);
    };
    const events = new Events();
    let listeningSinceMs = nowMs();
    const newAlerting = (of: Config) => {
      const fresh = createDaemonAlerting(of.alerting, {
        store,
        metrics,
        nowMs,
        random,
        log,
        listeningSinceMs: () => listeningSinceMs,
        evaluatedAtMs: () => evaluator.completedAtMs,
      });
      fresh.start();
      return fresh;
    };
    let alerting = newAlerting(config);
    undo.push('alerting', () => alerting.stop());
    const cache = new FactsCache(store.facts, config.limits.factsCacheBytes);
    const months = new Months({ cache, termsOf, exclusionsOf, nowMs });
    const evaluator = new Evaluator({
      months,
      nowMs,
      log,
      onSighting: async (sighting) => {
        if (sighting.reading) {
          metrics.publish(sighting.reading);
          events.announce(sighting.reading);
        } else metrics.withdraw(sighting.service);
        await alerting.consider(sighting);
      },
      onEvaluated: (durationMs) => metrics.evaluated(durationMs),
      onFailed: () => metrics.evaluationFailures.add({}),
    });
    undo.push('evaluation', () => evaluator.stop());
    book.useFiles(config.exclusions);

    const losses = new LossLog(log);
    undo.push('the log of losses', () => losses.flush());
    const ingest = createIngest({
      facts: store.facts,
      nowMs,
      closesAtMs: createClosing(termsOf),
      retentionMs: config.retentionDays * DAY_MS,
      observer: observeIngest(metrics, losses, log),
      onApplied: (services) => {
        known.add(services);
        evaluator.poke(services);
      },
    });
    undo.push('ingest', () => ingest.stop());
    const gateway = createGateway({
      ingest,
      authenticate: grants.authenticate,
      storeId: () => store.storeId(),
      limits: connectionLimits(config),
      observer: { refused: (reason) => metrics.connectionsRefused.add({ reason }) },
      nowMs,
      log,
    });
    store.onRestored(() => {
      listeningSinceMs = nowMs();
      ingest.recheck();
      months.clear();
      void lookOrLog();
    });

    const unready = (): string[] => [
      ...(stopping ? ['the daemon is stopping'] : []),
      ...(health.isUp ? [] : ['the store does not answer']),
      ...(evaluator.waitingMs() > EVALUATION_BOUNDS.staleMs ? ['the readings are behind'] : []),
    ];
    const families = async () => {
      metrics.evaluatedUntil(evaluator.completedAtMs);
      for (const service of known.services()) {
        metrics.connected(service, gateway.connectedAgents().get(service) ?? 0);
      }
      return [...metrics.families(), ...(await runtimeFamilies())];
    };
    const router = new Router([
      ...healthRoutes(unready),
      ...metricsRoutes(families),
      ...serviceRoutes({ known, evaluator, months, termsOf, agents: gateway.connectedAgents, nowMs }),
      ...monthWindowRoutes({ known, months }),
      ...windowRoutes({ known, months, termsOf, exclusionsOf, nowMs }),
      ...statementRoutes({ known, months, book, termsOf, nowMs }),
      ...alertRoutes({
        standings: () => alerting.pipeline.standings(),
        desk: () => alerting.pipeline.desk,
        poke: (services) => evaluator.poke(services),
        services: () => known.services(),
      }),
      ...exclusionRoutes({ book, termsOf, nowMs, newId: randomUUID, log }),
      ...events.routes(),
      ...pageRoutes(PAGE_FOLDER),
    ]);
    const server = createHttpServer({ router, access: () => access, log });
    server.on('upgrade', gateway.upgrade);
    server.maxConnections = config.limits.agents + HTTP_BOUNDS.connections;

    /** Looks at what may have changed without anybody saying so: the store, its services, the clock. */
    async function look(): Promise<void> {
      await health.look();
      if (!health.isUp) return alerting.pipeline.evaluationFailed();
      await known.refresh();
      await book.refresh();
      evaluator.tick(known.services());
    }
    async function lookAtOutbox(): Promise<void> {
      if (!health.isUp) return;
      const { outbox } = await alerting.pipeline.status();
      if (outbox) metrics.outboxOldestAgeSeconds.set({}, outbox.oldestAgeMs / 1_000);
    }
    async function lookOrLog(): Promise<void> {
      await look().catch((error: unknown) => log.warn({ error }, 'a look at the store failed'));
    }
    await lookOrLog();
    const schedule = startSchedule(
      [
        { name: 'look', cron: EVERY_TWO_SECONDS, run: look },
        { name: 'outbox', cron: EVERY_TEN_SECONDS, run: lookAtOutbox },
        { name: 'losses', cron: EVERY_TEN_SECONDS, run: () => losses.flush() },
      ],
      log,
    );
    undo.push('the schedule', () => schedule.stop());

    const port = await listen(server, config.listen);
    undo.push('HTTP', () => close(server));
    undo.push('events', () => events.close());
    undo.push('the gateway', () => gateway.drain({ deadlineMs: config.shutdownDeadlineMs * DRAIN_SHARE }));
    const url = addressOf(config.listen.host, port);
    log.info({ url, store: 'url' in config.store ? 'redis' : config.store.directory }, 'roomwatch listens');

    const refuseReload = (reasons: readonly string[]): Reloaded => {
      metrics.configReloads.add({ result: 'refused' });
      for (const reason of reasons) log.error({ reason }, 'the new configuration cannot be used');
      log.error('the old configuration stays in force');
      return { status: 'refused' };
    };
    const applyReload = (next: Config): Reloaded => {
      const needRestart = RESTART_KEYS.filter((key) => !isDeepStrictEqual(next[key], config[key]));
      // What needs a restart stays as it is, so that one configuration describes what is running.
      const { listen, store, limits, retentionDays, shutdownDeadlineMs } = config;
      const fresh: Config = { ...next, listen, store, limits, retentionDays, shutdownDeadlineMs };
      const former = alerting;
      try {
        const freshAccess = accessOf(fresh);
        if (!isDeepStrictEqual(fresh.alerting, config.alerting)) alerting = newAlerting(fresh);
        access = freshAccess;
      } catch (error) {
        return refuseReload([String(error)]);
      }
      config = fresh;
      // What the former one still sends it settles itself; what it leaves comes back when its lease runs out.
      if (alerting !== former) void former.stop();
      if (!options.log) log.level = config.log.level;
      gateway.recheck(grants.renewed);
      book.useFiles(config.exclusions);
      evaluator.poke(known.services());
      metrics.configReloads.add({ result: 'applied' });
      log.info({ needRestart }, 'a new configuration is in force');
      return { status: 'applied', needRestart };
    };
    return {
      url,
      port,
      reload: (loaded) =>
        loaded.ok ? applyReload(loaded.config) : refuseReload(loaded.faults.map(faultText)),
      stop: () => {
        stopping ??= undo.unwind(config.shutdownDeadlineMs).then(() => log.info('roomwatch stopped'));
        return stopping;
      },
    };
  }
}

function connectionLimits({ limits }: Config) {
  const { agents, connectionsPerAddress = agents, connectionsPerToken = agents } = limits;
  return { connections: agents, connectionsPerAddress, connectionsPerToken };
}

/** The token that agents use when none is configured. */
function agentToken({ generatedTokenFile }: Config, log: Log): Token[] {
  if (generatedTokenFile === null) return [];
  const { token, isNew } = readOrMakeAgentToken(generatedTokenFile, randomBytes);
  log.info({ file: generatedTokenFile }, isNew ? 'a token for agents was made' : 'agents use the token');
  return [token];
}
