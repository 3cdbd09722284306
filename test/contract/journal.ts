import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../server/store/store.ts';
import { freshService, type OpenStore } from './deltas.ts';

/** What every Journal promises. */
export function describeJournal(name: string, open: OpenStore): void {
  describe(`${name} as a journal`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    it('numbers the entries of a topic from 1 and gives them back in that order', async () => {
      const topic = freshService();
      const entries = [
        { id: 'x', reason: 'cutover' },
        ['list', 1, null],
        'text',
        7,
        { id: 'x', reason: 'cutover' },
      ];
      for (const [i, entry] of entries.entries())
        expect(await store.journal.append(topic, entry)).toBe(i + 1);
      expect(await store.journal.read(topic)).toEqual({ revision: 5, entries });
    });

    it('is empty, at revision 0, before the first entry', async () => {
      expect(await store.journal.read(freshService())).toEqual({ revision: 0, entries: [] });
    });

    it('keeps topics apart, also when one is the beginning of another', async () => {
      const topic = freshService();
      await store.journal.append(`${topic}:a`, 1);
      await store.journal.append(topic, 2);
      await store.journal.append(`${topic}a`, 3);
      expect((await store.journal.read(topic)).entries).toEqual([2]);
      expect((await store.journal.read(`${topic}a`)).entries).toEqual([3]);
    });

    it('gives each of many entries at the same moment a number of its own', async () => {
      const topic = freshService();
      const numbers = await Promise.all(Array.from({ length: 50 }, (_, i) => store.journal.append(topic, i)));
      expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
      const { entries } = await store.journal.read(topic);
      expect(numbers.map((number) => entries[number - 1])).toEqual(Array.from({ length: 50 }, (_, i) => i));
    });

    it('keeps more entries than fit one look', async () => {
      const topic = freshService();
      for (let i = 0; i < 300; i += 1) await store.journal.append(topic, { i });
      const { revision, entries } = await store.journal.read(topic);
      expect(revision).toBe(300);
      expect(entries.at(-1)).toEqual({ i: 299 });
    });

    it.each(['{a}b', 'spaces and\nlines', '主题', '*'])('takes %j as a topic', async (text) => {
      const topic = `${freshService()}${text}`;
      const entry = { text: 'quotes " and \u0000 and 🚪' };
      await store.journal.append(topic, entry);
      expect((await store.journal.read(topic)).entries).toEqual([entry]);
    });
  });
}
