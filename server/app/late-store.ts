import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';

/** Waits between attempts to open, in order; the last one repeats. Half of each is random. */
const RETRY_MS = [250, 500, 1_000, 2_000, 5_000] as const;

export interface LateStoreOptions {
  readonly open: () => Promise<Store>;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * A store that may not be there yet. The first attempt is waited for; when the store cannot be reached, the
 * daemon starts without it, every call rejects with StoreUnavailable, and it is opened as soon as it can be.
 * @throws what `open` throws besides StoreUnavailable: that will not mend itself
 */
export async function openLate({ open, log, random }: LateStoreOptions): Promise<Store> {
  const restored: (() => void)[] = [];
  const closing = new AbortController();
  let current: Store | undefined;
  let missing: unknown;

  const adopt = (store: Store) => {
    current = store;
    for (const listener of restored) store.onRestored(listener);
  };
  const retry = async () => {
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
      await sleep(waitMs * (0.5 + random() / 2), undefined, { signal: closing.signal }).catch(() => {});
      if (closing.signal.aborted) return;
      try {
        const store = await open();
        // Closed while it was opening.
        if (closing.signal.aborted) return void store.close();
        adopt(store);
        log.info('the store answers');
        for (const listener of restored) listener();
        return;
      } catch (error) {
        missing = error;
        log.warn({ error }, 'the store cannot be opened; it is tried again');
      }
    }
  };
  try {
    adopt(await open());
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    missing = error;
    log.error({ error }, 'the store does not answer; the daemon starts without it and is not ready');
  }
  const retrying = current ? null : retry();

  const there = (): Store => {
    if (current) return current;
    throw new StoreUnavailable('the store has not been reached since the start; start it', {
      cause: missing,
    });
  };
  return {
    facts: {
      openEpoch: async (request) => there().facts.openEpoch(request),
      apply: async (delta, nowMs) => there().facts.apply(delta, nowMs),
      services: async () => there().facts.services(),
      readMinutes: async (service, from, to) => there().facts.readMinutes(service, from, to),
      revisions: async (service) => there().facts.revisions(service),
      origins: async (service, from, to) => there().facts.origins(service, from, to),
    },
    journal: {
      append: async (topic, entry) => there().journal.append(topic, entry),
      read: async (topic) => there().journal.read(topic),
    },
    ledger: {
      load: async (service) => there().ledger.load(service),
      commit: async (request) => there().ledger.commit(request),
      claim: async (request) => there().ledger.claim(request),
      settle: async (request) => there().ledger.settle(request),
      claimableAt: async (service, id) => there().ledger.claimableAt(service, id),
      backlog: async (service) => there().ledger.backlog(service),
    },
    storeId: async () => there().storeId(),
    ping: async () => there().ping(),
    onRestored: (listener) => {
      restored.push(listener);
      current?.onRestored(listener);
    },
    close: async () => {
      closing.abort();
      await retrying;
      await current?.close();
    },
  };
}
