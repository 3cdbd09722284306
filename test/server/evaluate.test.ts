import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EVALUATION_BOUNDS, Evaluator } from '../../server/evaluate/evaluator.ts';
import { Months, type Sighting } from '../../server/evaluate/months.ts';
import {
  EXCLUSIONS_TOPIC,
  ExclusionBook,
  entriesFrom,
  exclusionsInForce,
  overlapsOf,
} from '../../server/exclusions.ts';
import { FactsCache } from '../../server/facts-cache.ts';
import { createLog } from '../../server/log.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { type FactStore, PAGE_MINUTES, type Store, StoreUnavailable } from '../../server/store/store.ts';
import { CALLBACK_COUNT } from '../../sla/facts.ts';
import { presetTerms } from '../../sla/terms.ts';
import { attemptsIn, deltaOf, freshService, move, NOW_MINUTE, NOW_MS } from '../contract/deltas.ts';
import { waitFor } from '../support/wait-for.ts';

const TERMS = presetTerms('trtc');
const PAGE_BYTES = PAGE_MINUTES * 21 + (PAGE_MINUTES / 5) * 4;

let folder: string;
let store: Store;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-evaluate-'));
  store = await openLmdbStore({ directory: join(folder, 'books') });
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** One producer's books, written batch by batch. */
async function writer(service: string) {
  const producerId = `producer-of-${service}`;
  await store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
  let seq = 0;
  return async (minute: number, attempts: number) => {
    const delta = deltaOf(service, [move(producerId, seq)], attemptsIn(minute, attempts));
    const result = await store.facts.apply(delta, NOW_MS);
    if (result.status !== 'applied') throw new Error(result.status);
    seq += 1;
  };
}

/** The real facts, and how often each range was read. */
function counting(facts: FactStore): { readonly facts: FactStore; readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    reads,
    facts: {
      openEpoch: (request) => facts.openEpoch(request),
      apply: (delta, nowMs) => facts.apply(delta, nowMs),
      services: () => facts.services(),
      revisions: (service) => facts.revisions(service),
      origins: (service, from, to) => facts.origins(service, from, to),
      readMinutes: (service, from, to) => {
        reads.push([from / PAGE_MINUTES, to / PAGE_MINUTES]);
        return facts.readMinutes(service, from, to);
      },
    },
  };
}

describe('the facts cache', () => {
  it('holds at every moment what the store holds, for any range and after any writes', async () => {
    const step = fc.oneof(
      fc.record({ write: fc.integer({ min: -2_000, max: 500 }), n: fc.integer({ min: 1, max: 99 }) }),
      fc.record({ from: fc.integer({ min: -450, max: 50 }), length: fc.integer({ min: 1, max: 400 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const service = freshService();
        const write = await writer(service);
        // Two pages: what is read always pushes something else out.
        const cache = new FactsCache(store.facts, 2 * PAGE_BYTES);
        for (const one of steps) {
          if ('write' in one) await write(NOW_MINUTE + one.write, one.n);
          else {
            const from = NOW_MINUTE + one.from * 5;
            const to = from + one.length * 5;
            const loaded = await (await cache.snapshot(service)).load(from, to);
            expect(loaded).toEqual(await store.facts.readMinutes(service, from, to));
          }
          expect(cache.bytes).toBeLessThanOrEqual(2 * PAGE_BYTES);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('holds callbacks too, counts their bytes, and gives none where there are none', async () => {
    const service = freshService();
    const producerId = `producer-of-${service}`;
    await store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
    const callbacks = new Map([[NOW_MINUTE + 3, [7, 2, 1]]]);
    const gains = { ...attemptsIn(NOW_MINUTE + PAGE_MINUTES, 1), callbacks };
    await store.facts.apply(deltaOf(service, [move(producerId, 0)], gains), NOW_MS);
    const cache = new FactsCache(store.facts, 100 * PAGE_BYTES);
    for (const _ of ['from the store', 'from the cache']) {
      const snapshot = await cache.snapshot(service);
      const told = await snapshot.load(NOW_MINUTE, NOW_MINUTE + 5);
      expect([...(told.callbacks ?? [])]).toEqual([...new Array(9).fill(0), 7, 2, 1, 0, 0, 0]);
      const other = await snapshot.load(NOW_MINUTE + PAGE_MINUTES, NOW_MINUTE + PAGE_MINUTES + 5);
      expect('callbacks' in other).toBe(false);
    }
    expect(cache.bytes).toBe(2 * PAGE_BYTES + PAGE_MINUTES * CALLBACK_COUNT * 4);
    cache.clear();
    expect(cache.bytes).toBe(0);
  });

  it('reads again only the page that changed, and pages never written not at all', async () => {
    const service = freshService();
    const write = await writer(service);
    const page = NOW_MINUTE / PAGE_MINUTES;
    for (const before of [0, 1, 4]) await write(NOW_MINUTE - before * PAGE_MINUTES, 5);
    const { facts, reads } = counting(store.facts);
    const cache = new FactsCache(facts, 100 * PAGE_BYTES);
    const load = async () =>
      (await cache.snapshot(service)).load(NOW_MINUTE - 9 * PAGE_MINUTES, NOW_MINUTE + PAGE_MINUTES);
    await load();
    expect(reads.splice(0)).toEqual([
      [page - 4, page - 3],
      [page - 1, page + 1],
    ]);
    await load();
    expect(reads.splice(0)).toEqual([]);
    await write(NOW_MINUTE - PAGE_MINUTES, 1);
    const facts2 = await load();
    expect(reads.splice(0)).toEqual([[page - 1, page]]);
    expect(facts2.tallies[8 * PAGE_MINUTES * 5]).toBe(6);
    cache.clear();
    await load();
    expect(reads).toHaveLength(2);
  });

  it('has a signature that changes with every page of the range and with no other', async () => {
    const service = freshService();
    const write = await writer(service);
    const cache = new FactsCache(store.facts, PAGE_BYTES);
    const signature = async () =>
      (await cache.snapshot(service)).signatureOf(NOW_MINUTE, NOW_MINUTE + PAGE_MINUTES);
    expect(await signature()).toBe('');
    await write(NOW_MINUTE + 10, 1);
    const first = await signature();
    await write(NOW_MINUTE + PAGE_MINUTES, 1);
    expect(await signature()).toBe(first);
    await write(NOW_MINUTE + PAGE_MINUTES - 1, 1);
    expect(await signature()).not.toBe(first);
  });
});

describe('exclusions replayed from the journal', () => {
  const exclusion = {
    service: 'acme',
    from: '2026-07-03T10:02:00+08:00',
    to: '2026-07-03T10:04:00+08:00',
    clause: '4.1',
    author: 'ops',
    reason: 'cutover',
  };
  const entered = { event: 'entered', id: 'a', by: 'ops', atMs: 1, exclusion };
  const withdrawn = { event: 'withdrawn', id: 'a', by: 'eve', atMs: 2, reason: 'mistaken' };

  it('are in force from their entry to their withdrawal, and stay in the history', () => {
    expect(exclusionsInForce(entriesFrom([entered]))).toHaveLength(1);
    const entries = entriesFrom([entered, withdrawn]);
    expect(exclusionsInForce(entries)).toEqual([]);
    expect(entries[0]).toMatchObject({
      entered: { by: 'ops', atMs: 1 },
      withdrawn: { by: 'eve', atMs: 2, reason: 'mistaken' },
    });
  });

  it('keep the first of two withdrawals, and the first of two entries of one id', () => {
    const entries = entriesFrom([
      entered,
      { ...entered, by: 'mallory' },
      withdrawn,
      { ...withdrawn, by: 'late', atMs: 3 },
    ]);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ entered: { by: 'ops' }, withdrawn: { by: 'eve' } });
  });

  it('pass over what cannot be read, and a withdrawal of nothing', () => {
    const broken = { ...entered, id: 'b', exclusion: { ...exclusion, to: exclusion.from } };
    expect(entriesFrom([null, 7, { event: 'renamed' }, broken, { ...withdrawn, id: 'c' }])).toEqual([]);
  });

  it('overlap when they are of one service, in force and share time; those that only touch do not', () => {
    const of = (id: string, from: string, to: string, service = 'acme') => {
      const times = { from: `2026-07-03T${from}:00Z`, to: `2026-07-03T${to}:00Z` };
      return { ...entered, id, exclusion: { ...exclusion, ...times, service } };
    };
    const entries = entriesFrom([
      of('touching', '11:00', '12:00'),
      of('first', '10:00', '11:00'),
      of('inner', '10:10', '10:20'),
      of('late', '10:59', '11:01'),
      of('elsewhere', '10:00', '11:00', 'globex'),
      of('taken-back', '10:00', '12:00'),
      { ...withdrawn, id: 'taken-back' },
    ]);
    expect(Object.fromEntries(overlapsOf(entries))).toEqual({
      touching: ['late'],
      first: ['inner', 'late'],
      inner: ['first'],
      late: ['first', 'touching'],
      elsewhere: [],
      'taken-back': [],
    });
  });

  it('written by another daemon are seen at the next look, and only then is anybody told', async () => {
    const told: string[][] = [];
    const mine = new ExclusionBook(store.journal, (services) => told.push([...services]));
    await mine.refresh();
    told.splice(0);
    await mine.refresh();
    expect(told).toEqual([]);
    await store.journal.append(EXCLUSIONS_TOPIC, entered);
    await mine.refresh();
    expect(told).toEqual([['acme']]);
    expect(mine.inForce('acme')).toHaveLength(1);
    expect(mine.inForce('acme')).toBe(mine.inForce('acme'));
    expect(mine.inForce('globex')).toEqual([]);
  });
});

describe('the evaluator', () => {
  let evaluator: Evaluator | undefined;
  afterEach(() => evaluator?.stop());

  interface StartOptions {
    readonly onSighting?: (sighting: Sighting) => Promise<void>;
    readonly facts?: FactStore;
    readonly nowMs?: () => number;
  }

  function start(options: StartOptions = {}) {
    const nowMs = options.nowMs ?? (() => NOW_MS);
    const sightings: { service: string; atMs: number }[] = [];
    let failures = 0;
    const cache = new FactsCache(options.facts ?? store.facts, 100 * PAGE_BYTES);
    const months = new Months({ cache, termsOf: () => TERMS, exclusionsOf: () => [], nowMs });
    evaluator = new Evaluator({
      months,
      nowMs,
      log: createLog('silent', new PassThrough()),
      onSighting: async (sighting) => {
        sightings.push({ service: sighting.service, atMs: performance.now() });
        await options.onSighting?.(sighting);
      },
      onEvaluated: () => {},
      onFailed: () => {
        failures += 1;
      },
    });
    return { evaluator, sightings, failed: () => failures };
  }

  it('looks at a service at most twice a second, however often it is poked, and always once after the last poke', async () => {
    const service = freshService();
    const write = await writer(service);
    const { evaluator, sightings } = start();
    const startedAtMs = performance.now();
    const untilMs = startedAtMs + 1_200;
    let attempts = 0;
    while (performance.now() < untilMs) {
      await write(NOW_MINUTE - 1, 1);
      attempts += 1;
      evaluator.poke([service]);
      await sleep(5);
    }
    await waitFor('the last write', () => evaluator.reading(service)?.attempts === attempts);
    const elapsedMs = performance.now() - startedAtMs;
    expect(sightings.length).toBeLessThanOrEqual(1 + Math.ceil(elapsedMs / EVALUATION_BOUNDS.everyMs));
    expect(sightings.length).toBeGreaterThanOrEqual(2);
  });

  it('gives the event loop its turn between any two services', async () => {
    const services = Array.from({ length: 50 }, freshService);
    for (const service of services) await (await writer(service))(NOW_MINUTE - 1, 100);
    const { evaluator, sightings } = start();
    let turns = 0;
    let isCounting = true;
    const count = () => {
      turns += 1;
      if (isCounting) setImmediate(count);
    };
    setImmediate(count);
    const seen: number[] = [];
    evaluator.poke(services);
    await waitFor(
      'all of them',
      () => {
        seen.push(sightings.length);
        return sightings.length === services.length;
      },
      { everyMs: 1 },
    );
    isCounting = false;
    expect(turns).toBeGreaterThan(services.length);
    expect(sightings.map(({ service }) => service)).toEqual(services);
  });

  it('repeats what failed, and says for how long it has waited', async () => {
    const service = freshService();
    await (await writer(service))(NOW_MINUTE - 1, 1);
    let isAway = true;
    const facts: FactStore = {
      ...counting(store.facts).facts,
      revisions: async (name) => {
        if (isAway) throw new StoreUnavailable('away');
        return store.facts.revisions(name);
      },
    };
    const { evaluator, failed } = start({ facts });
    evaluator.poke([service]);
    await waitFor('two failures', () => failed() >= 2);
    expect(evaluator.waitingMs()).toBeGreaterThan(EVALUATION_BOUNDS.retryMs);
    expect(evaluator.completedAtMs).toBeNull();
    isAway = false;
    await waitFor('a reading', () => evaluator.reading(service)?.attempts === 1);
    await waitFor('completion', () => evaluator.completedAtMs === NOW_MS);
    expect(evaluator.waitingMs()).toBe(0);
  });

  it('is complete up to the oldest that waits, though during every evaluation there is a new poke', async () => {
    const services = [freshService(), freshService()];
    for (const service of services) await (await writer(service))(NOW_MINUTE - 1, 1);
    const startedAtMs = performance.now();
    const nowMs = () => NOW_MS + performance.now() - startedAtMs;
    const started = start({ nowMs, onSighting: async () => evaluator?.poke(services) });
    started.evaluator.tick(services);
    expect(started.evaluator.completedAtMs).toBeNull();
    const laterMs = NOW_MS + EVALUATION_BOUNDS.everyMs;
    await waitFor('six evaluations', () => started.sightings.length >= 6);
    await waitFor('completion', () => (started.evaluator.completedAtMs ?? 0) > laterMs);
    expect(started.evaluator.waitingMs()).toBeLessThan(EVALUATION_BOUNDS.staleMs);
  });

  it('that hangs in one service is not complete, though nothing else waits', async () => {
    const service = freshService();
    await (await writer(service))(NOW_MINUTE - 1, 1);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { evaluator, sightings } = start({ onSighting: () => gate });
    evaluator.tick([service]);
    await waitFor('the sighting', () => sightings.length === 1);
    await waitFor('its wait', () => evaluator.waitingMs() > 100);
    evaluator.tick([service]);
    expect(evaluator.completedAtMs).toBeNull();
    release();
    await waitFor('completion', () => evaluator.completedAtMs === NOW_MS);
  });

  it('is woken by a poke that follows one of nothing', async () => {
    const service = freshService();
    const { evaluator, sightings } = start();
    evaluator.poke([]);
    evaluator.poke([service]);
    await waitFor('the sighting', () => sightings.length === 1);
  });

  it('learns from earlier months, hands over those that can still be claimed, and rereads one only when it changed', async () => {
    const service = freshService();
    const write = await writer(service);
    const monthMinutes = 30 * 1_440;
    await write(NOW_MINUTE - 1, 100);
    await write(NOW_MINUTE - monthMinutes, 100);
    const { facts, reads } = counting(store.facts);
    const cache = new FactsCache(facts, 1_000 * PAGE_BYTES);
    const months = new Months({
      cache,
      termsOf: () => TERMS,
      exclusionsOf: NO_EXCLUSIONS,
      nowMs: () => NOW_MS,
    });
    const first = await months.look(service);
    expect(first.reading?.month).toBe('2026-11');
    expect(first.closed.map((reading) => reading.month)).toEqual(['2026-10']);
    const october = first.closed[0];
    reads.splice(0);
    expect((await months.look(service)).closed[0]).toBe(october);
    expect(reads).toEqual([]);
    await write(NOW_MINUTE - monthMinutes + 1, 7);
    const later = (await months.look(service)).closed[0];
    expect(later?.attempts).toBe(107);
  });

  it('outside the service period there is no month, and the ended ones are still there', async () => {
    const service = freshService();
    await (await writer(service))(NOW_MINUTE - 30 * 1_440, 100);
    const terms = { ...TERMS, serviceEnd: '2026-10-31' };
    const cache = new FactsCache(store.facts, 100 * PAGE_BYTES);
    const months = new Months({
      cache,
      termsOf: () => terms,
      exclusionsOf: NO_EXCLUSIONS,
      nowMs: () => NOW_MS,
    });
    const sighting = await months.look(service);
    expect(sighting.reading).toBeNull();
    expect(sighting.closed.map((reading) => reading.month)).toEqual(['2026-10']);
  });
});

const NONE: readonly never[] = [];
const NO_EXCLUSIONS = () => NONE;
