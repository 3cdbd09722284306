import { isDeepStrictEqual } from 'node:util';
import type { Alert, Severity, Step, Where } from './alert.ts';
import { createDesk, type Desk } from './desk.ts';
import { createDispatcher } from './dispatcher.ts';
import type { Circumstances, PolicyInput } from './input.ts';
import type { DeliveryObserver } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import { ledgerMemory, rehearsedMemory } from './memory.ts';
import { Mirroring } from './mirroring.ts';
import { toEntry } from './outbox.ts';
import { PastStore } from './past-store.ts';
import type { EventJournal } from './people.ts';
import { type Decided, decide } from './policy.ts';
import type { MessageReceiver, MirrorReceiver, Receiver } from './receiver.ts';
import type { AlertSettings } from './settings.ts';
import { type Standing, standingsOf } from './standing.ts';
import { type TestResult, testNotify } from './test-notify.ts';
import type { Timing } from './timing.ts';

export interface AlertingOptions {
  readonly ledger: Ledger;
  /** Where silences and acknowledgements are kept; the store's journal. */
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
  readonly timing: Timing;
}

/** Times a decision is made anew because another daemon decided first; each time the state is read again. */
const DECIDE_ATTEMPTS = 10;

export interface AlertingStatus {
  readonly firing: readonly { readonly service: string; readonly step: Step; readonly severity: Severity }[];
  /** null when the store did not answer. */
  readonly outbox: { readonly depth: number; readonly oldestAgeMs: number } | null;
}

export interface Alerting {
  start(): void;
  /** Takes nothing new and waits for what is being sent. */
  stop(): Promise<void>;
  /**
   * Decides what must be said about a service and queues it. Call it after every reading and every tick.
   * @param where looked up only when there is something to say
   * @throws what the store throws; call again at the next tick. What had been decided is then not lost: after
   *   `directAfterMs` it is sent past the store, and a later repetition is left out
   */
  consider(
    service: string,
    circumstances: Circumstances,
    where?: () => Promise<Where | null>,
  ): Promise<Decided>;
  /** No reading could be made at all; after `settings.blind.silentMs` of that everybody is told. */
  evaluationFailed(): void;
  /** Every episode that waits, fires or ended lately, as last considered. */
  standings(): readonly Standing[];
  /** Silences and acknowledgements. */
  readonly desk: Desk;
  status(): Promise<AlertingStatus>;
  testNotify(receiver?: string): Promise<TestResult[]>;
  /** Takes what is due now; the sweep does so by itself. */
  pump(): Promise<void>;
  /** Resolves when nothing is being sent. */
  idle(): Promise<void>;
}

export function createAlerting(options: AlertingOptions): Alerting {
  const { log, nowMs, random, observer, receivers, dryRun, settings, timing } = options;
  const routes = receivers.map((receiver) => receiver.route);
  const byMessage = receivers.filter((one): one is MessageReceiver => one.kind === 'message');
  const byMirror = receivers.filter((one): one is MirrorReceiver => one.kind === 'mirror');
  const messaged = new Set(byMessage.map(({ name }) => name));
  const desk = createDesk(options.journal, nowMs);
  const dispatcher = createDispatcher({ ...options, ...timing, receivers: byMessage });
  const standing = new Map<string, readonly Standing[]>();
  const memory = dryRun ? rehearsedMemory() : ledgerMemory(options.ledger, nowMs, log);
  const pastStore = new PastStore({
    receivers: byMessage,
    nowMs,
    log,
    dryRun,
    directAfterMs: timing.directAfterMs,
    lossAfterMs: settings.blind.silentMs,
    send: dispatcher.sendDirectly,
  });

  const mirrorings = byMirror.flatMap(({ name, replicas }) =>
    replicas.map(
      (replica) =>
        new Mirroring({
          ...timing,
          receiver: name,
          replica,
          nowMs,
          random,
          log,
          observer,
          alerts: () => shown(name),
        }),
    ),
  );

  function shown(receiver: string): Alert[] {
    return [...standing.values()].flat().flatMap(({ alert, told }) => (told.includes(receiver) ? alert : []));
  }

  /** @returns false when another daemon decided first */
  async function commit(service: string, version: number, decided: Decided): Promise<boolean> {
    const queued = decided.announcements.filter(
      ({ id, receiver }) => messaged.has(receiver) && !pastStore.wasSent(id),
    );
    try {
      const entries = queued.map(toEntry);
      const isOurs = await memory.save(service, { version, state: decided.state, entries });
      if (isOurs && entries.length > 0 && !dryRun) void dispatcher.pump([service]);
      return isOurs;
    } catch (error) {
      pastStore.hold(queued);
      throw error;
    }
  }

  /** Where it fails is good to know and no reason to be late. */
  async function locate(service: string, where: () => Promise<Where | null>): Promise<Where | null> {
    try {
      return await where();
    } catch (error) {
      log.warn({ service, error: String(error) }, 'could not ask where entries fail');
      return null;
    }
  }

  async function consider(
    service: string,
    circumstances: Circumstances,
    where: () => Promise<Where | null> = async () => null,
  ): Promise<Decided> {
    const { silences, acknowledgements } = await desk.inForce();
    for (let attempt = 0; attempt < DECIDE_ATTEMPTS; attempt += 1) {
      const { version, state } = await memory.load(service);
      const input: PolicyInput = {
        ...circumstances,
        service,
        nowMs: nowMs(),
        settings,
        routes,
        silences,
        acknowledgements,
        where: null,
      };
      const first = decide(state, input);
      const isSaying = first.announcements.length > 0;
      const located = isSaying ? { ...input, where: await locate(service, where) } : input;
      const decided = isSaying ? decide(state, located) : first;
      const isUnchanged = !isSaying && isDeepStrictEqual(decided.state, state);
      if (!isUnchanged && !(await commit(service, version, decided))) continue;
      if (isSaying) report(decided);
      show(service, decided, located);
      pastStore.evaluated(service);
      return decided;
    }
    throw new Error(`ALERTS_CONTENDED: the state of ${service} changed ${DECIDE_ATTEMPTS} times; try again`);
  }

  function report({ announcements, decisions }: Decided): void {
    for (const { alert, receiver } of announcements) {
      const why = decisions.find(
        (one) => one.step === alert.step && one.month === alert.month && one.line === alert.line,
      )?.why;
      log.info({ key: alert.key, kind: alert.kind, receiver, why, dryRun }, 'an alert is said');
    }
  }

  function show(service: string, decided: Decided, input: PolicyInput): void {
    // After a start what fires is shown at once, or an Alertmanager would end it meanwhile.
    const isFirst = !standing.has(service);
    standing.set(service, standingsOf(decided.state, input));
    const isNew = decided.announcements.some(({ receiver }) => !messaged.has(receiver));
    if ((isNew || isFirst) && !dryRun) for (const mirroring of mirrorings) mirroring.poke();
  }

  return {
    start() {
      if (dryRun) return;
      dispatcher.start();
      for (const mirroring of mirrorings) mirroring.start();
    },
    async stop() {
      pastStore.flush();
      for (const mirroring of mirrorings) await mirroring.stop();
      await dispatcher.stop();
    },
    consider,
    evaluationFailed: () => pastStore.failed(),
    standings: () => [...standing.values()].flat(),
    desk,
    async status() {
      const firing = [...standing.values()]
        .flat()
        .filter(({ state }) => state === 'firing')
        .map(({ alert: { service, step, severity } }) => ({ service, step, severity }));
      return { firing, outbox: await backlogOf(options) };
    },
    testNotify: (receiver) =>
      testNotify(receivers, {
        nowMs: nowMs(),
        timeoutMs: timing.sendTimeoutMs,
        ...(receiver === undefined ? {} : { receiver }),
      }),
    pump: () => dispatcher.pump(),
    async idle() {
      await dispatcher.idle();
      for (const mirroring of mirrorings) await mirroring.idle();
    },
  };
}

async function backlogOf({
  ledger,
  services,
  nowMs,
  log,
}: AlertingOptions): Promise<AlertingStatus['outbox']> {
  try {
    const backlogs = await Promise.all((await services()).map((service) => ledger.backlog(service)));
    const oldest = backlogs.flatMap(({ oldestCreatedAtMs }) => oldestCreatedAtMs ?? []);
    return {
      depth: backlogs.reduce((sum, { depth }) => sum + depth, 0),
      oldestAgeMs: oldest.length === 0 ? 0 : Math.max(0, nowMs() - Math.min(...oldest)),
    };
  } catch (error) {
    log.warn({ error: String(error) }, 'the outbox could not be asked for its backlog');
    return null;
  }
}
