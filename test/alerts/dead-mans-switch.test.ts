import { afterEach, describe, expect, it } from 'vitest';
import {
  createDeadMansSwitch,
  type DeadMansSwitchOptions,
  OUTBOX_STUCK_MS,
} from '../../alerts/dead-mans-switch.ts';
import { openRedisStore } from '../../server/store/redis/redis-store.ts';
import { startHttpPeer } from '../support/http-peer.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const silent = () => {};
const INTERVAL_MS = 60_000;
const NOW_MS = 1_795_000_000_000;

async function switchWith(wishes: Partial<DeadMansSwitchOptions> = {}) {
  const peer = await startHttpPeer();
  closers.push(peer.stop);
  const theSwitch = createDeadMansSwitch({
    url: `${peer.url}/ping/1`,
    intervalMs: INTERVAL_MS,
    evaluatedAtMs: () => NOW_MS,
    pingStore: async () => {},
    outboxAgeMs: async () => 0,
    nowMs: () => NOW_MS,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    ...wishes,
  });
  closers.push(() => theSwitch.stop());
  return { peer, theSwitch };
}

describe("the dead man's switch", () => {
  it('pings when all is done', async () => {
    const { peer, theSwitch } = await switchWith();
    expect(await theSwitch.beat()).toEqual({ status: 'pinged' });
    expect(peer.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /ping/1']);
  });

  it.each<[string, Partial<DeadMansSwitchOptions>, string]>([
    ['no evaluation was ever completed', { evaluatedAtMs: () => null }, 'evaluation'],
    [
      'the last evaluation is more than two intervals old',
      { evaluatedAtMs: () => NOW_MS - 2 * INTERVAL_MS - 1 },
      'evaluation',
    ],
    ['the store does not answer', { pingStore: () => Promise.reject(new Error('down')) }, 'store'],
    ['the store cannot say what is queued', { outboxAgeMs: async () => null }, 'store'],
    ['a message is stuck', { outboxAgeMs: async () => OUTBOX_STUCK_MS + 1 }, 'outbox'],
  ])('is silent when %s', async (_, wishes, because) => {
    const { peer, theSwitch } = await switchWith(wishes);
    expect(await theSwitch.beat()).toEqual({ status: 'withheld', because });
    expect(peer.requests).toEqual([]);
  });

  it('pings at the edge of both limits', async () => {
    const { theSwitch } = await switchWith({
      evaluatedAtMs: () => NOW_MS - 2 * INTERVAL_MS,
      outboxAgeMs: async () => OUTBOX_STUCK_MS,
    });
    expect(await theSwitch.beat()).toEqual({ status: 'pinged' });
  });

  it('falls silent when Redis stops, and is heard again when it is back', async () => {
    const redis = await startRedis({ aof: 'always' });
    closers.push(() => redis.stop());
    const store = await openRedisStore({ url: redis.url, commandTimeoutMs: 300 });
    closers.push(() => store.close());
    const { peer, theSwitch } = await switchWith({
      intervalMs: 50,
      pingStore: () => store.ping(),
      outboxAgeMs: async () => (await store.ledger.backlog('acme')).depth,
    });
    theSwitch.start();
    await waitFor('pings', () => peer.requests.length >= 2);
    await redis.kill9();
    await waitFor('silence', async () => (await theSwitch.beat()).status === 'withheld');
    const before = peer.requests.length;
    expect((await theSwitch.beat()).status).toBe('withheld');
    expect(peer.requests.length - before).toBeLessThanOrEqual(1);
    await redis.restart();
    await waitFor('pings again', () => peer.requests.length > before + 1);
  });
});
