import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import type { ApplyResult, Store } from '../../../server/store/store.ts';
import { attemptsIn, attemptsOf, deltaOf, move, NOW_MINUTE, NOW_MS } from '../../contract/deltas.ts';
import { describeStore } from '../../contract/store.ts';
import { type RunningRedisCluster, startRedisCluster } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';

let cluster: RunningRedisCluster;
// One for the whole file: a cluster takes seconds to form.
beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: true });
}, 60_000);
afterAll(() => cluster.stop());

describeStore('Redis Cluster', async () => {
  const store = await openRedisStore({ url: cluster.url });
  return { store, close: () => store.close() };
});

describe('Redis Cluster that loses a master', () => {
  let store: Store;
  beforeAll(async () => {
    store = await openRedisStore({ url: cluster.url, commandTimeoutMs: 1_000 });
  });
  afterAll(() => store.close());

  it('keeps all keys of a service in one slot, and services in many', async () => {
    const services = Array.from({ length: 30 }, (_, i) => `placed-${i}`);
    for (const service of services) {
      const origins = [
        { origin: { slotMinute: NOW_MINUTE, region: 'r', platform: '', cause: 'unknown', code: '' }, n: 1 },
      ];
      await store.facts.apply(
        deltaOf(service, [move('p', 0)], { ...attemptsIn(NOW_MINUTE, 1), origins }),
        NOW_MS,
      );
      const entry = { id: 'x', service, receiver: 'ops', body: 1, createdAtMs: NOW_MS };
      await store.ledger.commit({ service, expectedVersion: 0, state: 1, entries: [entry] });
    }
    const homes = new Map<string, Set<number>>();
    for (const [i, node] of cluster.nodes.slice(0, 3).entries()) {
      for (const key of (await node.command('KEYS', '*')) as string[]) {
        const service = /\{(placed-\d+)\}/.exec(key)?.[1];
        if (service !== undefined) homes.set(service, (homes.get(service) ?? new Set()).add(i));
      }
    }
    expect(services.every((service) => homes.has(service))).toBe(true);
    expect([...homes.values()].every((nodes) => nodes.size === 1)).toBe(true);
    expect(new Set([...homes.values()].flatMap((nodes) => [...nodes])).size).toBe(3);
  });

  it('counts every batch once on the replica that takes over', { timeout: 60_000 }, async () => {
    const services = Array.from({ length: 12 }, (_, i) => `moved-${i}`);
    const next = new Map(services.map((service) => [service, 0]));
    const sent = new Map<string, number>();
    const step = async (service: string) => {
      const seq = next.get(service) ?? 0;
      const delta = deltaOf(service, [move('p', seq)], attemptsIn(NOW_MINUTE, 1));
      const result: ApplyResult = await waitFor(service, () => store.facts.apply(delta, NOW_MS), {
        withinMs: 40_000,
      });
      if (result.status === 'fenced') throw new Error('nobody opened an epoch');
      // A replica may lack the last batches; like an agent, go on from where the books are.
      const seqAfter = result.status === 'applied' ? seq + 1 : (result.cursors.get('p')?.seq ?? 0);
      next.set(service, seqAfter);
      sent.set(service, Math.max(sent.get(service) ?? 0, seqAfter));
    };
    const round = () => Promise.all(services.map(step));
    for (let i = 0; i < 10; i += 1) await round();
    await cluster.nodes[0]?.kill9();
    for (let i = 0; i < 10; i += 1) await round();
    for (const service of services) {
      const attempts = await waitFor(service, () => attemptsOf(store, service, NOW_MINUTE));
      expect(attempts).toBe(next.get(service));
    }
    expect(Math.min(...sent.values())).toBeGreaterThan(15);
  });
});
