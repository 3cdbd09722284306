import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway, type Gateway } from '../../server/gateway/gateway.ts';
import type { GatewayLimits, Grant } from '../../server/gateway/options.ts';
import { createTokenCheck } from '../../server/gateway/tokens.ts';
import { createIngest, type Ingest } from '../../server/ingest/ingest.ts';
import type { IngestObserver } from '../../server/ingest/observer.ts';
import { createLog } from '../../server/log.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import type { FactStore, Store } from '../../server/store/store.ts';

export const TOKEN = 'a-token-of-the-tests';
export const RETENTION_MS = 400 * 86_400_000;

/** What the gateway and ingest counted, as plain numbers. */
export interface Counted {
  readonly batches: Record<string, number>;
  readonly lost: Record<string, number>;
  readonly refused: Record<string, number>;
  /** `service region platform` -> tallies */
  readonly tallies: Record<string, number[]>;
  /** service -> users who entered, who left */
  readonly callbacks: Record<string, number[]>;
  readonly applyFailed: Record<string, number>;
  clamped: number;
  applied: number;
  delays: number[];
}

/** The daemon's edge: a real HTTP server, gateway and ingest before a real store. */
export interface DaemonEdge {
  readonly port: number;
  readonly gateway: Gateway;
  readonly ingest: Ingest;
  readonly store: Store;
  readonly counted: Counted;
  /** Every service for which `onApplied` was called. */
  readonly applied: string[];
  stop(): Promise<void>;
}

export interface EdgeOptions {
  /** An open store, closed by whoever opened it; otherwise an embedded one in a temporary directory. */
  readonly store?: Store;
  /** Stands before the store's facts, to delay or count calls. */
  readonly facts?: (facts: FactStore) => FactStore;
  readonly limits?: Partial<GatewayLimits>;
  readonly tokens?: readonly { readonly token: string; readonly grant: Grant }[];
  readonly nowMs?: () => number;
  readonly closesAtMs?: (service: string, minute: number) => number;
}

export async function startEdge(options: EdgeOptions = {}): Promise<DaemonEdge> {
  const directory = options.store === undefined ? await mkdtemp(join(tmpdir(), 'roomwatch-edge-')) : null;
  const store = options.store ?? (await openLmdbStore({ directory: directory ?? '' }));
  const nowMs = options.nowMs ?? Date.now;
  const counted: Counted = {
    batches: {},
    lost: {},
    refused: {},
    tallies: {},
    callbacks: {},
    applyFailed: {},
    clamped: 0,
    applied: 0,
    delays: [],
  };
  const applied: string[] = [];
  const ingest = createIngest({
    facts: options.facts?.(store.facts) ?? store.facts,
    nowMs,
    closesAtMs: options.closesAtMs ?? ((_, minute) => (minute - (minute % 5) + 8) * 60_000),
    retentionMs: RETENTION_MS,
    observer: recorder(counted),
    onApplied: (services) => applied.push(...services),
  });
  store.onRestored(() => ingest.recheck());
  const grants = options.tokens ?? [{ token: TOKEN, grant: { agentLabel: 'tests', services: 'all' } }];
  const gateway = createGateway({
    ingest,
    authenticate: createTokenCheck(grants),
    storeId: () => store.storeId(),
    limits: options.limits ?? {},
    observer: { refused: (reason) => add(counted.refused, reason, 1) },
    nowMs,
    log: createLog('silent'),
  });
  const server = createServer();
  server.on('upgrade', gateway.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    gateway,
    ingest,
    store,
    counted,
    applied,
    stop: async () => {
      await gateway.drain({ deadlineMs: 0 });
      ingest.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (directory === null) return;
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function add(counts: Record<string, number>, name: string, n: number): void {
  counts[name] = (counts[name] ?? 0) + n;
}

function recorder(counted: Counted): IngestObserver {
  return {
    batches: (outcome, n) => add(counted.batches, outcome, n),
    counted: (service, region, platform, tallies) => {
      const key = [service, region, platform].join(' ');
      const row = counted.tallies[key] ?? tallies.map(() => 0);
      counted.tallies[key] = row.map((n, i) => n + (tallies[i] ?? 0));
    },
    calledBack: (service, counts) => {
      const row = counted.callbacks[service] ?? counts.map(() => 0);
      counted.callbacks[service] = row.map((n, i) => n + (counts[i] ?? 0));
    },
    lost: (reason, outcomes) => add(counted.lost, reason, outcomes),
    clamped: (outcomes) => {
      counted.clamped += outcomes;
    },
    delayed: (delayMs) => counted.delays.push(delayMs),
    applied: () => {
      counted.applied += 1;
    },
    applyFailed: (_, reason) => add(counted.applyFailed, reason, 1),
  };
}
