import { Cluster, type Redis } from 'ioredis';
import type { Script } from './script.ts';

export type Argument = string | number;

/** Scripts sent in one piece; more are sent in several. */
const SCRIPTS_PER_PIPELINE = 256;

interface Pending {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends scripts by their SHA-1, and whole to a server that does not know them. Those asked for in the same tick
 * leave in one pipeline, except to a cluster, where a pipeline must not span nodes. (ioredis's own `defineCommand`
 * hides when it sends a script whole, and has no types.)
 */
export class ScriptRunner {
  readonly #client: Redis | Cluster;
  #pending: Pending[] = [];

  constructor(client: Redis | Cluster) {
    this.#client = client;
  }

  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ script, keys, args, resolve, reject });
      if (this.#pending.length === 1) queueMicrotask(() => this.#sendPending());
    });
  }

  #sendPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    if (this.#client instanceof Cluster) {
      for (const each of pending) this.#sendAlone(each, false);
      return;
    }
    for (let first = 0; first < pending.length; first += SCRIPTS_PER_PIPELINE)
      this.#sendPipeline(this.#client, pending.slice(first, first + SCRIPTS_PER_PIPELINE));
  }

  #sendPipeline(client: Redis, group: readonly Pending[]): void {
    const pipeline = client.pipeline();
    for (const { script, keys, args } of group) pipeline.evalsha(script.sha, keys.length, ...keys, ...args);
    pipeline.exec().then(
      (replies) => {
        group.forEach((each, i) => {
          const [error, reply] = replies?.[i] ?? [new Error('the pipeline gave no answer')];
          if (error === null) each.resolve(reply);
          else this.#orSendWhole(each, error);
        });
      },
      (error) => {
        for (const each of group) each.reject(error);
      },
    );
  }

  #sendAlone(each: Pending, whole: boolean): void {
    const { script, keys, args, resolve } = each;
    const reply = whole
      ? this.#client.eval(script.lua, keys.length, ...keys, ...args)
      : this.#client.evalsha(script.sha, keys.length, ...keys, ...args);
    reply.then(resolve, (error) => (whole ? each.reject(error) : this.#orSendWhole(each, error)));
  }

  /** A server that restarted, or took over, does not know the scripts by their SHA yet. */
  #orSendWhole(each: Pending, error: Error): void {
    if (error.message.startsWith('NOSCRIPT')) this.#sendAlone(each, true);
    else each.reject(error);
  }
}
