import { expect, it } from 'vitest';
import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import { attemptsIn, attemptsOf, deltaOf, move, NOW_MINUTE, NOW_MS } from '../../contract/deltas.ts';
import { startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';

it('a failover that loses batches is answered with the true cursor, and healed by sending them again', {
  timeout: 60_000,
}, async () => {
  const master = await startRedis({ aof: true });
  // 'always': with a flush every second, a slow disk may hold back even the write for two seconds.
  const replica = await startRedis({ aof: 'always', replicaOf: master.port });
  await waitFor('the replica to follow', async () =>
    String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
  );
  const sentinel = await startRedis({ sentinelOf: master.port });
  await waitFor('the sentinel to see the replica', async () =>
    String(await sentinel.command('SENTINEL', 'REPLICAS', 'books')).includes(String(replica.port)),
  );
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/books`;
  const store = await openRedisStore({ url, commandTimeoutMs: 1_000 });
  try {
    const storeId = await store.storeId();
    const batch = (seq: number) => deltaOf('acme', [move('p', seq)], attemptsIn(NOW_MINUTE, 1));
    for (let seq = 0; seq < 20; seq += 1) await store.facts.apply(batch(seq), NOW_MS);
    await waitFor('the replica to be level', async () => {
      const cursor = (await replica.command('HGET', 'roomwatch:{acme}:cursors', 'p')) as string | null;
      return cursor?.startsWith('1 20 ');
    });
    // Until the file that follows the first copy is written, a replica that is killed comes back empty.
    await waitFor('the replica to have it in its file', async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(
        String(await replica.command('INFO', 'persistence')),
      ),
    );
    let restored = 0;
    store.onRestored(() => {
      restored += 1;
    });

    // The master takes ten more that its replica never hears of, and dies.
    await replica.kill9();
    for (let seq = 20; seq < 30; seq += 1) await store.facts.apply(batch(seq), NOW_MS);
    await master.kill9();
    await replica.restart();

    const result = await waitFor('the new master', () => store.facts.apply(batch(30), NOW_MS), {
      withinMs: 40_000,
    });
    if (result.status !== 'moved') throw new Error(`the rollback went unnoticed: ${result.status}`);
    const seq = result.cursors.get('p')?.seq ?? -1;
    expect(seq).toBeGreaterThanOrEqual(20);
    expect(seq).toBeLessThan(30);
    expect(restored).toBeGreaterThanOrEqual(1);
    for (let again = seq; again < 31; again += 1)
      expect((await store.facts.apply(batch(again), NOW_MS)).status).toBe('applied');
    expect(await attemptsOf(store, 'acme', NOW_MINUTE)).toBe(31);
    expect(await store.storeId()).toBe(storeId);
  } finally {
    await store.close();
    for (const server of [sentinel, replica, master]) await server.stop();
  }
});
