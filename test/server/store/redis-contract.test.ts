import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import { describeStore } from '../../contract/store.ts';
import { startRedis } from '../../support/redis.ts';

describeStore('Redis', async () => {
  const redis = await startRedis({ aof: true });
  const store = await openRedisStore({ url: redis.url });
  return {
    store,
    async close() {
      await store.close();
      await redis.stop();
    },
  };
});
