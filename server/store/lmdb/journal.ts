import { assertTopic } from '../outbox.ts';
import type { Journal } from '../store.ts';
import type { Environment } from './environment.ts';
import { keysOf, numberKey, numberOf } from './keys.ts';
import type { Transactions } from './transactions.ts';

export class LmdbJournal implements Journal {
  readonly #env: Environment;
  readonly #transactions: Transactions;

  constructor(environment: Environment, transactions: Transactions) {
    this.#env = environment;
    this.#transactions = transactions;
  }

  async append(topic: string, entry: unknown): Promise<number> {
    assertTopic(topic);
    const json = Buffer.from(JSON.stringify(entry));
    return this.#transactions.write(() => {
      const { start, end } = keysOf(topic);
      const [last] = [...this.#env.journal.getKeys({ start: end, end: start, reverse: true, limit: 1 })];
      const number = last === undefined ? 1 : numberOf(last) + 1;
      this.#env.journal.putSync(numberKey(topic, number), json);
      return number;
    });
  }

  async read(topic: string): Promise<{ readonly revision: number; readonly entries: readonly unknown[] }> {
    assertTopic(topic);
    const entries: unknown[] = [];
    await this.#transactions.read(() => {
      for (const { value } of this.#env.journal.getRange(keysOf(topic)))
        entries.push(JSON.parse(value.toString()));
    });
    return { revision: entries.length, entries };
  }
}
