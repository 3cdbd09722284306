import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alertingSchema } from '../../alerts/config.ts';
import type { Log } from '../../alerts/log.ts';
import { openReceivers, settingsOf } from '../../alerts/notify/open.ts';
import { type Alerting, type AlertingOptions, createAlerting } from '../../alerts/pipeline.ts';
import { type Timing, timingOf } from '../../alerts/timing.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { openRedisStore } from '../../server/store/redis/redis-store.ts';
import type { Store } from '../../server/store/store.ts';
import { startRedis } from '../support/redis.ts';

/** Opens a store of its own for a test, and removes it. */
export const STORES: Readonly<Record<string, () => Promise<{ store: Store; close: () => Promise<void> }>>> = {
  async redis() {
    const redis = await startRedis();
    const store = await openRedisStore({ url: redis.url });
    return {
      store,
      close: async () => {
        await store.close();
        await redis.stop();
      },
    };
  },
  async lmdb() {
    const directory = await mkdtemp(join(tmpdir(), 'roomwatch-alerts-'));
    const store = await openLmdbStore({ directory });
    return {
      store,
      close: async () => {
        await store.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

export interface Rig {
  readonly alerting: Alerting;
  /** "sent chat", "failed chat unavailable", in order. */
  readonly counted: string[];
  /** Every log line as JSON. */
  readonly lines: string[];
}

/** The whole of alerts as the daemon wires it, on real stores and with a configuration as a user writes it. */
export function rigOf(
  store: Pick<Store, 'ledger' | 'journal'>,
  config: object,
  options: Partial<Omit<AlertingOptions, 'timing'>> &
    Pick<AlertingOptions, 'nowMs'> & { readonly timing?: Partial<Timing> },
): Rig {
  const parsed = alertingSchema.parse(config);
  const counted: string[] = [];
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(JSON.stringify({ level, message, ...fields }));
  };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const { timing, ...rest } = options;
  const alerting = createAlerting({
    ledger: store.ledger,
    journal: store.journal,
    services: async () => ['acme'],
    settings: settingsOf(parsed),
    receivers: openReceivers(parsed),
    random: () => 0.5,
    log,
    observer: {
      sent: (receiver) => counted.push(`sent ${receiver}`),
      failed: (receiver, reason) => counted.push(`failed ${receiver} ${reason}`),
    },
    dryRun: false,
    ...rest,
    timing: {
      ...timingOf(parsed),
      ...{ groupWaitMs: 20, sendTimeoutMs: 3_000, leaseMs: 15_000, sweepMs: 50 },
      ...timing,
    },
  });
  return { alerting, counted, lines };
}
