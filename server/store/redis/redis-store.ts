import { randomUUID } from 'node:crypto';
import { RETENTION_DAYS } from '../page.ts';
import type { Store } from '../store.ts';
import { StoreUnavailable } from '../store.ts';
import { RedisConnection } from './connection.ts';
import { RedisFacts } from './facts.ts';
import { RedisJournal } from './journal.ts';
import { keysUnder } from './keys.ts';
import { RedisLedger } from './ledger.ts';
import { REDIS_DEFAULTS, type RedisStoreOptions } from './options.ts';
import { SCRIPTS } from './script.ts';
import { checkSuitability } from './suitability.ts';

/** How long a ping's mark stays in Redis. */
const PING_KEPT_MS = 60_000;

/**
 * Opens the books in Redis: a server, a Sentinel group or a cluster, by the form of `options.url`.
 * @throws StoreFault STORE_URL_INVALID, STORE_UNSUITABLE; StoreUnavailable when it cannot be reached
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const redis = await RedisConnection.open(options);
  try {
    for (const warning of await checkSuitability(redis, options)) options.onWarning?.(warning);
    for (const { lua } of Object.values(SCRIPTS)) await redis.callServers('SCRIPT', 'LOAD', lua);
  } catch (error) {
    redis.close();
    throw error;
  }
  const keys = keysUnder(options.keyPrefix ?? REDIS_DEFAULTS.keyPrefix);
  return {
    facts: new RedisFacts(redis, keys, options.retentionDays ?? RETENTION_DAYS),
    journal: new RedisJournal(redis, keys),
    ledger: new RedisLedger(redis, keys),
    async storeId() {
      // Both in one go: the second finds what the first, or another daemon's first, has left.
      const [, id] = await Promise.all([
        redis.call('SET', keys.storeId, randomUUID(), 'NX'),
        redis.call('GET', keys.storeId),
      ]);
      return String(id);
    },
    async ping() {
      const mark = randomUUID();
      const [, read] = await Promise.all([
        redis.call('SET', keys.ping, mark, 'PX', PING_KEPT_MS),
        redis.call('GET', keys.ping),
      ]);
      if (read === null)
        throw new StoreUnavailable('Redis did not keep what was written to it; see its maxmemory');
    },
    onRestored: (listener) => redis.onRestored(listener),
    async close() {
      redis.close();
    },
  };
}
