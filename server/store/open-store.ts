import { type LmdbStoreOptions, openLmdbStore } from './lmdb/lmdb-store.ts';
import type { RedisStoreOptions } from './redis/options.ts';
import { openRedisStore } from './redis/redis-store.ts';
import type { Store } from './store.ts';

/** Where the books are kept: in Redis when there is a `url`, else in a data directory. */
export type StoreConfig = RedisStoreOptions | LmdbStoreOptions;

export async function openStore(config: StoreConfig): Promise<Store> {
  return 'url' in config ? openRedisStore(config) : openLmdbStore(config);
}
