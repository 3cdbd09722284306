import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Episode, keyOf, readState } from '../../alerts/state.ts';
import { openRedisStore } from '../../server/store/redis/redis-store.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { type RunningRedis, startRedis } from '../support/redis.ts';

const TOKEN = 'alert-stage-token-alert-stage';

/** A daemon in a process of its own, which comes back on the same port with the same configuration. */
export interface StagedDaemon {
  readonly port: number;
  /** The bearer token of its webhooks, by which a receiver tells the daemons apart. */
  readonly signature: string;
  running: RunningProgram;
  start(): void;
}

/** Several daemons on one Redis, with the same receivers. */
export interface AlertStage {
  readonly redis: RunningRedis;
  readonly daemons: readonly StagedDaemon[];
  /** What the ledger remembers of a service: the last episode of each step. */
  episodes(service: string): Promise<readonly Episode[]>;
  /** Entries in the outboxes of these services. */
  waiting(services: readonly string[]): Promise<number>;
  end(): Promise<void>;
}

export interface StageOptions {
  readonly daemons: number;
  /** The `alerting` section; `signature` is the daemon's own. */
  alerting(signature: string): object;
}

export async function openAlertStage({ daemons: count, alerting }: StageOptions): Promise<AlertStage> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-alerts-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const end = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const redis = await startRedis({ aof: true });
    undo.push(() => redis.stop());
    const daemons: StagedDaemon[] = [];
    undo.push(() => Promise.all(daemons.map(({ running }) => running.kill('SIGKILL'))));
    for (let i = 0; i < count; i += 1) {
      const port = await freePort();
      const signature = `daemon-${i}`;
      const file = `roomwatch-${i}.yaml`;
      const config = {
        listen: { port },
        store: { url: redis.url },
        tokens: [{ name: 'edge', token: TOKEN, role: 'agent' }],
        alerting: alerting(signature),
      };
      await writeFile(join(folder, file), JSON.stringify(config));
      const launch = () => startProgram('daemon', ['serve', '--config', file], { cwd: folder });
      const daemon: StagedDaemon = {
        port,
        signature,
        running: launch(),
        start() {
          daemon.running = launch();
        },
      };
      daemons.push(daemon);
    }
    const store = await openRedisStore({ url: redis.url });
    undo.push(() => store.close());
    return {
      redis,
      daemons,
      async episodes(service) {
        const state = readState((await store.ledger.load(service)).state);
        if (state === 'unreadable') throw new Error(`the state of ${service} cannot be read`);
        return state.episodes;
      },
      async waiting(services) {
        const backlogs = await Promise.all(services.map((service) => store.ledger.backlog(service)));
        return backlogs.reduce((sum, { depth }) => sum + depth, 0);
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** An episode that somebody was told of. */
export interface Told {
  readonly key: string;
  readonly service: string;
  readonly step: string;
  readonly firedAtMs: number;
}

export function toldOf(service: string, episode: Episode): Told {
  const firedAtMs = episode.firedAtMs ?? 0;
  return { key: keyOf(service, episode), service, step: episode.step, firedAtMs };
}

/** Shares of failures that are safely above and below the one per cent at which entry is failing here. */
const FAILING = 0.02;
const WORKING = 0.006;
/** Longer than a store is ever away here. */
const SEND_WITHIN_MS = 120_000;
const RECENT_MINUTES = 5;

/**
 * Reports one service's entries to whichever daemon answers, each batch until one has taken it, so that what the
 * books hold is known here: enough failures to fail, or enough successes to work again.
 */
export class Reporter {
  readonly service: string;
  readonly #daemons: readonly StagedDaemon[];
  readonly #pick: (daemons: readonly StagedDaemon[]) => StagedDaemon;
  readonly #producerId = randomUUID();
  readonly #counted = new Map<number, { attempts: number; failures: number }>();
  #seq = 0;

  constructor(
    service: string,
    daemons: readonly StagedDaemon[],
    pick: (daemons: readonly StagedDaemon[]) => StagedDaemon,
  ) {
    this.service = service;
    this.#daemons = daemons;
    this.#pick = pick;
  }

  /** Sees to it that entries fail, or work again, in the window in progress and in the trailing five minutes. */
  async bring(state: 'failing' | 'working', signal: AbortSignal): Promise<void> {
    const minute = Math.floor(Date.now() / 60_000);
    const trailing = this.#since(minute - RECENT_MINUTES + 1);
    const open = this.#since(minute - (minute % RECENT_MINUTES));
    let failed = 0;
    let entered = 0;
    if (state === 'failing') {
      const missing = Math.ceil((trailing.attempts * FAILING - trailing.failures) / (1 - FAILING));
      failed = Math.max(0, missing, 20 - trailing.failures);
    } else {
      const enough = Math.max(trailing.failures, open.failures) / WORKING;
      entered = Math.max(0, Math.ceil(enough - trailing.attempts), Math.ceil(enough - open.attempts));
    }
    const { service } = this;
    const cells = [
      ...(failed > 0 ? [failedCell({ service, minute, n: failed })] : []),
      ...(entered > 0 ? [cell({ service, minute, n: entered })] : []),
    ];
    await this.#send({ minute, cells }, signal);
    const before = this.#counted.get(minute) ?? { attempts: 0, failures: 0 };
    this.#counted.set(minute, {
      attempts: before.attempts + failed + entered,
      failures: before.failures + failed,
    });
  }

  #since(fromMinute: number): { attempts: number; failures: number } {
    const sum = { attempts: 0, failures: 0 };
    for (const [minute, counted] of this.#counted) {
      if (minute < fromMinute) continue;
      sum.attempts += counted.attempts;
      sum.failures += counted.failures;
    }
    return sum;
  }

  async #send(
    parts: { readonly minute: number; readonly cells: ReturnType<typeof cell>[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { service } = this;
    this.#seq += 1;
    const seq = this.#seq;
    const deadlineMs = Date.now() + SEND_WITHIN_MS;
    while (!signal.aborted) {
      let agent: RawAgent | undefined;
      try {
        const hello = { producerId: this.#producerId, services: [service], lastSealed: seq };
        const greeted = await RawAgent.greet(this.#pick(this.#daemons).port, hello, TOKEN);
        agent = greeted.agent;
        if (greeted.welcome.applied >= seq) return;
        agent.send(agent.batch(seq, { ...parts, alive: [service] }));
        await agent.acknowledged(seq);
        return;
      } catch (error) {
        // That daemon is being killed, or its store is away: another one, or the same a little later.
        if (Date.now() > deadlineMs)
          throw new Error(`no daemon took a batch of ${service}`, { cause: error });
        await sleep(50);
      } finally {
        await agent?.end();
      }
    }
  }
}
