import { randomBytes } from 'node:crypto';
import { assertTopic } from '../outbox.ts';
import type { Journal } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { SCRIPTS } from './script.ts';

/** A topic is a list, `journal:{topic}`, of "nonce json"; the nonce makes a call that ioredis repeats harmless. */
export class RedisJournal implements Journal {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async append(topic: string, entry: unknown): Promise<number> {
    assertTopic(topic);
    const nonce = randomBytes(12).toString('base64url');
    const args = [nonce, JSON.stringify(entry)];
    return Number(await this.#redis.run(SCRIPTS.append, [this.#keys.journal(topic)], args));
  }

  async read(topic: string): Promise<{ readonly revision: number; readonly entries: readonly unknown[] }> {
    assertTopic(topic);
    const stored = (await this.#redis.call('LRANGE', this.#keys.journal(topic), 0, -1)) as string[];
    const entries = stored.map((text): unknown => JSON.parse(text.slice(text.indexOf(' ') + 1)));
    return { revision: entries.length, entries };
  }
}
