import { randomBytes, randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Exclusion } from '../sla/exclusion.ts';
import { readOrMakeAgentToken } from './app/agent-token.ts';
import { createDaemonAlerting } from './app/alerting.ts';
import { createClosing } from './app/closing.ts';
import { observeIngest } from './app/ingest-observer.ts';
import { ServiceList } from './app/known-services.ts';
import { openLate } from './app/late-store.ts';
import { StoreHealth } from './app/store-health.ts';
import { type Config, termsOf as configuredTermsOf } from './config/config.ts';
import { faultText } from './config/faults.ts';
import type { LoadedConfig } from './config/load.ts';
import { EVALUATION_BOUNDS, Evaluator } from './evaluate/evaluator.ts';
import { Months } from './evaluate/months.ts';
import { ExclusionBook } from './exclusions.ts';
import { FactsCache } from './facts-cache.ts';
import { createGateway } from './gateway/gateway.ts';
import { Access, type Token } from './http/access.ts';
import { Router } from './http/router.ts';
import { alertRoutes } from './http/routes/alerts.ts';
import { exclusionRoutes } from './http/routes/exclusions.ts';
import { healthRoutes } from './http/routes/health.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { PAGE_FOLDER, pageRoutes } from './http/routes/page.ts';
import { serviceRoutes } from './http/routes/services.ts';
import { statementRoutes } from './http/routes/statement.ts';
import { windowRoutes } from './http/routes/windows.ts';
import { createHttpServer } from './http/server.ts';
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
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async () => {
    for (const step of undo.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.warn({ error }, 'a part of the daemon did not stop in order');
      }
    }
  };
  try {
    return await wire();
  } catch (error) {
    await unwind();
    throw error;
  }

  async function wire(): Promise<Daemon> {
    let config = initial;
    let isStopping = false;
    const generated = agentToken(config, log);
    const accessOf = ({ tokens, listen, metrics }: Config) =>
      new Access({
        tokens: [...tokens, ...generated],
        host: listen.host,
        areMetricsOpen: metrics.open,
      });
    let access = accessOf(config);
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
    undo.push(() => store.close());
    const health = new StoreHealth(store, log, (isUp) => metrics.storeUp.set({}, isUp ? 1 : 0));
    const known = new ServiceList(store.facts);
    const book = new ExclusionBook(store.journal, (services) => evaluator.poke(services));
    const exclusionsOf = (service: string): readonly Exclusion[] => {
      // A reading without them could call a month lost that is not.
      if (!book.isRead)
        throw new StoreUnavailable('the exclusions have not been read yet; try again shortly');
      return book.inForce(service);
    };
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
    undo.push(() => alerting.stop());
    const cache = new FactsCache(store.facts, config.limits.factsCacheBytes);
    const months = new Months({ cache, termsOf, exclusionsOf, nowMs });
    const evaluator = new Evaluator({
      months,
      nowMs,
      log,
      onSighting: async (sighting) => {
        if (sighting.reading) metrics.publish(sighting.reading);
        else metrics.withdraw(sighting.service);
        await alerting.consider(sighting);
      },
      onEvaluated: (durationMs) => metrics.evaluated(durationMs, nowMs()),
      onFailed: () => metrics.evaluationFailures.add({}),
    });
    undo.push(() => evaluator.stop());
    book.useFiles(config.exclusions);

    const ingest = createIngest({
      facts: store.facts,
      nowMs,
      closesAtMs: createClosing(termsOf),
      retentionMs: config.retentionDays * DAY_MS,
      observer: observeIngest(metrics, log),
      onApplied: (services) => {
        known.add(services);
        evaluator.poke(services);
      },
    });
    undo.push(() => ingest.stop());
    const gateway = createGateway({
      ingest,
      authenticate: (secret) => {
        const token = access.agentOf(secret);
        if (!token) return null;
        const services = token.services === 'all' ? 'all' : new Set(token.services);
        return { agentLabel: token.name, services };
      },
      storeId: () => store.storeId(),
      limits: { connections: config.limits.agents },
      observer: { refused: (reason) => metrics.connectionsRefused.add({ reason }) },
      nowMs,
      log,
    });
    store.onRestored(() => {
      listeningSinceMs = nowMs();
      ingest.recheck();
      months.clear();
      void look();
    });

    const unready = (): string[] => [
      ...(isStopping ? ['the daemon is stopping'] : []),
      ...(health.isUp ? [] : ['the store does not answer']),
      ...(evaluator.waitingMs() > EVALUATION_BOUNDS.staleMs ? ['the readings are behind'] : []),
    ];
    const families = async () => {
      for (const service of known.services()) {
        metrics.connected(service, gateway.connectedAgents().get(service) ?? 0);
      }
      return [...metrics.families(), ...(await runtimeFamilies())];
    };
    const router = new Router([
      ...healthRoutes(unready),
      ...metricsRoutes(families),
      ...serviceRoutes({ known, evaluator, months, termsOf, agents: gateway.connectedAgents, nowMs }),
      ...windowRoutes({ known, months, termsOf, exclusionsOf, nowMs }),
      ...statementRoutes({ known, months, book, termsOf, nowMs }),
      ...alertRoutes({
        standings: () => alerting.pipeline.standings(),
        desk: () => alerting.pipeline.desk,
        poke: (services) => evaluator.poke(services),
        services: () => known.services(),
      }),
      ...exclusionRoutes({ book, termsOf, nowMs, newId: randomUUID, log }),
      ...pageRoutes(PAGE_FOLDER),
    ]);
    const server = createHttpServer({ router, access: () => access, log });
    server.on('upgrade', gateway.upgrade);

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
    await look().catch((error: unknown) => log.warn({ error }, 'the first look at the store failed'));
    const schedule = startSchedule(
      [
        { name: 'look', cron: EVERY_TWO_SECONDS, run: look },
        { name: 'outbox', cron: EVERY_TEN_SECONDS, run: lookAtOutbox },
      ],
      log,
    );
    undo.push(() => schedule.stop());

    const port = await listen(server, config.listen);
    undo.push(() => close(server));
    undo.push(() => gateway.drain({ deadlineMs: config.shutdownDeadlineMs * DRAIN_SHARE }));
    const url = `http://${urlHost(config.listen.host)}:${port}`;
    log.info({ url, store: 'url' in config.store ? 'redis' : config.store.directory }, 'roomwatch listens');

    const refuseReload = (faults: Extract<LoadedConfig, { ok: false }>['faults']): Reloaded => {
      metrics.configReloads.add({ result: 'refused' });
      for (const fault of faults)
        log.error({ fault: faultText(fault) }, 'the new configuration is not valid');
      log.error('the old configuration stays in force');
      return { status: 'refused' };
    };
    const applyReload = (next: Config): Reloaded => {
      const needRestart = RESTART_KEYS.filter((key) => !isDeepStrictEqual(next[key], config[key]));
      const hasNewAlerting = !isDeepStrictEqual(next.alerting, config.alerting);
      // What needs a restart stays as it is, so that one configuration describes what is running.
      const { listen, store, limits, retentionDays, shutdownDeadlineMs } = config;
      config = { ...next, listen, store, limits, retentionDays, shutdownDeadlineMs };
      access = accessOf(config);
      if (hasNewAlerting) {
        const former = alerting;
        alerting = newAlerting(config);
        // What the former one still sends it settles itself; what it leaves comes back when its lease runs out.
        void former.stop();
      }
      if (!options.log) log.level = config.log.level;
      book.useFiles(config.exclusions);
      evaluator.poke(known.services());
      metrics.configReloads.add({ result: 'applied' });
      log.info({ needRestart }, 'a new configuration is in force');
      return { status: 'applied', needRestart };
    };
    return {
      url,
      port,
      reload: (loaded) => (loaded.ok ? applyReload(loaded.config) : refuseReload(loaded.faults)),
      stop: async () => {
        if (isStopping) return;
        isStopping = true;
        await unwind();
        log.info('roomwatch stopped');
      },
    };
  }
}

/** The token that agents use when none is configured. */
function agentToken({ generatedTokenFile }: Config, log: Log): Token[] {
  if (generatedTokenFile === null) return [];
  const { token, isNew } = readOrMakeAgentToken(generatedTokenFile, randomBytes);
  log.info({ file: generatedTokenFile }, isNew ? 'a token for agents was made' : 'agents use the token');
  return [token];
}

function listen(server: Server, { host, port }: Config['listen']): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Answers that are being given may end; connections that are merely kept alive are closed. */
async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), ANSWER_WITHIN_MS);
  await closed;
  clearTimeout(patience);
}

const ANSWER_WITHIN_MS = 2_000;

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
