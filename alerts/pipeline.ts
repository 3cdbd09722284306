import { isDeepStrictEqual } from 'node:util';
import { type Alert, entryId, type Severity, type Step, severityAtLeast, type Where } from './alert.ts';
import { createDesk, type Desk } from './desk.ts';
import { createDispatcher } from './dispatcher.ts';
import type { Circumstances, PolicyInput } from './input.ts';
import type { DeliveryObserver } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import { Mirroring } from './mirroring.ts';
import { toEntry } from './outbox.ts';
import type { EventJournal } from './people.ts';
import { type Announcement, type Decided, decide } from './policy.ts';
import type { MessageReceiver, MirrorReceiver, Receiver } from './receiver.ts';
import type { AlertSettings } from './settings.ts';
import { type Standing, standingsOf } from './standing.ts';
import { EMPTY_STATE, type PolicyState, readState } from './state.ts';
import { StoreLoss } from './store-loss.ts';
import { type TestResult, testNotify } from './test-notify.ts';

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
  readonly timing?: Partial<Timing>;
}

export interface Timing {
  /** How long a message waits for company, so that many services at once are one message. */
  readonly groupWaitMs: number;
  readonly sendTimeoutMs: number;
  /** How long an entry belongs to the daemon that took it; a daemon that dies delays it by as much. */
  readonly leaseMs: number;
  readonly sweepMs: number;
  /** Between two showings to an Alertmanager. */
  readonly resendMs: number;
  /** How long a decision that the store does not take waits before it is sent all the same. */
  readonly directAfterMs: number;
}

export const DEFAULT_TIMING: Timing = {
  groupWaitMs: 3_000,
  sendTimeoutMs: 20_000,
  leaseMs: 60_000,
  sweepMs: 5_000,
  resendMs: 60_000,
  directAfterMs: 15_000,
};

/** Times a decision is made anew because another daemon decided first; each time the state is read again. */
const DECIDE_ATTEMPTS = 10;
/** Ids sent past the store that are remembered, so that they are not sent again through it. */
const DIRECT_IDS_MAX = 1_000;

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
  const { ledger, log, nowMs, random, observer, receivers, dryRun, settings } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const routes = receivers.map((receiver) => receiver.route);
  const byMessage = receivers.filter((one): one is MessageReceiver => one.kind === 'message');
  const byMirror = receivers.filter((one): one is MirrorReceiver => one.kind === 'mirror');
  const messaged = new Set(byMessage.map(({ name }) => name));
  const desk = createDesk(options.journal, nowMs);
  const dispatcher = createDispatcher({ ...options, ...timing, receivers: byMessage });
  const standing = new Map<string, readonly Standing[]>();
  const rehearsed = new Map<string, PolicyState>();
  const unstored = new Map<string, Announcement>();
  const sentDirectly = new Set<string>();
  const loss = new StoreLoss(settings.blind.silentMs);
  let directTimer: NodeJS.Timeout | undefined;

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

  async function load(service: string): Promise<{ version: number; state: PolicyState }> {
    if (dryRun) return { version: 0, state: rehearsed.get(service) ?? EMPTY_STATE };
    const { version, state: stored } = await ledger.load(service);
    const state = readState(stored);
    if (state !== 'unreadable') return { version, state };
    // Starting over repeats what still fires; refusing to decide would say nothing at all.
    log.error({ service }, 'the alert state was written by another version; starting over');
    return { version, state: { ...EMPTY_STATE, firstEpisode: Math.floor(nowMs() / 1_000) } };
  }

  /** @returns false when another daemon decided first */
  async function commit(service: string, version: number, decided: Decided): Promise<boolean> {
    if (dryRun) {
      rehearsed.set(service, decided.state);
      return true;
    }
    const queued = decided.announcements.filter(
      ({ id, receiver }) => messaged.has(receiver) && !sentDirectly.has(id),
    );
    const entries = queued.map(toEntry);
    try {
      const isOurs = await ledger.commit({
        service,
        expectedVersion: version,
        state: decided.state,
        entries,
      });
      if (isOurs && entries.length > 0) void dispatcher.pump([service]);
      return isOurs;
    } catch (error) {
      for (const announcement of queued) unstored.set(announcement.id, announcement);
      if (unstored.size > 0) directTimer ??= setTimeout(sendUnstored, timing.directAfterMs);
      throw error;
    }
  }

  function sendUnstored(): void {
    directTimer = undefined;
    if (unstored.size === 0) return;
    log.error({ count: unstored.size }, 'the store does not take what was decided; sending past it');
    dispatcher.sendDirectly([...unstored.values()]);
    for (const id of unstored.keys()) sentDirectly.add(id);
    unstored.clear();
    for (const id of sentDirectly) {
      if (sentDirectly.size <= DIRECT_IDS_MAX) break;
      sentDirectly.delete(id);
    }
  }

  async function consider(
    service: string,
    circumstances: Circumstances,
    where: () => Promise<Where | null> = async () => null,
  ): Promise<Decided> {
    const { silences, acknowledgements } = await desk.inForce();
    for (let attempt = 0; attempt < DECIDE_ATTEMPTS; attempt += 1) {
      const { version, state } = await load(service);
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
      const located = isSaying ? { ...input, where: await where() } : input;
      const decided = isSaying ? decide(state, located) : first;
      const isUnchanged = !isSaying && isDeepStrictEqual(decided.state, state);
      if (!isUnchanged && !(await commit(service, version, decided))) continue;
      // Whatever was held back of this service is in the store by now, or was decided anew.
      for (const { id, alert } of unstored.values()) if (alert.service === service) unstored.delete(id);
      if (isSaying) report(decided);
      show(service, decided, located);
      announceLoss(loss.succeeded(nowMs()));
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
    standing.set(service, standingsOf(decided.state, input));
    const isNew = decided.announcements.some(({ receiver }) => !messaged.has(receiver));
    if (isNew && !dryRun) for (const mirroring of mirrorings) mirroring.poke();
  }

  /** Past the store, which is the thing that is missing; everybody who wants grave alerts hears it. */
  function announceLoss(alert: Alert | null): void {
    if (alert === null) return;
    log.error({ key: alert.key, kind: alert.kind, dryRun }, 'the store does not answer, or does again');
    if (dryRun) return;
    const heard = byMessage.filter(({ route }) => severityAtLeast(alert.severity, route.minSeverity));
    dispatcher.sendDirectly(heard.map(({ name }) => ({ id: entryId(alert, name), receiver: name, alert })));
  }

  return {
    start() {
      if (dryRun) return;
      dispatcher.start();
      for (const mirroring of mirrorings) mirroring.start();
    },
    async stop() {
      clearTimeout(directTimer);
      sendUnstored();
      for (const mirroring of mirrorings) await mirroring.stop();
      await dispatcher.stop();
    },
    consider,
    evaluationFailed: () => announceLoss(loss.failed(nowMs())),
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
