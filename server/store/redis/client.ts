import { Cluster, Redis } from 'ioredis';
import { REDIS_DEFAULTS, type RedisStoreOptions } from './options.ts';
import type { RedisTarget } from './url.ts';

const CLIENT_BOUNDS = {
  /** Longest wait between two attempts to connect. */
  reconnectMs: 2_000,
  /** Redirections that a cluster call follows. */
  redirections: 4,
} as const;

/**
 * An ioredis client set up so that a lost server is an error and never a wait: no offline queue, one retry,
 * time-outs on everything, capped and spread reconnects. It does not connect by itself.
 */
export function createClient(
  target: RedisTarget,
  options: RedisStoreOptions,
  timeoutMs: number,
): Redis | Cluster {
  const common = {
    lazyConnect: true,
    connectionName: 'roomwatch',
    // Under version 3 of the protocol, replies to the same command have another shape.
    protocol: 2 as const,
    commandTimeout: timeoutMs,
    // A connection that went silent (no FIN, no RST) is torn down, not waited for.
    socketTimeout: timeoutMs * 2,
    connectTimeout: options.connectTimeoutMs ?? REDIS_DEFAULTS.connectTimeoutMs,
    maxRetriesPerRequest: 1,
    // After a failover the old master is a replica: leave it and look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: options.ca === undefined ? {} : { ca: options.ca } } : {}),
  };
  const nodes = target.nodes.map(({ host, port }) => ({ host, port }));
  if (target.kind === 'cluster') {
    return new Cluster(nodes, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRedirections: CLIENT_BOUNDS.redirections,
      clusterRetryStrategy: reconnectAfterMs,
      clusterNodeRetryStrategy: reconnectAfterMs,
      slotsRefreshTimeout: timeoutMs,
      redisOptions: common,
    });
  }
  const single = {
    ...common,
    db: target.db,
    enableOfflineQueue: false,
    retryStrategy: reconnectAfterMs,
  };
  if (target.masterName === undefined) return new Redis({ ...single, ...nodes[0] });
  return new Redis({
    ...single,
    sentinels: nodes,
    name: target.masterName,
    sentinelRetryStrategy: reconnectAfterMs,
    enableTLSForSentinelMode: target.tls,
    ...(options.sentinelPassword === undefined ? {} : { sentinelPassword: options.sentinelPassword }),
  });
}

/** Uniform between zero and a doubling limit: daemons that lost the same server do not return as one. */
function reconnectAfterMs(attempt: number): number {
  const limitMs = Math.min(CLIENT_BOUNDS.reconnectMs, 50 * 2 ** Math.min(attempt, 10));
  return Math.ceil(Math.random() * limitMs);
}
