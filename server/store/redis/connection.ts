import { Cluster, type Redis } from 'ioredis';
import { StoreFault } from '../errors.ts';
import { StoreUnavailable } from '../store.ts';
import { createClient } from './client.ts';
import { REDIS_DEFAULTS, type RedisStoreOptions } from './options.ts';
import type { Script } from './script.ts';
import { type Argument, ScriptRunner } from './script-runner.ts';
import { describeTarget, parseRedisUrl, type RedisTarget } from './url.ts';

export const CONNECTION_BOUNDS = {
  /** Calls waiting for an answer; one more is refused, so that a stalled server does not fill the memory. */
  callsInFlight: 20_000,
} as const;

/**
 * One logical connection to a server, a Sentinel group or a cluster, which mends itself.
 *
 * - While it is down calls reject at once: ioredis's offline queue is off, because its bound is memory.
 * - ioredis sends unanswered commands again after a reconnect. Every script is written to bear that.
 */
export class RedisConnection {
  readonly target: RedisTarget;
  readonly #client: Redis | Cluster;
  readonly #timeoutMs: number;
  readonly #scripts: ScriptRunner;
  readonly #restored: (() => void)[] = [];
  #inFlight = 0;
  #isDown = false;
  #isClosed = false;
  /** Why the connection was last lost; the calls that meet the loss are told only that it is closed. */
  #lastLoss = '';

  private constructor(target: RedisTarget, client: Redis | Cluster, timeoutMs: number) {
    this.target = target;
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.#scripts = new ScriptRunner(client);
    // Without a listener an 'error' event would end the process. Calls report what they met themselves.
    client.on('error', (error: Error) => {
      this.#lastLoss = error.message;
      this.#goneDown();
    });
    client.on('close', () => this.#goneDown());
    client.on('ready', () => this.#cameBack());
  }

  /** Connects, or rejects with StoreUnavailable. */
  static async open(options: RedisStoreOptions): Promise<RedisConnection> {
    const target = parseRedisUrl(options.url);
    const timeoutMs = options.commandTimeoutMs ?? REDIS_DEFAULTS.commandTimeoutMs;
    const client = createClient(target, options, timeoutMs);
    const connection = new RedisConnection(target, client, timeoutMs);
    try {
      const connectTimeoutMs = options.connectTimeoutMs ?? REDIS_DEFAULTS.connectTimeoutMs;
      await before(connectTimeoutMs, client.connect(), 'did not connect in time');
    } catch (error) {
      connection.close();
      throw connection.#explain(error, "start it, or correct the store's url");
    }
    connection.#isDown = false;
    return connection;
  }

  /** Called whenever the server was lost and answers again. */
  onRestored(listener: () => void): void {
    this.#restored.push(listener);
  }

  /** Runs a script atomically. Strings in the reply are text. */
  async run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.#guard(() => this.#scripts.run(script, keys, args));
  }

  /** Sends one command. Strings in the reply are text. */
  async call(command: string, ...args: Argument[]): Promise<unknown> {
    return this.#guard(() => this.#client.call(command, ...args.map(String)));
  }

  /** As `call`, but strings in the reply are bytes. */
  async callBytes(command: string, ...args: Argument[]): Promise<unknown> {
    return this.#guard(() => this.#client.callBuffer(command, ...args.map(String)));
  }

  /** Sends one command to every server that holds data. */
  async callServers(command: string, ...args: string[]): Promise<unknown[]> {
    const servers = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    return Promise.all(servers.map((server) => this.#guard(() => server.call(command, ...args))));
  }

  close(): void {
    this.#isClosed = true;
    this.#client.disconnect();
  }

  async #guard<T>(send: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StoreUnavailable('the store was closed');
    if (this.#inFlight >= CONNECTION_BOUNDS.callsInFlight)
      throw new StoreUnavailable(
        `${this.#name()} has ${this.#inFlight} calls unanswered; it is too slow or stalled`,
      );
    this.#inFlight += 1;
    try {
      const reply = await before(this.#timeoutMs, send(), `did not answer within ${this.#timeoutMs} ms`);
      this.#cameBack();
      return reply;
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#inFlight -= 1;
    }
  }

  #explain(error: unknown, otherwise = 'calls succeed again once it is reachable'): Error {
    const cause = withoutArguments(error);
    const isClosed = /^(Connection is closed|Stream isn't writeable)/u.test(cause.message);
    const why = isClosed && this.#lastLoss !== '' ? this.#lastLoss : cause.message;
    const advice = ADVICE[/^[A-Z]+(?= )/u.exec(why)?.[0] ?? ''];
    if (advice === undefined && /^WRONGTYPE|user_script/u.test(why)) {
      const message = `${this.#name()} refused a call (${why}); its keys were written by something else`;
      return new StoreFault('STORE_DAMAGED', message, { cause });
    }
    this.#goneDown();
    return new StoreUnavailable(`${this.#name()}: ${why}; ${advice ?? otherwise}`, { cause });
  }

  #name(): string {
    return describeTarget(this.target);
  }

  #goneDown(): void {
    this.#isDown = true;
  }

  #cameBack(): void {
    if (!this.#isDown || this.#isClosed) return;
    this.#isDown = false;
    for (const listener of this.#restored) listener();
  }
}

/** What an operator does about a refusal, by the first word of Redis's answer. */
const ADVICE: Readonly<Record<string, string>> = {
  OOM: 'raise maxmemory or free memory',
  MISCONF: 'its disk does not take snapshots; see its log',
  NOAUTH: 'put the password into the store url',
  WRONGPASS: 'correct the user and password in the store url',
  NOPERM: 'let the user run scripts and the commands in them',
  READONLY: 'it is a replica; point the store at the master, or use redis+sentinel://',
  LOADING: 'it is reading its files and will answer when done',
  CLUSTERDOWN: 'some slots have no server',
};

async function before<T>(timeoutMs: number, promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** ioredis hangs the command, which may be AUTH with its password, on the error: only the message goes on. */
function withoutArguments(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : String(error));
}
