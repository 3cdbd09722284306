import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPLY_BOUNDS, PAGE_MINUTES, type Store } from '../../server/store/store.ts';
import { COUNTER_MAX } from '../../sla/facts.ts';
import {
  attemptsIn,
  attemptsOf,
  deltaOf,
  digestOf,
  freshService,
  move,
  NOW_MINUTE,
  NOW_MS,
  type OpenStore,
} from './deltas.ts';

/** What every FactStore promises about counting: cursors, epochs, minutes. Origins are in `origins.ts`. */
export function describeFactStore(name: string, open: OpenStore): void {
  describe(`${name} as a fact store`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const apply = (...args: Parameters<typeof deltaOf>) => store.facts.apply(deltaOf(...args), NOW_MS);
    const applied = { status: 'applied', saturated: 0 };
    const zeros = (count: number) => new Array<number>(count).fill(0);

    describe('cursors', () => {
      it('counts a batch once when the call is repeated', async () => {
        const service = freshService();
        expect(await apply(service, [move('p', 0)], attemptsIn(NOW_MINUTE, 7))).toEqual(applied);
        const again = await apply(service, [move('p', 0)], attemptsIn(NOW_MINUTE, 7));
        expect(again).toEqual({
          status: 'moved',
          cursors: new Map([['p', { seq: 1, digest: digestOf(1) }]]),
        });
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(7);
      });

      it('answers with the true cursor when the books are ahead of the caller', async () => {
        const service = freshService();
        await apply(service, [move('p', 0, { seq: 9 })]);
        const result = await apply(service, [move('p', 4)], attemptsIn(NOW_MINUTE, 1));
        expect(result).toEqual({
          status: 'moved',
          cursors: new Map([['p', { seq: 9, digest: digestOf(9) }]]),
        });
      });

      it('answers with the true cursor when the books went back in time', async () => {
        const service = freshService();
        await apply(service, [move('p', 0, { seq: 3 })]);
        const result = await apply(service, [move('p', 8)], attemptsIn(NOW_MINUTE, 1));
        expect(result).toEqual({
          status: 'moved',
          cursors: new Map([['p', { seq: 3, digest: digestOf(3) }]]),
        });
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(0);
      });

      it('answers seq 0 for a producer that wiped books no longer know', async () => {
        const result = await apply(freshService(), [move('p', 5)]);
        expect(result).toEqual({ status: 'moved', cursors: new Map([['p', { seq: 0, digest: '' }]]) });
      });

      it('writes nothing when one of several producers is elsewhere, and names only that one', async () => {
        const service = freshService();
        await apply(service, [move('b', 0, { seq: 2 })]);
        const result = await apply(service, [move('a', 0), move('b', 0), move('c', 0)], {
          ...attemptsIn(NOW_MINUTE, 5),
          alive: new Set([NOW_MINUTE]),
          late: new Map([[NOW_MINUTE, 5]]),
        });
        expect(result).toEqual({
          status: 'moved',
          cursors: new Map([['b', { seq: 2, digest: digestOf(2) }]]),
        });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
        expect([...facts.tallies, ...facts.alive, ...facts.late].every((n) => n === 0)).toBe(true);
        expect(await apply(service, [move('a', 0), move('c', 0)])).toEqual(applied);
      });

      it('keeps the cursors of two services of one producer apart', async () => {
        const [one, two] = [freshService(), freshService()];
        await apply(one, [move('p', 0, { seq: 4 })]);
        expect(await apply(two, [move('p', 0)])).toEqual(applied);
        expect(await apply(one, [move('p', 4)])).toEqual(applied);
      });

      it('counts once when the same batch is applied twice at the same moment', async () => {
        const service = freshService();
        const twice = [1, 2].map(() => apply(service, [move('p', 0)], attemptsIn(NOW_MINUTE, 3)));
        const statuses = (await Promise.all(twice)).map((result) => result.status);
        expect(statuses.sort()).toEqual(['applied', 'moved']);
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(3);
      });

      it('keeps a seq and a digest that no number type may round', async () => {
        const service = freshService();
        const seq = Number.MAX_SAFE_INTEGER - 1;
        await apply(service, [move('p', 0, { seq, digest: 'ffffffffffffffff' })]);
        expect(await apply(service, [move('p', seq)])).toEqual(applied);
        const { cursors } = await store.facts.openEpoch({
          producerId: 'p',
          services: [service],
          nowMs: NOW_MS,
        });
        expect(cursors.get(service)?.seq).toBe(Number.MAX_SAFE_INTEGER);
      });

      it.each([
        ['braces and wildcards', '{x}*?[a-z]'],
        ['spaces', ' 1 2 3 '],
        ['a line feed and a zero byte', 'a\nb\0c'],
        ['a Lua pattern', '%d+(.*)$'],
        ['other scripts', '生产者-Ω-🚪'],
        ['a name of the runtime', '__proto__'],
      ])('takes a producer id with %s as plain text', async (_, producerId) => {
        const service = freshService();
        expect(await apply(service, [move(producerId, 0, { digest: '' })])).toEqual(applied);
        expect(await apply(service, [move(producerId, 5)])).toEqual({
          status: 'moved',
          cursors: new Map([[producerId, { seq: 1, digest: '' }]]),
        });
        const { epoch } = await store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
        expect(await apply(service, [move(producerId, 1, { epoch: epoch - 1 })])).toEqual({
          status: 'fenced',
          producerIds: [producerId],
        });
      });
    });

    describe('epochs', () => {
      it('gives each greeting of a producer a higher epoch, and tells where its books stand', async () => {
        const [one, two, unseen] = [freshService(), freshService(), freshService()];
        const producerId = freshService();
        const first = await store.facts.openEpoch({ producerId, services: [one, two], nowMs: NOW_MS });
        await apply(one, [move(producerId, 0, { epoch: first.epoch, seq: 6 })]);
        const second = await store.facts.openEpoch({
          producerId,
          services: [one, two, unseen],
          nowMs: NOW_MS,
        });
        expect(second.epoch).toBeGreaterThan(first.epoch);
        expect(second.cursors).toEqual(
          new Map([
            [one, { seq: 6, digest: digestOf(6) }],
            [two, { seq: 0, digest: '' }],
            [unseen, { seq: 0, digest: '' }],
          ]),
        );
      });

      it('fences an older epoch in every service named, and writes nothing for it', async () => {
        const [service, other] = [freshService(), freshService()];
        const producerId = freshService();
        const request = { producerId, services: [service, other], nowMs: NOW_MS };
        const { epoch: old } = await store.facts.openEpoch(request);
        const { epoch } = await store.facts.openEpoch(request);
        for (const each of [service, other]) {
          const late = await apply(each, [move(producerId, 0, { epoch: old })], attemptsIn(NOW_MINUTE, 1));
          expect(late).toEqual({ status: 'fenced', producerIds: [producerId] });
        }
        expect(await apply(service, [move(producerId, 0, { epoch })], attemptsIn(NOW_MINUTE, 2))).toEqual(
          applied,
        );
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(2);
      });

      it('says fenced before moved: a fenced daemon must not act on cursors', async () => {
        const service = freshService();
        await apply(service, [move('a', 0, { epoch: 5, seq: 3 }), move('b', 0, { seq: 2 })]);
        const result = await apply(service, [move('a', 0, { epoch: 4 }), move('b', 0)]);
        expect(result).toEqual({ status: 'fenced', producerIds: ['a'] });
      });

      it('is raised by an apply with a higher epoch, and never lowered', async () => {
        const service = freshService();
        await apply(service, [move('p', 0, { epoch: 3 })]);
        expect(await apply(service, [move('p', 1, { epoch: 7 })])).toEqual(applied);
        expect(await apply(service, [move('p', 2, { epoch: 6 })])).toEqual({
          status: 'fenced',
          producerIds: ['p'],
        });
        expect(await apply(service, [move('p', 2, { epoch: 7 })])).toEqual(applied);
      });

      it('opens above an epoch that a service has kept and the counter of epochs has lost', async () => {
        const service = freshService();
        const producerId = freshService();
        await apply(service, [move(producerId, 0, { epoch: 40 })]);
        const { epoch } = await store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
        expect(epoch).toBeGreaterThan(40);
        expect(await apply(service, [move(producerId, 1, { epoch })])).toEqual(applied);
      });

      it('lets exactly one of two greetings at the same moment go on', async () => {
        const service = freshService();
        const producerId = freshService();
        const greet = () => store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
        const epochs = (await Promise.all([greet(), greet()])).map((opened) => opened.epoch);
        const results = [];
        for (const epoch of epochs) results.push(await apply(service, [move(producerId, 0, { epoch })]));
        expect(new Set(epochs).size).toBe(2);
        expect(results.map((result) => result.status).sort()).toEqual(['applied', 'fenced']);
      });

      it('registers the services named, which are listed sorted', async () => {
        const services = [freshService(), freshService(), 'a.b', 'A', '0-z', 'a'];
        await store.facts.openEpoch({ producerId: 'p', services, nowMs: NOW_MS });
        const listed = await store.facts.services();
        expect(listed).toEqual(expect.arrayContaining(services));
        expect(listed).toEqual([...listed].sort());
      });
    });

    describe('minutes', () => {
      it('adds every measure to its own minute and keeps its neighbours at zero', async () => {
        const service = freshService();
        const tallies = new Map([[NOW_MINUTE + 2, [100, 1, 2, 3, 4]]]);
        await apply(service, [move('p', 0)], { tallies });
        await apply(service, [move('p', 1)], { tallies });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
        expect([...facts.tallies]).toEqual([
          ...Array.from({ length: 10 }, () => 0),
          ...[200, 2, 4, 6, 8],
          ...Array.from({ length: 10 }, () => 0),
        ]);
      });

      it('answers zeros for minutes that were never written', async () => {
        const facts = await store.facts.readMinutes(
          freshService(),
          NOW_MINUTE - 5,
          NOW_MINUTE + 2 * PAGE_MINUTES,
        );
        expect(facts.firstMinute).toBe(NOW_MINUTE - 5);
        expect(facts.minuteCount).toBe(2 * PAGE_MINUTES + 5);
        expect(facts.tallies).toHaveLength((2 * PAGE_MINUTES + 5) * 5);
        expect(facts.late).toHaveLength((2 * PAGE_MINUTES + 5) / 5);
        expect([...facts.tallies, ...facts.alive, ...facts.late].every((n) => n === 0)).toBe(true);
      });

      it('answers an empty run for an empty range', async () => {
        const facts = await store.facts.readMinutes(freshService(), NOW_MINUTE, NOW_MINUTE);
        expect(facts.tallies).toHaveLength(0);
      });

      const firstOf = (minute: number) => minute - (minute % PAGE_MINUTES);
      const newYear = Date.UTC(2027, 0, 1) / 60_000;
      const utc8Month = Date.UTC(2026, 10, 30, 16) / 60_000;
      it.each([
        ['a page', firstOf(NOW_MINUTE) + PAGE_MINUTES],
        ['a UTC day', Date.UTC(2026, 10, 4) / 60_000],
        ['a month in UTC+8', utc8Month],
        ['a year', newYear],
      ])('keeps the two minutes at the edge of %s apart', async (_, edge) => {
        const service = freshService();
        const nowMs = newYear * 60_000;
        const delta = deltaOf(service, [move('p', 0)], {
          tallies: new Map([
            [edge - 1, [3, 1, 0, 0, 0]],
            [edge, [5, 0, 0, 0, 2]],
          ]),
          alive: new Set([edge - 1]),
          late: new Map([[edge, 5]]),
        });
        expect(await store.facts.apply(delta, nowMs)).toEqual(applied);
        const facts = await store.facts.readMinutes(service, edge - 5, edge + 5);
        expect([...facts.tallies.subarray(20, 30)]).toEqual([3, 1, 0, 0, 0, 5, 0, 0, 0, 2]);
        expect([...facts.alive]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        expect([...facts.late]).toEqual([0, 5]);
      });

      it.each([
        ['first', 0],
        ['last', PAGE_MINUTES - 1],
      ])('keeps the %s minute, alive bit and late slot of a page', async (_, minuteOfPage) => {
        const service = freshService();
        const minute = firstOf(NOW_MINUTE) + minuteOfPage;
        const slot = minute - (minute % 5);
        await apply(service, [move('p', 0)], {
          tallies: new Map([[minute, [1, 2, 3, 4, 5]]]),
          alive: new Set([minute]),
          late: new Map([[slot, 6]]),
        });
        const from = firstOf(NOW_MINUTE) - PAGE_MINUTES;
        const facts = await store.facts.readMinutes(service, from, from + 3 * PAGE_MINUTES);
        const at = PAGE_MINUTES + minuteOfPage;
        expect([...facts.tallies.subarray(at * 5, at * 5 + 5)]).toEqual([1, 2, 3, 4, 5]);
        expect(facts.tallies.reduce((sum, n) => sum + n, 0)).toBe(15);
        expect(facts.alive.indexOf(1)).toBe(at);
        expect(facts.alive.reduce((sum, n) => sum + n, 0)).toBe(1);
        expect(facts.late[Math.floor(at / 5)]).toBe(6);
        expect(facts.late.reduce((sum, n) => sum + n, 0)).toBe(6);
      });

      it('adds to all pages of a batch together', async () => {
        const service = freshService();
        const minutes = Array.from({ length: 7 }, (_, i) => NOW_MINUTE - i * PAGE_MINUTES);
        const tallies = new Map(minutes.map((minute) => [minute, [1, 0, 0, 0, 0]]));
        await apply(service, [move('p', 0)], { tallies });
        const before = await store.facts.revisions(service);
        expect(before.size).toBe(7);
        await apply(service, [move('p', 0)], { tallies });
        for (const minute of minutes) expect(await attemptsOf(store, service, minute)).toBe(1);
        expect(await store.facts.revisions(service)).toEqual(before);
      });

      it('marks a minute alive once and for good', async () => {
        const service = freshService();
        const alive = new Set([NOW_MINUTE, NOW_MINUTE + 7, NOW_MINUTE + 8]);
        for (const seq of [0, 1]) await apply(service, [move('p', seq)], { alive });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 10);
        expect([...facts.alive]).toEqual([1, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
        expect([...facts.tallies].every((n) => n === 0)).toBe(true);
      });

      it('keeps late attempts by slot, beside the tallies', async () => {
        const service = freshService();
        await apply(service, [move('p', 0)], {
          ...attemptsIn(NOW_MINUTE, 9),
          late: new Map([[NOW_MINUTE, 4]]),
        });
        await apply(service, [move('p', 1)], {
          late: new Map([
            [NOW_MINUTE, 1],
            [NOW_MINUTE + 10, 2],
          ]),
        });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 15);
        expect([...facts.late]).toEqual([5, 0, 2]);
        expect(facts.tallies[0]).toBe(9);
      });

      it('takes a batch without any cell: the cursor moves, no page is written', async () => {
        const service = freshService();
        expect(await apply(service, [move('p', 0)])).toEqual(applied);
        expect(
          await apply(service, [move('p', 1)], { tallies: new Map([[NOW_MINUTE, [0, 0, 0, 0, 0]]]) }),
        ).toEqual(applied);
        expect(await store.facts.revisions(service)).toEqual(new Map());
      });

      it('changes the revision of the pages it writes and of no others', async () => {
        const service = freshService();
        const page = NOW_MINUTE / PAGE_MINUTES;
        await apply(service, [move('p', 0)], { alive: new Set([NOW_MINUTE, NOW_MINUTE + PAGE_MINUTES]) });
        const before = await store.facts.revisions(service);
        await apply(service, [move('p', 1)], attemptsIn(NOW_MINUTE, 1));
        const after = await store.facts.revisions(service);
        expect([...before.keys()].sort()).toEqual([page, page + 1]);
        expect(after.get(page)).not.toBe(before.get(page));
        expect(after.get(page + 1)).toBe(before.get(page + 1));
      });

      it('leaves out minutes that are past the retention, and moves the cursor all the same', async () => {
        const service = freshService();
        const old = NOW_MINUTE - 401 * 1_440;
        expect(await apply(service, [move('p', 0)], attemptsIn(old - (old % 5), 3))).toEqual(applied);
        expect(await store.facts.revisions(service)).toEqual(new Map());
        expect((await apply(service, [move('p', 0)])).status).toBe('moved');
      });
    });

    describe('callbacks', () => {
      const callbacksOf = async (service: string, from: number, to: number) => {
        const { callbacks } = await store.facts.readMinutes(service, from, to);
        return callbacks === undefined ? undefined : [...callbacks];
      };

      it('are absent from a service that never had any', async () => {
        const service = freshService();
        await apply(service, [move('p', 0)], { ...attemptsIn(NOW_MINUTE, 3), alive: new Set([NOW_MINUTE]) });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
        expect('callbacks' in facts).toBe(false);
      });

      it('add to their own minute, beside the attempts and without being any', async () => {
        const service = freshService();
        const callbacks = new Map([
          [NOW_MINUTE, [7, 2, 3]],
          [NOW_MINUTE + 2, [1, 0, 0]],
        ]);
        await apply(service, [move('p', 0)], { callbacks });
        await apply(service, [move('p', 1)], { ...attemptsIn(NOW_MINUTE, 5), callbacks });
        expect(await callbacksOf(service, NOW_MINUTE, NOW_MINUTE + 5)).toEqual([
          14, 4, 6, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
        expect(facts.tallies.reduce((sum, n) => sum + n, 0)).toBe(5);
        expect(facts.alive).toEqual(new Uint8Array(5));
      });

      it('are added once, however often the batch is sent', async () => {
        const service = freshService();
        const callbacks = new Map([[NOW_MINUTE, [3, 1, 2]]]);
        expect(await apply(service, [move('p', 0)], { callbacks })).toEqual(applied);
        expect((await apply(service, [move('p', 0)], { callbacks })).status).toBe('moved');
        expect(await callbacksOf(service, NOW_MINUTE, NOW_MINUTE + 5)).toEqual([3, 1, 2, ...zeros(12)]);
      });

      it('keep the first and the last minute of neighbouring pages apart, under revisions of their own', async () => {
        const service = freshService();
        const edge = NOW_MINUTE - (NOW_MINUTE % PAGE_MINUTES) + PAGE_MINUTES;
        await apply(service, [move('p', 0)], {
          callbacks: new Map([
            [edge - 1, [1, 2, 3]],
            [edge, [4, 5, 6]],
          ]),
        });
        expect(await callbacksOf(service, edge - 5, edge + 5)).toEqual([
          ...zeros(12),
          ...[1, 2, 3],
          ...[4, 5, 6],
          ...zeros(12),
        ]);
        const before = await store.facts.revisions(service);
        expect([...before.keys()].sort()).toEqual([edge / PAGE_MINUTES - 1, edge / PAGE_MINUTES]);
        await apply(service, [move('p', 1)], { callbacks: new Map([[edge, [0, 0, 1]]]) });
        const after = await store.facts.revisions(service);
        expect(after.get(edge / PAGE_MINUTES)).not.toBe(before.get(edge / PAGE_MINUTES));
        expect(after.get(edge / PAGE_MINUTES - 1)).toBe(before.get(edge / PAGE_MINUTES - 1));
      });

      it('stay at COUNTER_MAX, and write nothing when there is nothing to add', async () => {
        const service = freshService();
        const none = { callbacks: new Map([[NOW_MINUTE, [0, 0, 0]]]) };
        expect(await apply(service, [move('p', 0)], none)).toEqual(applied);
        expect(await store.facts.revisions(service)).toEqual(new Map());
        const callbacks = new Map([[NOW_MINUTE, [1, 0, COUNTER_MAX]]]);
        expect(await apply(service, [move('p', 1)], { callbacks })).toEqual({
          status: 'applied',
          saturated: 1,
        });
        expect(await apply(service, [move('p', 2)], { callbacks })).toEqual({
          status: 'applied',
          saturated: 1,
        });
        expect(await callbacksOf(service, NOW_MINUTE, NOW_MINUTE + 5)).toEqual([
          2,
          0,
          COUNTER_MAX,
          ...zeros(12),
        ]);
      });

      it('are left out past the retention', async () => {
        const service = freshService();
        const callbacks = new Map([[NOW_MINUTE - 401 * 1_440, [1, 1, 1]]]);
        expect(await apply(service, [move('p', 0)], { callbacks })).toEqual(applied);
        expect(await store.facts.revisions(service)).toEqual(new Map());
      });

      it('are taken at their bound, and refused beyond it or in another shape', async () => {
        const service = freshService();
        const minutes = Array.from({ length: APPLY_BOUNDS.callbacks }, (_, i) => NOW_MINUTE - i);
        const full = new Map(minutes.map((minute) => [minute, [1, 1, 1]]));
        expect(await apply(service, [move('p', 0)], { callbacks: full })).toEqual(applied);
        const broken = [
          new Map([...full, [NOW_MINUTE + 1, [1, 1, 1]]]),
          new Map([[NOW_MINUTE, [1, 1]]]),
          new Map([[NOW_MINUTE, [1, 1, -1]]]),
          new Map([[0.5, [1, 1, 1]]]),
        ];
        for (const callbacks of broken)
          await expect(apply(service, [move('p', 1)], { callbacks })).rejects.toThrow(
            expect.objectContaining({ code: 'ERR_ASSERTION' }),
          );
      });
    });

    describe('saturation', () => {
      it('counts up to COUNTER_MAX exactly', async () => {
        const service = freshService();
        expect(await apply(service, [move('p', 0)], attemptsIn(NOW_MINUTE, COUNTER_MAX - 1))).toEqual(
          applied,
        );
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(COUNTER_MAX - 1);
        const atMax = await apply(service, [move('p', 1)], attemptsIn(NOW_MINUTE, 1));
        expect(atMax).toEqual({ status: 'applied', saturated: 1 });
        expect(await attemptsOf(store, service, NOW_MINUTE)).toBe(COUNTER_MAX);
      });

      it('stays at COUNTER_MAX, says for how many counters, and leaves their neighbours alone', async () => {
        const service = freshService();
        const tallies = new Map([
          [NOW_MINUTE, [COUNTER_MAX, COUNTER_MAX, 1, 0, 0]],
          [NOW_MINUTE + 1, [Number.MAX_SAFE_INTEGER, 0, 0, 0, 0]],
        ]);
        const late = new Map([[NOW_MINUTE, COUNTER_MAX]]);
        await apply(service, [move('p', 0)], { tallies, late });
        const result = await apply(service, [move('p', 1)], { tallies, late });
        expect(result).toEqual({ status: 'applied', saturated: 4 });
        const facts = await store.facts.readMinutes(service, NOW_MINUTE, NOW_MINUTE + 5);
        expect([...facts.tallies.subarray(0, 10)]).toEqual([
          COUNTER_MAX,
          COUNTER_MAX,
          2,
          0,
          0,
          COUNTER_MAX,
          0,
          0,
          0,
          0,
        ]);
        expect(facts.late[0]).toBe(COUNTER_MAX);
      });
    });

    describe('bounds', () => {
      it('takes a delta at every bound at once', async () => {
        const service = freshService();
        const firstMinute = NOW_MINUTE - APPLY_BOUNDS.tallies;
        const minutes = Array.from({ length: APPLY_BOUNDS.tallies }, (_, i) => firstMinute + i);
        const slots = Array.from({ length: APPLY_BOUNDS.late }, (_, i) => NOW_MINUTE - 5 * i);
        const producers = Array.from({ length: APPLY_BOUNDS.cursors }, (_, i) => `producer-${i}`);
        const result = await apply(
          service,
          producers.map((producer) => move(producer, 0)),
          {
            tallies: new Map(minutes.map((minute) => [minute, [5, 1, 2, 3, 4]])),
            alive: new Set(minutes),
            late: new Map(slots.map((slot) => [slot, 1])),
          },
        );
        expect(result).toEqual(applied);
        const facts = await store.facts.readMinutes(service, NOW_MINUTE - 10_000, NOW_MINUTE + 5);
        expect(facts.tallies.reduce((sum, n) => sum + n, 0)).toBe(APPLY_BOUNDS.tallies * 15);
        expect(facts.alive.reduce((sum, n) => sum + n, 0)).toBe(APPLY_BOUNDS.alive);
        expect(facts.late.reduce((sum, n) => sum + n, 0)).toBe(APPLY_BOUNDS.late);
      });

      it('refuses what breaks the contract as an assertion, and writes nothing', async () => {
        const service = freshService();
        const minutes = Array.from({ length: APPLY_BOUNDS.tallies + 1 }, (_, i) => NOW_MINUTE - i);
        const broken = [
          deltaOf(service, []),
          deltaOf(service, [move('p', 0), move('p', 1)]),
          deltaOf(service, [move('p', 3, { seq: 3 })]),
          deltaOf(service, [move('', 0)]),
          deltaOf('no spaces', [move('p', 0)]),
          deltaOf(service, [move('p', 0)], {
            tallies: new Map(minutes.map((minute) => [minute, [1, 0, 0, 0, 0]])),
          }),
          deltaOf(service, [move('p', 0)], { tallies: new Map([[NOW_MINUTE, [1, 0, 0]]]) }),
          deltaOf(service, [move('p', 0)], { tallies: new Map([[NOW_MINUTE, [-1, 0, 0, 0, 0]]]) }),
          deltaOf(service, [move('p', 0)], { tallies: new Map([[NOW_MINUTE, [0.5, 0, 0, 0, 0]]]) }),
          deltaOf(service, [move('p', 0)], { tallies: new Map([[Number.NaN, [1, 0, 0, 0, 0]]]) }),
          deltaOf(service, [move('p', 0)], { late: new Map([[NOW_MINUTE + 1, 1]]) }),
        ];
        for (const delta of broken)
          await expect(store.facts.apply(delta, NOW_MS)).rejects.toThrow(
            expect.objectContaining({ code: 'ERR_ASSERTION' }),
          );
        expect(await apply(service, [move('p', 0)])).toEqual(applied);
        expect(await store.facts.revisions(service)).toEqual(new Map());
      });

      it('keeps a thousand services apart when all are applied in the same tick', async () => {
        const prefix = freshService();
        const services = Array.from({ length: 1_000 }, (_, i) => `${prefix}-${i}`);
        await store.facts.openEpoch({ producerId: prefix, services, nowMs: NOW_MS });
        const results = await Promise.all(
          services.map((service, i) => apply(service, [move(prefix, 0)], attemptsIn(NOW_MINUTE, i + 1))),
        );
        expect(results.every((result) => result.status === 'applied')).toBe(true);
        const attempts = await Promise.all(services.map((service) => attemptsOf(store, service, NOW_MINUTE)));
        expect(attempts).toEqual(services.map((_, i) => i + 1));
      });
    });

    it('answers the same id of the books each time, and to a ping', async () => {
      const id = await store.storeId();
      expect(id).not.toBe('');
      expect(await store.storeId()).toBe(id);
      await expect(store.ping()).resolves.toBeUndefined();
    });
  });
}
