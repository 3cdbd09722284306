import { isDeepStrictEqual } from 'node:util';
import type { Where } from './alert.ts';
import { createDispatcher } from './dispatcher.ts';
import type { Circumstances } from './input.ts';
import type { DeliveryObserver } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import { toEntry } from './outbox.ts';
import { acknowledgementsFrom, type EventJournal, silencesFrom, TOPICS } from './people.ts';
import { type Decided, decide } from './policy.ts';
import type { Receiver } from './receiver.ts';
import type { AlertSettings } from './settings.ts';
import { EMPTY_STATE, type PolicyState, readState } from './state.ts';

export interface AlertingOptions {
  readonly ledger: Ledger;
  readonly journal: EventJournal;
  /** Every service that the daemon watches. */
  readonly services: () => Promise<readonly string[]>;
  readonly settings: AlertSettings;
  readonly receivers: readonly Receiver[];
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly observer: DeliveryObserver;
  /** Decides and logs; tells nobody and remembers nothing beyond this process. */
  readonly dryRun: boolean;
  readonly timing?: Partial<Timing>;
}

export interface Timing {
  /** How long a message waits for company, so that many services at once are one message. */
  readonly groupWaitMs: number;
  readonly sendTimeoutMs: number;
  /** How long an entry belongs to the daemon that took it; a daemon that dies delays it by as much. */
  readonly leaseMs: number;
  readonly sweepMs: number;
}

const TIMING: Timing = { groupWaitMs: 3_000, sendTimeoutMs: 20_000, leaseMs: 60_000, sweepMs: 5_000 };
/** Times a decision is made anew because another daemon decided first; each time the state is read again. */
const DECIDE_ATTEMPTS = 10;

export interface Alerting {
  start(): void;
  stop(): Promise<void>;
  /**
   * Decides what must be said about a service and queues it. Call it after every reading and every tick.
   * @param where looked up only when there is something to say
   * @throws what the store throws; call again at the next tick, which is harmless
   */
  consider(
    service: string,
    circumstances: Circumstances,
    where?: () => Promise<Where | null>,
  ): Promise<Decided>;
  /** Takes what is due now; the sweep does so by itself. */
  pump(): Promise<void>;
  idle(): Promise<void>;
}

export function createAlerting(options: AlertingOptions): Alerting {
  const { ledger, log, nowMs, receivers, dryRun } = options;
  const routes = receivers.map((receiver) => receiver.route);
  const dispatcher = createDispatcher({
    ...options,
    ...TIMING,
    ...options.timing,
    receivers: new Map(receivers.map((receiver) => [receiver.name, receiver])),
  });
  const rehearsed = new Map<string, PolicyState>();

  async function load(service: string): Promise<{ version: number; state: PolicyState }> {
    if (dryRun) return { version: 0, state: rehearsed.get(service) ?? EMPTY_STATE };
    const { version, state: stored } = await ledger.load(service);
    const state = readState(stored);
    if (state !== 'unreadable') return { version, state };
    // Starting over repeats what still fires; refusing to decide would say nothing at all.
    log.error({ service }, 'the alert state was written by another version; starting over');
    return { version, state: { ...EMPTY_STATE, firstEpisode: Math.floor(nowMs() / 1_000) } };
  }

  async function commit(service: string, version: number, decided: Decided): Promise<boolean> {
    for (const { id, alert } of decided.announcements) {
      log.info({ key: id, kind: alert.kind, service, dryRun }, 'an alert is said');
    }
    if (dryRun) {
      rehearsed.set(service, decided.state);
      return true;
    }
    const entries = decided.announcements.map(toEntry);
    return ledger.commit({ service, expectedVersion: version, state: decided.state, entries });
  }

  async function consider(
    service: string,
    circumstances: Circumstances,
    where: () => Promise<Where | null> = async () => null,
  ): Promise<Decided> {
    const [silences, acknowledgements] = await Promise.all([
      options.journal.read(TOPICS.silences),
      options.journal.read(TOPICS.acknowledgements),
    ]);
    for (let attempt = 0; attempt < DECIDE_ATTEMPTS; attempt += 1) {
      const { version, state } = await load(service);
      const now = nowMs();
      const input = {
        ...circumstances,
        nowMs: now,
        settings: options.settings,
        routes,
        silences: silencesFrom(silences.entries, now),
        acknowledgements: acknowledgementsFrom(acknowledgements.entries),
        where: null,
      };
      const first = decide(state, input);
      const decided =
        first.announcements.length > 0 ? decide(state, { ...input, where: await where() }) : first;
      const isUnchanged = isDeepStrictEqual(decided.state, state);
      if (isUnchanged && decided.announcements.length === 0) return decided;
      if (await commit(service, version, decided)) {
        if (decided.announcements.length > 0 && !dryRun) void dispatcher.pump([service]);
        return decided;
      }
    }
    throw new Error(`ALERTS_CONTENDED: the state of ${service} changed ${DECIDE_ATTEMPTS} times; try again`);
  }

  return {
    start: dispatcher.start,
    stop: dispatcher.stop,
    consider,
    pump: () => dispatcher.pump(),
    idle: dispatcher.idle,
  };
}
