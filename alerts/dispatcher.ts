import { type DeliveryObserver, GIVE_UP_AFTER_MS, Lane, type LaneDeps } from './lane.ts';
import type { Ledger, OutboxEntry, Settlement } from './ledger.ts';
import type { Log } from './log.ts';
import { type Job, leased, siblingId, toEntry, toFallback, toJob } from './outbox.ts';
import type { Announcement } from './policy.ts';
import type { MessageReceiver } from './receiver.ts';
import { type PolicyState, readState } from './state.ts';

export interface DispatcherOptions {
  readonly ledger: Ledger;
  readonly receivers: readonly MessageReceiver[];
  /** Every service that may have something in its outbox. */
  readonly services: () => Promise<readonly string[]>;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly observer: DeliveryObserver;
  readonly groupWaitMs: number;
  readonly sendTimeoutMs: number;
  readonly leaseMs: number;
  /** How often every outbox is looked into, for what other daemons left behind and for what is due again. */
  readonly sweepMs: number;
}

export interface Dispatcher {
  start(): void;
  /** Takes what is due in the services named, or in all, and gives it to the receivers' lanes. */
  pump(services?: readonly string[]): Promise<void>;
  /** Sends past the store, for when it does not answer; kept in memory alone until sent. */
  sendDirectly(announcements: readonly Announcement[]): void;
  /** Resolves when every lane has sent or given back what it held. */
  idle(): Promise<void>;
  /** Takes nothing new and waits for what is being sent; what is left comes back when its lease runs out. */
  stop(): Promise<void>;
}

/** Entries taken from one service's outbox at once. */
const CLAIM_LIMIT = 100;
/** An entry for a receiver that this daemon does not know, or of a version that it cannot read; another one may. */
const UNKNOWN_AGAIN_MS = 60_000;
const COMMIT_ATTEMPTS = 10;
/** Between two looks at the other end of an episode that somebody else holds. */
const TOGETHER_MIN_MS = 200;
/** Entries carried in memory because the store did not take them back; one more comes back with its lease. */
const KEPT_MAX = 1_000;
/** Entries remembered as said though the store was not told, so that they are not said again. */
const SAID_MAX = 1_000;

/** Takes entries out of the outboxes under a lease and carries each to its receiver's lane. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { ledger, receivers, nowMs, log, observer, leaseMs } = options;
  let isStopped = false;
  let sweeper: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | null = null;
  const alarms = new Set<NodeJS.Timeout>();
  let kept = 0;
  /** Entries that the lanes hold under a lease. */
  const inHand = new Set<string>();
  const said = new Set<string>();

  const deps: LaneDeps = {
    ...options,
    states: (services) => readStates(ledger, services, log),
    async done(job) {
      const isSettled = await recorded(job, () => settle(job, { status: 'done' }));
      inHand.delete(nameOf(job.entry));
      if (!isSettled || job.lease === null) remember(job.entry);
    },
    async retryAt(job, dueAtMs) {
      if (job.lease === null) return after(dueAtMs - nowMs(), () => carry(job));
      const isSettled = await recorded(job, () => settle(job, { status: 'retry', dueAtMs }));
      inHand.delete(nameOf(job.entry));
      if (isSettled) wakeAt(job.entry.service, dueAtMs);
      else keep(job, dueAtMs);
    },
    async outdated(job) {
      // Its resolve will say both, so it must not find that there is nothing to say it with.
      const untilMs = job.alert.kind === 'firing' ? await apartUntil(job, 'resolved') : null;
      if (untilMs === null) await deps.done(job);
      else await deps.retryAt(job, untilMs);
    },
    async refuse(job, receiver) {
      inHand.delete(nameOf(job.entry));
      if (await recorded(job, () => handOn(job, receiver))) {
        await recorded(job, () => settle(job, { status: 'done' }));
        return;
      }
      // The copies go past the store. The entry comes back with its lease and is refused again; by their ids the
      // copies are then not said again.
      await handOn({ ...job, lease: null }, receiver);
    },
  };
  const lanes = new Map(receivers.map((receiver) => [receiver.name, new Lane(receiver, deps)] as const));

  /** The lane goes on whatever the store says: what else it holds must not be lost with this one. */
  async function recorded(job: Job, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      log.warn({ key: job.entry.id, error: String(error) }, 'could not settle; it comes back with its lease');
      return false;
    }
  }

  /**
   * Without the store nobody else can take the entry, and its lease may end long before the store is back. So it
   * stays in hand: when it is due the store is asked once more, and if it still does not answer the message goes
   * out all the same, under a lease that holds as long as this process.
   */
  function keep(job: Job, dueAtMs: number): void {
    const { lease } = job;
    if (lease === null || kept >= KEPT_MAX) return;
    kept += 1;
    after(dueAtMs - nowMs(), async () => {
      kept -= 1;
      try {
        await settle(job, { status: 'retry', dueAtMs: nowMs() });
        void pump([job.entry.service]);
      } catch {
        carry({ ...job, lease: { ...lease, untilMs: Number.POSITIVE_INFINITY } });
      }
    });
  }

  /**
   * The firing and the resolve of an episode go out together while the firing has not arrived: apart, they could
   * overtake each other, or a resolve could speak of what its receiver never heard.
   * @returns when to look again, because the other end is still in the outbox and not in hand; null otherwise
   */
  async function apartUntil(
    job: Job,
    other: 'firing' | 'resolved',
    beside: ReadonlySet<string> = inHand,
  ): Promise<number | null> {
    if (job.lease === null) return null;
    const { service } = job.entry;
    const id = siblingId(job, other);
    const name = nameOf({ service, id });
    if (inHand.has(name) || beside.has(name)) return null;
    try {
      const atMs = await ledger.claimableAt(service, id);
      if (atMs === null) return null;
      const now = nowMs();
      return Math.min(Math.max(atMs, now + TOGETHER_MIN_MS), now + options.sweepMs);
    } catch {
      return null;
    }
  }

  function remember(entry: OutboxEntry): void {
    said.add(nameOf(entry));
    for (const oldest of said) {
      if (said.size <= SAID_MAX) break;
      said.delete(oldest);
    }
  }

  async function settle(job: Job, settlement: Settlement): Promise<void> {
    if (job.lease === null) return;
    const { service, id } = job.entry;
    const isOurs = await ledger.settle({ service, id, token: job.lease.token, settlement });
    if (!isOurs) log.warn({ key: id }, 'the lease had run out: another daemon may have sent the same');
  }

  /** Queues a copy for each fallback beside an unchanged state. A copy that is refused too goes no further. */
  async function handOn(job: Job, receiver: MessageReceiver): Promise<void> {
    const { service, id } = job.entry;
    if (receiver.fallbacks.length === 0 || job.insteadOf !== null) {
      log.error({ receiver: receiver.name, key: id }, 'a refused message has nobody else to go to');
      return;
    }
    const entries = receiver.fallbacks.map((name) => toFallback(job, name));
    if (job.lease === null) {
      for (const entry of entries) carry({ ...job, entry, insteadOf: receiver.name });
      return;
    }
    for (let attempt = 0; attempt < COMMIT_ATTEMPTS; attempt += 1) {
      const { version, state } = await ledger.load(service);
      if (await ledger.commit({ service, expectedVersion: version, state, entries })) {
        return wakeAt(service, nowMs());
      }
    }
    throw new Error(`OUTBOX_CONTENDED: ${service} changed ${COMMIT_ATTEMPTS} times while a copy was queued`);
  }

  /** Beyond the sweep the sweep finds it; nearer, it would be late. */
  function wakeAt(service: string, dueAtMs: number): void {
    const inMs = dueAtMs - nowMs();
    if (inMs <= options.sweepMs) after(inMs, () => void pump([service]));
  }

  function after(ms: number, act: () => unknown): void {
    if (isStopped) return;
    const alarm = setTimeout(
      () => {
        alarms.delete(alarm);
        act();
      },
      Math.max(0, ms),
    );
    alarms.add(alarm);
  }

  async function pump(services?: readonly string[]): Promise<void> {
    if (isStopped) return;
    try {
      for (const service of services ?? (await options.services())) await take(service);
    } catch (error) {
      // Nothing is lost: entries stay where they are, and the next sweep asks again.
      log.warn({ error: String(error) }, 'the outbox could not be read');
    }
  }

  /** One at a time: on a slow store sweeps must not pile up. */
  function sweep(): void {
    sweeping ??= pump().finally(() => {
      sweeping = null;
    });
  }

  async function take(service: string): Promise<void> {
    const now = nowMs();
    const claimed = await ledger.claim({ service, nowMs: now, leaseMs, limit: CLAIM_LIMIT });
    const beside = new Set(claimed.map(({ entry }) => nameOf(entry)));
    for (const one of claimed) {
      if (said.has(nameOf(one.entry))) {
        const { entry, token } = one;
        await ledger.settle({ service, id: entry.id, token, settlement: { status: 'done' } });
        continue;
      }
      const job = leased(one, now + leaseMs);
      const isResolve = job?.alert.kind === 'resolved' && lanes.has(job.entry.receiver);
      const untilMs = isResolve ? await apartUntil(job, 'firing', beside) : null;
      if (job && untilMs !== null) {
        await deps.retryAt(job, untilMs);
        continue;
      }
      if (job && carry(job)) continue;
      const { entry, token } = one;
      const reason = job ? 'unknown-receiver' : 'unreadable';
      observer.failed(entry.receiver, reason);
      log.warn({ key: entry.id, receiver: entry.receiver, reason }, 'an entry cannot be sent from here');
      const isHopeless = now - entry.createdAtMs > GIVE_UP_AFTER_MS;
      if (isHopeless) log.error({ key: entry.id }, 'nobody could send a message for a week; it is given up');
      const settlement: Settlement = isHopeless
        ? { status: 'done' }
        : { status: 'retry', dueAtMs: now + UNKNOWN_AGAIN_MS };
      await ledger.settle({ service, id: entry.id, token, settlement });
    }
    // A full hand: there may be more, and more may be for other receivers.
    if (claimed.length === CLAIM_LIMIT) await take(service);
  }

  function carry(job: Job): boolean {
    const lane = lanes.get(job.entry.receiver);
    if (lane && job.lease) inHand.add(nameOf(job.entry));
    lane?.add(job);
    return lane !== undefined;
  }

  return {
    start() {
      // At once: what a daemon left behind that died here is late already.
      sweep();
      sweeper ??= setInterval(sweep, options.sweepMs);
    },
    pump,
    sendDirectly(announcements) {
      for (const announcement of announcements) {
        const job = toJob(toEntry(announcement), null);
        if (job) carry(job);
      }
    },
    async idle() {
      for (const lane of lanes.values()) await lane.idle();
    },
    async stop() {
      isStopped = true;
      clearInterval(sweeper);
      for (const alarm of alarms) clearTimeout(alarm);
      await sweeping;
      for (const lane of lanes.values()) await lane.idle();
      for (const receiver of receivers) receiver.notifier.close();
    },
  };
}

function nameOf({ service, id }: Pick<OutboxEntry, 'service' | 'id'>): string {
  return `${service} ${id}`;
}

async function readStates(
  ledger: Ledger,
  services: readonly string[],
  log: Log,
): Promise<ReadonlyMap<string, PolicyState>> {
  const states = new Map<string, PolicyState>();
  for (const service of services) {
    try {
      const state = readState((await ledger.load(service)).state);
      if (state !== 'unreadable') states.set(service, state);
    } catch (error) {
      // Without the state the message is taken for true: saying it twice is better than not at all.
      log.warn({ service, error: String(error) }, 'could not ask whether an alert still fires');
    }
  }
  return states;
}
