import {
  CALLBACK_COUNT,
  emptyFacts,
  LATE_SLOT_MINUTES,
  MEASURE_COUNT,
  type MinuteFacts,
  openCallbacks,
} from '../sla/facts.ts';
import { type FactStore, PAGE_MINUTES } from './store/store.ts';

/** What a page takes in memory: four bytes a counter, one an alive flag, four a late slot. */
const PAGE_BYTES = PAGE_MINUTES * (MEASURE_COUNT * 4 + 1) + (PAGE_MINUTES / LATE_SLOT_MINUTES) * 4;
/** What its callbacks take on top, where there are any. */
const CALLBACK_BYTES = PAGE_MINUTES * CALLBACK_COUNT * 4;

interface CachedPage {
  readonly revision: number;
  readonly facts: MinuteFacts;
}

/** One service's facts as of one look at the store's revision numbers. */
export interface FactsSnapshot {
  /** Minutes [fromMinute, toMinute), both multiples of five. */
  load(fromMinute: number, toMinute: number): Promise<MinuteFacts>;
  /** Changes whenever a page that touches the range does; '' when none of them was ever written. */
  signatureOf(fromMinute: number, toMinute: number): string;
}

/**
 * Keeps pages of minutes that have not changed since they were read, the least recently used ones leaving
 * first. Revisions are asked for before the pages: a page that changes in between is kept under too low a
 * number, so it is read again, never believed too long.
 */
export class FactsCache {
  private readonly store: FactStore;
  private readonly maxBytes: number;
  /** In order of use, `service/page`. */
  private pages = new Map<string, CachedPage>();
  private keptBytes = 0;

  constructor(store: FactStore, maxBytes: number) {
    this.store = store;
    this.maxBytes = maxBytes;
  }

  /** Forgets everything: the store is another one, or went back in time, and its numbers began anew. */
  clear(): void {
    this.pages = new Map();
    this.keptBytes = 0;
  }

  get bytes(): number {
    return this.keptBytes;
  }

  async snapshot(service: string): Promise<FactsSnapshot> {
    const revisions = await this.store.revisions(service);
    const pagesIn = (fromMinute: number, toMinute: number): number[] => {
      const first = Math.floor(fromMinute / PAGE_MINUTES);
      const last = Math.ceil(toMinute / PAGE_MINUTES) - 1;
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i).filter((page) =>
        revisions.has(page),
      );
    };
    return {
      signatureOf: (fromMinute, toMinute) =>
        pagesIn(fromMinute, toMinute)
          .map((page) => `${page}:${revisions.get(page)}`)
          .join(' '),
      load: async (fromMinute, toMinute) => {
        const facts = emptyFacts(fromMinute, toMinute - fromMinute);
        const wanted = pagesIn(fromMinute, toMinute);
        const kept = wanted.flatMap((page) => {
          const cached = this.cachedPage(service, page, revisions.get(page)!);
          return cached ? [cached] : [];
        });
        const keptPages = new Set(kept.map((page) => page.firstMinute / PAGE_MINUTES));
        for (const page of kept) copyInto(facts, page);
        for (const run of runsOf(wanted.filter((page) => !keptPages.has(page)))) {
          const { first, count } = run;
          const read = await this.store.readMinutes(
            service,
            first * PAGE_MINUTES,
            (first + count) * PAGE_MINUTES,
          );
          for (let page = first; page < first + count; page += 1) {
            const one = pageOf(read, page);
            this.keep(`${service}/${page}`, { revision: revisions.get(page)!, facts: one });
            copyInto(facts, one);
          }
        }
        return facts;
      },
    };
  }

  private cachedPage(service: string, page: number, revision: number): MinuteFacts | undefined {
    const key = `${service}/${page}`;
    const cached = this.pages.get(key);
    if (cached?.revision !== revision) return undefined;
    this.pages.delete(key);
    this.pages.set(key, cached);
    return cached.facts;
  }

  private keep(key: string, page: CachedPage): void {
    this.drop(key);
    this.pages.set(key, page);
    this.keptBytes += bytesOf(page);
    while (this.keptBytes > this.maxBytes) {
      const oldest = this.pages.keys().next();
      if (oldest.done) return;
      this.drop(oldest.value);
    }
  }

  private drop(key: string): void {
    const page = this.pages.get(key);
    if (page === undefined) return;
    this.pages.delete(key);
    this.keptBytes -= bytesOf(page);
  }
}

function bytesOf({ facts }: CachedPage): number {
  return facts.callbacks === undefined ? PAGE_BYTES : PAGE_BYTES + CALLBACK_BYTES;
}

/** Consecutive pages are read in one call. */
function runsOf(pages: readonly number[]): { first: number; count: number }[] {
  const runs: { first: number; count: number }[] = [];
  for (const page of pages) {
    const run = runs.at(-1);
    if (run && run.first + run.count === page) run.count += 1;
    else runs.push({ first: page, count: 1 });
  }
  return runs;
}

/** A copy of one page of a longer run: a view would keep the whole run in memory. */
function pageOf(run: MinuteFacts, page: number): MinuteFacts {
  const from = page * PAGE_MINUTES - run.firstMinute;
  const to = from + PAGE_MINUTES;
  const callbacks = run.callbacks?.slice(from * CALLBACK_COUNT, to * CALLBACK_COUNT);
  return {
    firstMinute: page * PAGE_MINUTES,
    minuteCount: PAGE_MINUTES,
    tallies: run.tallies.slice(from * MEASURE_COUNT, to * MEASURE_COUNT),
    alive: run.alive.slice(from, to),
    late: run.late.slice(from / LATE_SLOT_MINUTES, to / LATE_SLOT_MINUTES),
    ...(callbacks?.some((n) => n > 0) && { callbacks }),
  };
}

/** Copies the minutes that both runs have. */
function copyInto(target: MinuteFacts, source: MinuteFacts): void {
  const from = Math.max(target.firstMinute, source.firstMinute);
  const to = Math.min(target.firstMinute + target.minuteCount, source.firstMinute + source.minuteCount);
  if (from >= to) return;
  const at = from - target.firstMinute;
  const sourceFrom = from - source.firstMinute;
  const sourceTo = to - source.firstMinute;
  target.tallies.set(
    source.tallies.subarray(sourceFrom * MEASURE_COUNT, sourceTo * MEASURE_COUNT),
    at * MEASURE_COUNT,
  );
  target.alive.set(source.alive.subarray(sourceFrom, sourceTo), at);
  target.late.set(
    source.late.subarray(sourceFrom / LATE_SLOT_MINUTES, sourceTo / LATE_SLOT_MINUTES),
    at / LATE_SLOT_MINUTES,
  );
  if (source.callbacks === undefined) return;
  openCallbacks(target).set(
    source.callbacks.subarray(sourceFrom * CALLBACK_COUNT, sourceTo * CALLBACK_COUNT),
    at * CALLBACK_COUNT,
  );
}
