import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimedEntry, OutboxEntry } from '../../alerts/ledger.ts';
import { LEDGER_BOUNDS } from '../../server/store/outbox.ts';
import type { Store } from '../../server/store/store.ts';
import { freshService, NOW_MS, type OpenStore } from './deltas.ts';

/** What every Ledger promises. */
export function describeLedger(name: string, open: OpenStore): void {
  describe(`${name} as a ledger`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const entryOf = (service: string, id: string, createdAtMs = NOW_MS): OutboxEntry => ({
      id,
      service,
      receiver: 'ops',
      body: { step: 'near', left: 2 },
      createdAtMs,
    });
    const commit = (
      service: string,
      expectedVersion: number,
      entries: OutboxEntry[] = [],
      state: unknown = {},
    ) => store.ledger.commit({ service, expectedVersion, state, entries });
    const queue = async (...ids: string[]) => {
      const service = freshService();
      await commit(
        service,
        0,
        ids.map((id, i) => entryOf(service, id, NOW_MS + i)),
      );
      return service;
    };
    const claim = (service: string, nowMs = NOW_MS, limit = 10, leaseMs = 1_000) =>
      store.ledger.claim({ service, nowMs, leaseMs, limit });
    const settle = (service: string, { entry, token }: ClaimedEntry, dueAtMs?: number) =>
      store.ledger.settle({
        service,
        id: entry.id,
        token,
        settlement: dueAtMs === undefined ? { status: 'done' } : { status: 'retry', dueAtMs },
      });
    const one = async (service: string, nowMs = NOW_MS) => {
      const [claimed] = await claim(service, nowMs, 1);
      if (claimed === undefined) throw new Error('nothing was claimed');
      return claimed;
    };

    describe('state', () => {
      it('is version 0 and null before the first commit', async () => {
        expect(await store.ledger.load(freshService())).toEqual({ version: 0, state: null });
      });

      it('is given back as committed, one version on', async () => {
        const service = freshService();
        const state = { alerts: [{ key: 'a|b', since: NOW_MS, note: 'Ω "quoted" \n' }], empty: null };
        expect(await commit(service, 0, [], state)).toBe(true);
        expect(await store.ledger.load(service)).toEqual({ version: 1, state });
        expect(await commit(service, 1, [], null)).toBe(true);
        expect(await store.ledger.load(service)).toEqual({ version: 2, state: null });
      });

      it('is refused, with its entries, when another daemon decided first', async () => {
        const service = freshService();
        await commit(service, 0, [], 'first');
        expect(await commit(service, 0, [entryOf(service, 'x')], 'second')).toBe(false);
        expect(await store.ledger.load(service)).toEqual({ version: 1, state: 'first' });
        expect(await store.ledger.backlog(service)).toEqual({ depth: 0, oldestCreatedAtMs: null });
      });

      it('lets exactly one of two commits at the same moment win', async () => {
        const service = freshService();
        const wins = await Promise.all(
          ['a', 'b'].map((id) => commit(service, 0, [entryOf(service, id)], id)),
        );
        expect(wins.sort()).toEqual([false, true]);
        const { state } = await store.ledger.load(service);
        expect((await claim(service)).map(({ entry }) => entry.id)).toEqual([state]);
      });
    });

    describe('outbox', () => {
      it('hands entries out oldest first, whatever order they were queued in', async () => {
        const service = freshService();
        await commit(service, 0, [entryOf(service, 'new', NOW_MS + 9), entryOf(service, 'old', NOW_MS - 9)]);
        await commit(service, 1, [entryOf(service, 'middle', NOW_MS)]);
        const claimed = await claim(service);
        expect(claimed.map(({ entry }) => entry)).toEqual([
          entryOf(service, 'old', NOW_MS - 9),
          entryOf(service, 'middle', NOW_MS),
          entryOf(service, 'new', NOW_MS + 9),
        ]);
      });

      it('hands out no more than asked for', async () => {
        const service = await queue('a', 'b', 'c');
        expect(await claim(service, NOW_MS, 0)).toEqual([]);
        expect((await claim(service, NOW_MS, 2)).map(({ entry }) => entry.id)).toEqual(['a', 'b']);
        expect((await claim(service, NOW_MS, 2)).map(({ entry }) => entry.id)).toEqual(['c']);
      });

      it('queues an id once, within a commit and across commits', async () => {
        const service = freshService();
        await commit(service, 0, [entryOf(service, 'a'), entryOf(service, 'a')]);
        await commit(service, 1, [entryOf(service, 'a')]);
        expect((await store.ledger.backlog(service)).depth).toBe(1);
      });

      it('does not queue an id again that was settled', async () => {
        const service = await queue('a');
        await settle(service, await one(service));
        await commit(service, 1, [entryOf(service, 'a'), entryOf(service, 'b')]);
        expect((await claim(service)).map(({ entry }) => entry.id)).toEqual(['b']);
      });

      it('remembers the last settled ids up to their bound, and forgets the oldest beyond', async () => {
        const ids = Array.from({ length: LEDGER_BOUNDS.settledIds + 1 }, (_, i) => `id-${i}`);
        const service = freshService();
        await commit(
          service,
          0,
          ids.slice(0, 1_000).map((id, i) => entryOf(service, id, NOW_MS + i)),
        );
        await commit(
          service,
          1,
          ids.slice(1_000).map((id) => entryOf(service, id, NOW_MS + 1_000)),
        );
        const claimed = await claim(service, NOW_MS + 5_000, ids.length);
        for (const each of claimed.slice(0, -1)) await settle(service, each);
        await commit(service, 2, [entryOf(service, 'id-0')]);
        expect((await store.ledger.backlog(service)).depth).toBe(1);
        await settle(service, claimed.at(-1) as ClaimedEntry);
        await commit(service, 3, [entryOf(service, 'id-0'), entryOf(service, 'id-1')]);
        expect((await claim(service, NOW_MS + 5_000)).map(({ entry }) => entry.id)).toEqual(['id-0']);
      });

      it('refuses to grow past its bound, with the state unchanged', async () => {
        const service = freshService();
        const bound = LEDGER_BOUNDS.outboxEntries;
        for (let version = 0; version * 1_000 < bound; version += 1) {
          const size = Math.min(1_000, bound - version * 1_000);
          const ids = Array.from({ length: size }, (_, i) => `id-${version}-${i}`);
          expect(
            await commit(
              service,
              version,
              ids.map((id) => entryOf(service, id)),
              version,
            ),
          ).toBe(true);
        }
        const { version } = await store.ledger.load(service);
        await expect(commit(service, version, [entryOf(service, 'one too many')], 'x')).rejects.toThrow(
          expect.objectContaining({ code: 'STORE_OUTBOX_FULL' }),
        );
        expect((await store.ledger.load(service)).version).toBe(version);
        expect(await commit(service, version, [], 'without entries')).toBe(true);
      });

      it.each(['a:b|c', 'with spaces', '{x}', '主题 🚪', '__proto__', 'é'.repeat(256)])(
        'takes %j as an id',
        async (id) => {
          const service = await queue(id);
          const claimed = await one(service);
          expect(claimed.entry.id).toBe(id);
          expect(await settle(service, claimed)).toBe(true);
          expect((await store.ledger.backlog(service)).depth).toBe(0);
        },
      );

      it('tells its depth and its oldest entry, leased or not', async () => {
        const service = await queue('a', 'b');
        await one(service);
        expect(await store.ledger.backlog(service)).toEqual({ depth: 2, oldestCreatedAtMs: NOW_MS });
      });

      it('keeps services apart', async () => {
        const [mine, others] = [await queue('a'), await queue('a')];
        await settle(mine, await one(mine));
        expect((await store.ledger.backlog(others)).depth).toBe(1);
      });
    });

    describe('lease', () => {
      it('keeps an entry from others until it runs out, to the millisecond', async () => {
        const service = await queue('a');
        const first = await one(service);
        expect(await claim(service, NOW_MS + 999)).toEqual([]);
        const second = await one(service, NOW_MS + 1_000);
        expect(second.token).toBeGreaterThan(first.token);
        expect([first.attempts, second.attempts]).toEqual([0, 1]);
      });

      it('gives an entry to one of many daemons that ask at once', async () => {
        const service = await queue('a', 'b', 'c');
        const claims = await Promise.all(Array.from({ length: 8 }, () => claim(service, NOW_MS, 1)));
        const ids = claims.flat().map(({ entry }) => entry.id);
        expect(ids.sort()).toEqual(['a', 'b', 'c']);
        expect(new Set(claims.flat().map(({ token }) => token)).size).toBe(3);
      });

      it('once taken over, cannot be settled by its former holder', async () => {
        const service = await queue('a');
        const former = await one(service);
        const holder = await one(service, NOW_MS + 2_000);
        expect(await settle(service, former)).toBe(false);
        expect(await settle(service, former, NOW_MS)).toBe(false);
        expect((await store.ledger.backlog(service)).depth).toBe(1);
        expect(await settle(service, holder)).toBe(true);
        expect(await settle(service, former)).toBe(false);
      });

      it('that ran out may still be settled while nobody has taken over', async () => {
        const service = await queue('a');
        const late = await one(service);
        expect(await settle(service, late)).toBe(true);
        expect(await claim(service, NOW_MS + 9_000)).toEqual([]);
      });

      it('is over when the entry is put back for later, and the entry is due then, not before', async () => {
        const service = await queue('a');
        expect(await settle(service, await one(service), NOW_MS + 300)).toBe(true);
        expect(await claim(service, NOW_MS + 299)).toEqual([]);
        const again = await one(service, NOW_MS + 300);
        expect(again.attempts).toBe(1);
      });

      it('and the time at which an entry is due tell from when it may be claimed', async () => {
        const service = await queue('a');
        expect(await store.ledger.claimableAt(service, 'a')).toBeLessThanOrEqual(NOW_MS);
        const first = await one(service);
        expect(await store.ledger.claimableAt(service, 'a')).toBe(NOW_MS + 1_000);
        await settle(service, first, NOW_MS + 300);
        expect(await store.ledger.claimableAt(service, 'a')).toBe(NOW_MS + 300);
        await settle(service, await one(service, NOW_MS + 300));
        expect(await store.ledger.claimableAt(service, 'a')).toBeNull();
        expect(await store.ledger.claimableAt(freshService(), 'a')).toBeNull();
      });

      it('is settled the same way when the call is repeated', async () => {
        const service = await queue('a', 'b');
        const [a, b] = await claim(service);
        if (a === undefined || b === undefined) throw new Error('two entries were queued');
        expect([await settle(service, a), await settle(service, a)]).toEqual([true, true]);
        expect([await settle(service, b, NOW_MS + 5), await settle(service, b, NOW_MS + 5)]).toEqual([
          true,
          true,
        ]);
        expect((await claim(service, NOW_MS + 5)).map(({ entry }) => entry.id)).toEqual(['b']);
      });

      it('cannot be made up', async () => {
        const service = await queue('a');
        const { entry } = await one(service);
        for (const token of [0, 99]) expect(await settle(service, { entry, attempts: 0, token })).toBe(false);
        const unknown = { entry: entryOf(service, 'nobody'), attempts: 0, token: 1 };
        expect(await settle(service, unknown)).toBe(false);
      });
    });
  });
}
