import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Origin, Store } from '../../server/store/store.ts';
import { deltaOf, EVENT, freshService, move, NOW_MINUTE, NOW_MS, type OpenStore } from './deltas.ts';

/** What every FactStore promises about where failures came from. */
export function describeOrigins(name: string, open: OpenStore): void {
  describe(`${name} as a store of origins`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    let seq = 0;
    const add = (service: string, origins: readonly { origin: Origin; n: number }[], nowMs = NOW_MS) => {
      seq += 1;
      return store.facts.apply(deltaOf(service, [move(`p${seq}`, 0)], { origins }), nowMs);
    };
    const read = async (service: string, from = NOW_MINUTE - 600, to = NOW_MINUTE + 600) => {
      const found = await store.facts.origins(service, from, to);
      return found.sort((a, b) => b.n - a.n);
    };

    it('adds up failures of the same slot, region, platform, cause and code', async () => {
      const service = freshService();
      await add(service, [
        { origin: EVENT, n: 2 },
        { origin: EVENT, n: 3 },
      ]);
      await add(service, [{ origin: EVENT, n: 4 }]);
      expect(await read(service)).toEqual([{ origin: EVENT, n: 9 }]);
    });

    it('keeps origins apart that differ in one part', async () => {
      const service = freshService();
      const others: Origin[] = [
        { ...EVENT, slotMinute: NOW_MINUTE + 5 },
        { ...EVENT, slotMinute: NOW_MINUTE + 60 },
        { ...EVENT, region: 'ap-beijing' },
        { ...EVENT, platform: 'native' },
        { ...EVENT, cause: 'unknown' },
        { ...EVENT, code: '5400' },
        { ...EVENT, region: '' },
      ];
      const all = [EVENT, ...others].map((origin, i) => ({ origin, n: 100 - i }));
      await add(service, all);
      expect(await read(service)).toEqual(all);
    });

    it.each([
      ['separators', '|:,;/\\\u001f\u001e0\u001e1'],
      ['quotes and brackets', `"']}{[`],
      ['line feeds and zero bytes', 'a\r\nb\0'],
      ['spaces', '  x  '],
      ['other scripts', '广州 Ω 🚪'],
      ['names of the runtime', '__proto__'],
      ['the word for folded origins', 'other'],
    ])('gives labels with %s back as they came', async (_, text) => {
      const service = freshService();
      const shifted = [
        { ...EVENT, region: text, platform: '', code: '' },
        { ...EVENT, region: '', platform: text, code: '' },
        { ...EVENT, region: '', platform: '', code: text },
        { ...EVENT, region: `${text}${text}`, platform: '', code: '' },
      ].map((origin, i) => ({ origin, n: 10 - i }));
      await add(service, shifted);
      expect(await read(service)).toEqual(shifted);
    });

    it('answers slots from the start of a range up to and without its end', async () => {
      const service = freshService();
      const slots = [0, 5, 10, 15].map((minutes, i) => ({
        origin: { ...EVENT, slotMinute: NOW_MINUTE + minutes },
        n: 10 - i,
      }));
      await add(service, slots);
      expect(await read(service, NOW_MINUTE + 5, NOW_MINUTE + 15)).toEqual(slots.slice(1, 3));
      expect(await read(service, NOW_MINUTE, NOW_MINUTE)).toEqual([]);
    });

    it('keeps 256 fields of an hour at most, folds the rest by slot and cause, and loses no failure', async () => {
      const service = freshService();
      const origins = Array.from({ length: 1_000 }, (_, i) => ({
        origin: {
          ...EVENT,
          slotMinute: NOW_MINUTE + 5 * (i % 12),
          cause: ['provider', 'unknown', 'customer', 'network'][i % 4] ?? '',
          region: `region-${i}`,
        },
        n: 1,
      }));
      await add(service, origins.slice(0, 500));
      await add(service, origins.slice(500));
      const found = await read(service);
      const sumOf = (rows: typeof found, slotMinute: number, cause: string) =>
        rows
          .filter(({ origin }) => origin.slotMinute === slotMinute && origin.cause === cause)
          .reduce((sum, { n }) => sum + n, 0);
      expect(found.length).toBeLessThanOrEqual(256);
      for (const { origin } of origins)
        expect(sumOf(found, origin.slotMinute, origin.cause)).toBe(
          sumOf(origins, origin.slotMinute, origin.cause),
        );
      const folded = found.filter(({ origin }) => origin.region === 'other');
      expect(folded.length).toBeGreaterThan(0);
      for (const { origin } of folded) expect([origin.platform, origin.code]).toEqual(['other', 'other']);
      expect(found.filter(({ origin }) => origin.region === 'region-0')).toHaveLength(1);
    });

    it('goes on counting an origin it knows when the hour is full', async () => {
      const service = freshService();
      const origins = Array.from({ length: 400 }, (_, i) => ({
        origin: { ...EVENT, region: `r${i}` },
        n: 1,
      }));
      await add(service, origins);
      await add(service, [{ origin: { ...EVENT, region: 'r0' }, n: 6 }]);
      const known = (await read(service)).find(({ origin }) => origin.region === 'r0');
      expect(known?.n).toBe(7);
    });

    it('does not record an hour that ended six hours ago, and does record one that ended later', async () => {
      const service = freshService();
      const hourEndsAtMs = NOW_MS + 3_600_000;
      const keptMs = 6 * 3_600_000;
      await add(service, [{ origin: EVENT, n: 1 }], hourEndsAtMs + keptMs);
      expect(await read(service)).toEqual([]);
      await add(service, [{ origin: EVENT, n: 2 }], hourEndsAtMs + keptMs - 1_000);
      expect(await read(service)).toEqual([{ origin: EVENT, n: 2 }]);
    });

    it('records nothing for a call that was refused', async () => {
      const service = freshService();
      const delta = deltaOf(service, [move('gone', 7)], { origins: [{ origin: EVENT, n: 1 }] });
      expect((await store.facts.apply(delta, NOW_MS)).status).toBe('moved');
      expect(await read(service)).toEqual([]);
    });
  });
}
