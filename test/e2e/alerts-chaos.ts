import { setTimeout as sleep } from 'node:timers/promises';
import { startHttpPeer } from '../support/http-peer.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';
import { AlertInbox, type End, PAGER, WEBHOOK } from './alert-inbox.ts';
import {
  type AlertStage,
  openAlertStage,
  Reporter,
  type StagedDaemon,
  type Told,
  toldOf,
} from './alert-stage.ts';

/**
 * Alerts under fire: services whose entries fail and work again, daemons that are killed with `kill -9` at random,
 * receivers that fail at random. The oracle is what the ledger decided, read past the daemons: no service goes on
 * before its episode is seen there, so none is missed.
 */
export interface AlertsChaosOptions {
  readonly daemons: number;
  readonly services: number;
  readonly seed: number;
  /** `kill -9` of a daemon chosen at random; 0 = none. */
  readonly kills: number;
  /** Mean time between two of them. */
  readonly killEveryMs: number;
  /** Share of requests that fail at a receiver. */
  readonly failing: number;
  /** Episodes of each service at the least; they go on until the kills are over. */
  readonly episodes: number;
  readonly say?: (text: string) => void;
}

export interface AlertsChaosResult {
  /** Ends of episodes that were decided: twice as many as episodes. */
  readonly decided: number;
  /** Of these and each receiver, those that it never accepted. */
  readonly missing: readonly string[];
  /** Accepted more than once, by receiver. */
  readonly duplicates: Readonly<Record<string, number>>;
  readonly kills: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

/** How long a service waits for what it knows must come: leases, backoffs and restarts add up. */
const PATIENCE_MS = 200_000;
const SEND_TIMEOUT_MS = 2_000;
const GROUP_WAIT_MS = 200;
/** What a daemon that dies in mid-send holds up. */
export const LEASE_MS = GROUP_WAIT_MS + 3 * SEND_TIMEOUT_MS;

export async function runAlertsChaos(options: AlertsChaosOptions): Promise<AlertsChaosResult> {
  const { seed, say = () => {} } = options;
  const startedAtMs = Date.now();
  const random = seededRandom(seed);
  const hook = new AlertInbox(WEBHOOK.namesIn, WEBHOOK.success, seededRandom(seed + 1));
  const pager = new AlertInbox(PAGER.namesIn, PAGER.success, seededRandom(seed + 2));
  const [hookPeer, pagerPeer] = [await startHttpPeer(hook.answer), await startHttpPeer(pager.answer)];
  let stage: AlertStage | undefined;
  const failed = new AbortController();
  try {
    stage = await openAlertStage({
      daemons: options.daemons,
      alerting: (signature) => alertingOf(signature, { hook: hookPeer.url, pager: pagerPeer.url }),
    });
    await readiness(stage.daemons);
    for (const inbox of [hook, pager]) inbox.failing = options.failing;
    const killing = kill({ stage, options, random, hook, signal: failed.signal });
    const life = { stage, killing, options, pager, failed, say };
    const lives = Array.from({ length: options.services }, (_, i) =>
      live(i, { ...life, random: seededRandom(seed * 1_000 + i) }),
    );
    const episodes = (await Promise.all(lives)).flat();
    const names = [...new Set(episodes.map(({ service }) => service))];
    say(`${episodes.length} episodes; ${killing.count} kills; waiting for the outboxes to drain`);
    for (const inbox of [hook, pager]) inbox.failing = 0;
    const { waiting } = stage;
    await waitFor('empty outboxes', async () => (await waiting(names)) === 0, {
      withinMs: PATIENCE_MS,
      everyMs: 200,
    });
    const ends: readonly End[] = ['firing', 'resolved'];
    const missing = episodes.flatMap((told) =>
      ends.flatMap((end) => [
        ...(pager.accepted.has(PAGER.nameOf(told, end)) ? [] : [`pager: ${PAGER.nameOf(told, end)}`]),
        ...(isHeard(hook, WEBHOOK.nameOf(told, end), WEBHOOK.nameOf(told, 'resolved'))
          ? []
          : [`hook: ${WEBHOOK.nameOf(told, end)}`]),
      ]),
    );
    return {
      decided: episodes.length * ends.length,
      missing,
      duplicates: { hook: hook.duplicates, pager: pager.duplicates },
      kills: killing.count,
      faults: added(hook.faults, pager.faults),
      elapsedMs: Date.now() - startedAtMs,
    };
  } finally {
    failed.abort();
    await stage?.end();
    await Promise.all([hookPeer.stop(), pagerPeer.stop()]);
  }
}

/** A webhook's resolve tells the whole episode: with it the firing is told, if it ended before it arrived. */
function isHeard(inbox: AlertInbox, name: string, resolve: string): boolean {
  return inbox.accepted.has(name) || inbox.accepted.has(resolve);
}

export function alertingOf(
  signature: string,
  urls: { readonly hook: string; readonly pager?: string },
): object {
  const common = { steps: ['entry-failing'], messagesPerMinute: 6_000 };
  return {
    groupWaitMs: GROUP_WAIT_MS,
    sendTimeoutMs: SEND_TIMEOUT_MS,
    steps: { 'entry-failing': { clearForMs: 0 } },
    entryFailing: { belowPercent: 99, clearPercent: 99 },
    receivers: [
      { ...common, name: 'hook', type: 'webhook', url: urls.hook, token: signature },
      ...(urls.pager === undefined
        ? []
        : [{ ...common, name: 'pager', type: 'pagerduty', url: urls.pager, routingKey: 'a'.repeat(32) }]),
    ],
  };
}

export async function readiness(daemons: readonly StagedDaemon[]): Promise<void> {
  for (const { port, running } of daemons) {
    await waitFor(
      'a daemon to be ready',
      async () => {
        if (!running.isRunning()) throw new Error(running.log().slice(-2_000));
        return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
      },
      { withinMs: 30_000 },
    );
  }
}

interface KillOptions {
  readonly stage: AlertStage;
  readonly options: AlertsChaosOptions;
  readonly random: Random;
  readonly hook: AlertInbox;
  readonly signal: AbortSignal;
}

interface Killing {
  count: number;
  readonly over: Promise<void>;
  isOver: boolean;
}

/** Half of the kills come at any moment, half while a receiver has the daemon's request in its hands. */
function kill({ stage, options, random, hook, signal }: KillOptions): Killing {
  const { kills, killEveryMs } = options;
  const run = async () => {
    while (killing.count < kills && !signal.aborted) {
      await sleep(random.integer(killEveryMs / 2, killEveryMs * 1.5));
      if (signal.aborted) return;
      const daemon =
        random.next() < 0.5
          ? random.pick(stage.daemons)
          : await senderAt(hook, stage.daemons, 2 * killEveryMs);
      await daemon.running.kill('SIGKILL');
      await sleep(random.integer(0, 300));
      if (signal.aborted) return;
      daemon.start();
      killing.count += 1;
    }
  };
  const killing: Killing = { count: 0, isOver: false, over: Promise.resolve() };
  return Object.assign(killing, {
    over: run().finally(() => {
      killing.isOver = true;
    }),
  });
}

/** The daemon whose request is read next; the first one when none is for a while. */
function senderAt(
  hook: AlertInbox,
  daemons: readonly StagedDaemon[],
  withinMs: number,
): Promise<StagedDaemon> {
  return new Promise((resolve) => {
    const done = (daemon: StagedDaemon) => {
      clearTimeout(timer);
      hook.onRead = () => {};
      resolve(daemon);
    };
    const timer = setTimeout(() => done(daemons[0]!), withinMs);
    hook.onRead = (token) => {
      const daemon = daemons.find(({ signature }) => signature === token);
      if (daemon) done(daemon);
    };
  });
}

function added(...all: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, n] of all.flatMap((one) => [...one])) sums[name] = (sums[name] ?? 0) + n;
  return sums;
}

interface Life {
  readonly stage: AlertStage;
  readonly killing: Killing;
  readonly options: AlertsChaosOptions;
  readonly random: Random;
  readonly pager: AlertInbox;
  readonly failed: AbortController;
  readonly say: (text: string) => void;
}

/** Each turn of a service takes three times the attempts of the last; then another service takes its place. */
const EPISODES_OF_A_SERVICE = 6;

/** Entries fail and work again, until there have been enough episodes and the kills are over. */
async function live(index: number, life: Life): Promise<Told[]> {
  const { stage, killing, options, random, pager, failed, say } = life;
  const told: Told[] = [];
  let reporter = new Reporter(`service-${index}`, stage.daemons, random.pick);
  try {
    while (told.length < options.episodes || !killing.isOver) {
      if (told.length > 0 && told.length % EPISODES_OF_A_SERVICE === 0) {
        reporter = new Reporter(`service-${index}-${told.length}`, stage.daemons, random.pick);
        say(`${told.length} episodes of ${index}, ${killing.count} kills`);
      }
      const { service } = reporter;
      const fired = await brought(reporter, stage, 'failing', failed.signal);
      const one = toldOf(service, fired);
      told.push(one);
      // Some ends come before the beginning has arrived, some after.
      if (random.next() < 0.5) {
        const name = PAGER.nameOf(one, 'firing');
        await waitFor(`${name} at the pager`, () => pager.accepted.has(name), {
          withinMs: PATIENCE_MS,
          everyMs: 100,
        });
      }
      const ended = await brought(reporter, stage, 'working', failed.signal);
      if (ended.episode !== fired.episode) {
        throw new Error(`${service}: episode ${ended.episode} was not seen to begin`);
      }
    }
  } catch (error) {
    failed.abort();
    throw error;
  }
  return told;
}

/** Reports until the ledger has the transition: once a second, as an agent does, for its daemon may have died. */
export async function brought(
  reporter: Reporter,
  stage: Pick<AlertStage, 'episodes'>,
  state: 'failing' | 'working',
  signal: AbortSignal,
) {
  const wanted = state === 'failing' ? 'firing' : 'resolved';
  let reportedAtMs = 0;
  return waitFor(
    `${reporter.service} to be ${wanted}`,
    async () => {
      signal.throwIfAborted();
      if (Date.now() - reportedAtMs >= 1_000) {
        await reporter.bring(state, signal);
        reportedAtMs = Date.now();
      }
      const episodes = await stage.episodes(reporter.service);
      return episodes.find((one) => one.step === 'entry-failing' && one.state === wanted);
    },
    { withinMs: PATIENCE_MS, everyMs: 50 },
  );
}
