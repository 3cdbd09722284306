import type { AlertingConfig } from '../../alerts/config.ts';
import { createDeadMansSwitch } from '../../alerts/dead-mans-switch.ts';
import { openReceivers, settingsOf } from '../../alerts/notify/open.ts';
import { type Alerting, createAlerting } from '../../alerts/pipeline.ts';
import { sightOf } from '../../alerts/sight.ts';
import { timingOf } from '../../alerts/timing.ts';
import { whereOf } from '../../alerts/where.ts';
import { LATE_SLOT_MINUTES, MINUTE_MS } from '../../sla/facts.ts';
import type { Sighting } from '../evaluate/months.ts';
import type { Log } from '../log.ts';
import type { DaemonMetrics } from '../metrics/daemon-metrics.ts';
import type { Store } from '../store/store.ts';

/** How far back an alert looks for where failures come from. */
const WHERE_MINUTES = 3 * LATE_SLOT_MINUTES;

export interface AlertingDeps {
  readonly store: Store;
  readonly metrics: DaemonMetrics;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  /** Since when agents can be heard: the start, or the store's return. */
  readonly listeningSinceMs: () => number;
  /** When every service was last found evaluated; null before the first time. */
  readonly evaluatedAtMs: () => number | null;
}

/** The alerting of one configuration; a reload makes another one on the same ledger. */
export interface DaemonAlerting {
  readonly pipeline: Alerting;
  start(): void;
  consider(sighting: Sighting): Promise<void>;
  stop(): Promise<void>;
}

export function createDaemonAlerting(config: AlertingConfig, deps: AlertingDeps): DaemonAlerting {
  const { store, metrics, nowMs, random, log } = deps;
  const receivers = openReceivers(config);
  metrics.knowReceivers(receivers.map(({ name }) => name));
  const pipeline = createAlerting({
    ledger: store.ledger,
    journal: store.journal,
    services: () => store.facts.services(),
    settings: settingsOf(config),
    receivers,
    nowMs,
    random,
    log,
    observer: {
      sent: (receiver) => metrics.notifications.add({ receiver }),
      failed: (receiver, reason) => metrics.notificationsFailed.add({ receiver, reason }),
    },
    dryRun: config.dryRun,
    timing: timingOf(config),
  });
  const deadMansSwitch =
    config.deadMansSwitch &&
    createDeadMansSwitch({
      ...config.deadMansSwitch,
      evaluatedAtMs: deps.evaluatedAtMs,
      pingStore: () => store.ping(),
      outboxAgeMs: async () => (await pipeline.status()).outbox?.oldestAgeMs ?? null,
      nowMs,
      log,
    });
  return {
    pipeline,
    start() {
      if (config.dryRun) log.warn('a dry run: alerts are decided and logged, and nothing is sent');
      pipeline.start();
      // A ping says that people would be told; from a dry run they are not.
      if (!config.dryRun) deadMansSwitch?.start();
    },
    async stop() {
      await deadMansSwitch?.stop();
      await pipeline.stop();
    },
    async consider(sighting) {
      const { service, reading, closed, facts, terms, nowMs: atMs } = sighting;
      const sight = sightOf(facts, deps.listeningSinceMs(), atMs);
      const circumstances = { reading, closed, timeZone: terms.timeZone, sight };
      await pipeline.consider(service, circumstances, async () => {
        const nowMinute = Math.floor(atMs / MINUTE_MS);
        const from = Math.floor((nowMinute - WHERE_MINUTES) / LATE_SLOT_MINUTES) * LATE_SLOT_MINUTES;
        const to = from + WHERE_MINUTES + 2 * LATE_SLOT_MINUTES;
        return whereOf(await store.facts.origins(service, from, to), from * MINUTE_MS);
      });
      const firing = pipeline
        .standings()
        .filter((standing) => standing.alert.service === service && standing.state === 'firing');
      metrics.alerts(
        service,
        firing.map(({ alert }) => alert.step),
      );
    },
  };
}
