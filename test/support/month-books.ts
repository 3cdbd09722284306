import { EXCLUSIONS_TOPIC, type ExclusionEvent } from '../../server/exclusions.ts';
import { APPLY_BOUNDS, type Store } from '../../server/store/store.ts';

const PRODUCER = '11111111-1111-4111-8111-111111111111';

/** What is written into the books for a month: 100 entries a minute, some of them failing. */
export interface MonthBooks {
  readonly service: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Failures of a minute by cause: provider, unknown, customer, network; undefined = no agent was alive. */
  readonly failuresAt: (atMs: number) => readonly [number, number, number, number] | undefined;
  /** Attempts of a slot that came late, by its first minute. */
  readonly late?: ReadonlyMap<number, number>;
  readonly exclusionEvents?: readonly ExclusionEvent[];
}

/** Fills a store with a month, in as many steps as it takes. */
export async function fillBooks(store: Store, books: MonthBooks): Promise<void> {
  const { service, failuresAt } = books;
  const { epoch } = await store.facts.openEpoch({
    producerId: PRODUCER,
    services: [service],
    nowMs: books.fromMs,
  });
  let seq = 0;
  let tallies = new Map<number, number[]>();
  const flush = async (late: ReadonlyMap<number, number>) => {
    const cursor = { producerId: PRODUCER, epoch, expectedSeq: seq, seq: seq + 1, digest: '0'.repeat(16) };
    const alive = new Set(tallies.keys());
    const result = await store.facts.apply(
      { service, cursors: [cursor], tallies, alive, late, origins: [] },
      books.toMs,
    );
    if (result.status !== 'applied') throw new Error(`the books were not filled: ${result.status}`);
    seq += 1;
    tallies = new Map();
  };
  for (let atMs = books.fromMs; atMs < books.toMs; atMs += 60_000) {
    const failures = failuresAt(atMs);
    if (failures !== undefined) tallies.set(atMs / 60_000, [100, ...failures]);
    if (tallies.size === APPLY_BOUNDS.tallies) await flush(new Map());
  }
  await flush(books.late ?? new Map());
  for (const event of books.exclusionEvents ?? []) await store.journal.append(EXCLUSIONS_TOPIC, event);
}
