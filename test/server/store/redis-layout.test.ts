import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import type { Store } from '../../../server/store/store.ts';
import { attemptsIn, attemptsOf, deltaOf, EVENT, move, NOW_MINUTE, NOW_MS } from '../../contract/deltas.ts';
import { type RunningRedis, startRedis } from '../../support/redis.ts';

const DAY_MS = 86_400_000;
const PAGE = NOW_MINUTE / 480;

describe('the books in Redis', () => {
  let redis: RunningRedis;
  let store: Store;
  beforeAll(async () => {
    redis = await startRedis();
    store = await openRedisStore({ url: redis.url, retentionDays: 30 });
  });
  beforeEach(() => redis.command('FLUSHALL'));
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  const apply = (...args: Parameters<typeof deltaOf>) => store.facts.apply(deltaOf(...args), NOW_MS);
  const number = async (name: string, ...args: string[]) => Number(await redis.command(name, ...args));

  it('keep a page as 10,044 bytes in an allocation of 10,240', async () => {
    await apply('acme', [move('p', 0)], attemptsIn(NOW_MINUTE + 479, 1));
    const key = `roomwatch:{acme}:page:${PAGE}`;
    expect(await number('STRLEN', key)).toBe(10_044);
    const overheadBytes = 128;
    expect(await number('MEMORY', 'USAGE', key)).toBeLessThan(10_240 + overheadBytes);
    await apply('acme', [move('p', 1)], attemptsIn(NOW_MINUTE, 1));
    expect(await number('MEMORY', 'USAGE', key)).toBeLessThan(10_240 + overheadBytes);
  });

  it('keep no callbacks of a service that has none, and 5,760 bytes a page of one that has, in an allocation of 6,144', async () => {
    await apply('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 1));
    expect(await redis.command('KEYS', '*callbacks*')).toEqual([]);
    await apply('acme', [move('p', 1)], { callbacks: new Map([[NOW_MINUTE + 479, [0, 0, 1]]]) });
    const key = `roomwatch:{acme}:callbacks:${PAGE}`;
    expect(await redis.command('KEYS', '*callbacks*')).toEqual([key]);
    expect(await number('STRLEN', key)).toBe(5_760);
    expect(await number('MEMORY', 'USAGE', key)).toBeLessThan(6_144 + 128);
    expect(await number('PTTL', key)).toBeLessThanOrEqual(480 * 60_000 + 30 * DAY_MS);
    expect(await number('PTTL', key)).toBeGreaterThan(30 * DAY_MS);
  });

  it('let a page go when the retention after its own end has passed, however often it is written', async () => {
    const key = `roomwatch:{acme}:page:${PAGE}`;
    const endsInMs = 480 * 60_000;
    for (const seq of [0, 1]) {
      await apply('acme', [move('p', seq)], attemptsIn(NOW_MINUTE, 1));
      const leftMs = await number('PTTL', key);
      expect(leftMs).toBeLessThanOrEqual(endsInMs + 30 * DAY_MS);
      expect(leftMs).toBeGreaterThan(endsInMs + 30 * DAY_MS - 60_000);
    }
  });

  it('let an hour of origins go six hours after its end', async () => {
    await apply('acme', [move('p', 0)], { origins: [{ origin: EVENT, n: 1 }] });
    const leftMs = await number('PTTL', `roomwatch:{acme}:origins:${NOW_MINUTE / 60}`);
    expect(leftMs).toBeLessThanOrEqual(7 * 3_600_000);
    expect(leftMs).toBeGreaterThan(7 * 3_600_000 - 60_000);
  });

  it('drop revisions and cursors that are past the retention', async () => {
    const at = (days: number) => NOW_MINUTE + days * 1_440;
    for (const [days, producer] of [
      [0, 'first'],
      [1, 'edge'],
      [30, 'second'],
      [31, 'third'],
    ] as const)
      await store.facts.apply(
        deltaOf('acme', [move(producer, 0)], attemptsIn(at(days), 1)),
        at(days) * 60_000,
      );
    expect([...(await store.facts.revisions('acme')).keys()].sort()).toEqual(
      [1, 30, 31].map((days) => at(days) / 480),
    );
    expect(await redis.command('HKEYS', 'roomwatch:{acme}:cursors')).toEqual(['edge', 'second', 'third']);
  });

  it('stay apart from those under another prefix', async () => {
    const other = await openRedisStore({ url: redis.url, keyPrefix: 'staging:' });
    try {
      await apply('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 1));
      await other.facts.apply(deltaOf('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 5)), NOW_MS);
      expect([
        await attemptsOf(store, 'acme', NOW_MINUTE),
        await attemptsOf(other, 'acme', NOW_MINUTE),
      ]).toEqual([1, 5]);
      expect(await other.storeId()).not.toBe(await store.storeId());
    } finally {
      await other.close();
    }
  });

  it.each([
    ['a page of another length', ['SET', `roomwatch:{acme}:page:${PAGE}`, 'short']],
    ['callbacks of another length', ['SET', `roomwatch:{acme}:callbacks:${PAGE}`, 'short']],
    ['a list in place of a page', ['RPUSH', `roomwatch:{acme}:page:${PAGE}`, 'x']],
    ['a string in place of the cursors', ['SET', 'roomwatch:{acme}:cursors', 'x']],
    ['a cursor that is no cursor', ['HSET', 'roomwatch:{acme}:cursors', 'p', 'x']],
    ['a string in place of the revisions', ['SET', 'roomwatch:{acme}:revisions', 'x']],
    ['a string in place of the origins', ['SET', `roomwatch:{acme}:origins:${NOW_MINUTE / 60}`, 'x']],
  ])('are called damaged, and nothing is written, when they hold %s', async (_, [name = '', ...args]) => {
    await redis.command(name, ...args);
    const before = await dump();
    const whole = {
      ...attemptsIn(NOW_MINUTE, 1),
      alive: new Set([NOW_MINUTE + 480]),
      origins: [{ origin: EVENT, n: 1 }],
      callbacks: new Map([[NOW_MINUTE, [1, 1, 1]]]),
    };
    await expect(apply('acme', [move('p', 0), move('q', 0)], whole)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED' }),
    );
    expect(await dump()).toEqual(before);
    await expect(store.ping()).resolves.toBeUndefined();
  });

  async function dump(): Promise<unknown[]> {
    const keys = ((await redis.command('KEYS', '*')) as string[])
      .filter((key) => key.includes('{acme}'))
      .sort();
    return Promise.all(keys.map(async (key) => [key, await redis.command('DUMP', key)]));
  }
});

describe('a server', () => {
  const openings = async (config: Record<string, string>, options: object) => {
    const redis = await startRedis({ config });
    const warnings: string[] = [];
    try {
      const store = await openRedisStore({
        url: redis.url,
        onWarning: (text) => warnings.push(text),
        ...options,
      });
      await store.close();
      return warnings;
    } finally {
      await redis.stop();
    }
  };

  it('that keeps everything opens without a word, also under strict and fsync', async () => {
    const config = { appendonly: 'yes', appendfsync: 'always' };
    expect(await openings(config, { strict: true, durability: 'fsync' })).toEqual([]);
  });

  it('that may evict is warned about, and refused under strict', async () => {
    const config = { 'maxmemory-policy': 'allkeys-lru', appendonly: 'yes' };
    expect(await openings(config, {})).toEqual([expect.stringContaining('set maxmemory-policy noeviction')]);
    await expect(openings(config, { strict: true })).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_UNSUITABLE', message: expect.stringContaining('allkeys-lru') }),
    );
  });

  it('that keeps no append-only file is warned about', async () => {
    expect(await openings({}, {})).toEqual([expect.stringContaining('set appendonly yes')]);
  });

  it('that does not flush every write is refused where fsync was promised', async () => {
    await expect(openings({ appendonly: 'yes' }, { durability: 'fsync' })).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_UNSUITABLE',
        message: expect.stringContaining('appendfsync always'),
      }),
    );
  });
});
