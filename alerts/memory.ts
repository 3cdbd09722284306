import type { Ledger, OutboxEntry } from './ledger.ts';
import type { Log } from './log.ts';
import { EMPTY_STATE, type PolicyState, readState } from './state.ts';

/** Where the policy's state is kept between two decisions. */
export interface Memory {
  load(service: string): Promise<{ readonly version: number; readonly state: PolicyState }>;
  /** @returns false when another daemon decided since `version` was loaded */
  save(
    service: string,
    decided: {
      readonly version: number;
      readonly state: PolicyState;
      readonly entries: readonly OutboxEntry[];
    },
  ): Promise<boolean>;
}

/** In the ledger, together with the messages. */
export function ledgerMemory(ledger: Ledger, nowMs: () => number, log: Log): Memory {
  return {
    async load(service) {
      const { version, state: stored } = await ledger.load(service);
      const state = readState(stored);
      if (state !== 'unreadable') return { version, state };
      // Starting over repeats what still fires; refusing to decide would say nothing at all.
      log.error({ service }, 'the alert state was written by another version; starting over');
      return { version, state: { ...EMPTY_STATE, firstEpisode: Math.floor(nowMs() / 1_000) } };
    },
    save: (service, { version, state, entries }) =>
      ledger.commit({ service, expectedVersion: version, state, entries }),
  };
}

/** Of a dry run: in this process alone, and without messages. */
export function rehearsedMemory(): Memory {
  const states = new Map<string, PolicyState>();
  return {
    load: async (service) => ({ version: 0, state: states.get(service) ?? EMPTY_STATE }),
    async save(service, { state }) {
      states.set(service, state);
      return true;
    },
  };
}
