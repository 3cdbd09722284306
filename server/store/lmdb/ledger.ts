import type { ClaimedEntry, Ledger, OutboxEntry, Settlement } from '../../../alerts/ledger.ts';
import { assertService } from '../delta.ts';
import { assertEntries, LEDGER_BOUNDS, outboxFull } from '../outbox.ts';
import type { Environment } from './environment.ts';
import { keysOf, numberKey, serviceKey, textKey } from './keys.ts';
import type { Transactions } from './transactions.ts';

interface LedgerRecord {
  readonly version: number;
  /** The last fencing token handed out. */
  readonly token: number;
  readonly state: unknown;
}

interface Message {
  readonly dueAtMs: number;
  readonly leaseUntilMs: number;
  readonly token: number;
  readonly attempts: number;
  readonly entry: OutboxEntry;
}

export class LmdbLedger implements Ledger {
  readonly #env: Environment;
  readonly #transactions: Transactions;

  constructor(environment: Environment, transactions: Transactions) {
    this.#env = environment;
    this.#transactions = transactions;
  }

  async load(service: string): Promise<{ readonly version: number; readonly state: unknown }> {
    assertService(service);
    const { version, state } = await this.#transactions.read(() => this.#record(service));
    return { version, state };
  }

  async commit(request: {
    readonly service: string;
    readonly expectedVersion: number;
    readonly state: unknown;
    readonly entries: readonly OutboxEntry[];
  }): Promise<boolean> {
    const { service, expectedVersion, state, entries } = request;
    assertService(service);
    assertEntries(service, entries);
    return this.#transactions.write(() => {
      const record = this.#record(service);
      if (record.version !== expectedVersion) return false;
      const fresh = new Map<string, OutboxEntry>();
      for (const entry of entries) {
        const key = textKey(service, entry.id);
        const isKnown = this.#env.outbox.doesExist(key) || this.#env.settled.doesExist(key);
        if (!isKnown && !fresh.has(entry.id)) fresh.set(entry.id, entry);
      }
      const waiting = this.#env.outbox.getKeysCount(keysOf(service));
      if (waiting + fresh.size > LEDGER_BOUNDS.outboxEntries) throw outboxFull(service);
      this.#putRecord(service, { ...record, version: record.version + 1, state });
      for (const entry of fresh.values())
        this.#putMessage({ dueAtMs: 0, leaseUntilMs: 0, token: 0, attempts: 0, entry });
      return true;
    });
  }

  async claim(request: {
    readonly service: string;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<ClaimedEntry[]> {
    const { service, nowMs, leaseMs, limit } = request;
    assertService(service);
    // Looked at before, so that the many claims that find nothing cost no transaction.
    const isIdle = await this.#transactions.read(() => this.#due(service, nowMs).length === 0);
    if (isIdle) return [];
    return this.#transactions.write(() => {
      const record = this.#record(service);
      let { token } = record;
      const taken = this.#due(service, nowMs)
        .slice(0, Math.max(0, limit))
        .map(({ entry, attempts, dueAtMs }) => {
          token += 1;
          this.#putMessage({ dueAtMs, leaseUntilMs: nowMs + leaseMs, token, attempts: attempts + 1, entry });
          return { entry, attempts, token };
        });
      if (taken.length > 0) this.#putRecord(service, { ...record, token });
      return taken;
    });
  }

  async settle(request: {
    readonly service: string;
    readonly id: string;
    readonly token: number;
    readonly settlement: Settlement;
  }): Promise<boolean> {
    const { service, id, token, settlement } = request;
    assertService(service);
    return this.#transactions.write(() => {
      const key = textKey(service, id);
      const bytes = this.#env.outbox.get(key);
      if (bytes === undefined)
        return settlement.status === 'done' && this.#env.settled.get(key)?.toString() === String(token);
      const message = JSON.parse(bytes.toString()) as Message;
      if (message.token !== token || token === 0) return false;
      if (settlement.status === 'retry') {
        this.#putMessage({ ...message, dueAtMs: settlement.dueAtMs, leaseUntilMs: 0 });
        return true;
      }
      this.#env.outbox.removeSync(key);
      this.#remember(service, id, token);
      return true;
    });
  }

  async claimableAt(service: string, id: string): Promise<number | null> {
    assertService(service);
    const bytes = await this.#transactions.read(() => this.#env.outbox.get(textKey(service, id)));
    if (bytes === undefined) return null;
    const { dueAtMs, leaseUntilMs } = JSON.parse(bytes.toString()) as Message;
    return Math.max(dueAtMs, leaseUntilMs);
  }

  async backlog(
    service: string,
  ): Promise<{ readonly depth: number; readonly oldestCreatedAtMs: number | null }> {
    assertService(service);
    const messages = await this.#transactions.read(() => this.#messages(service));
    return { depth: messages.length, oldestCreatedAtMs: messages[0]?.entry.createdAtMs ?? null };
  }

  #due(service: string, nowMs: number): Message[] {
    return this.#messages(service).filter(
      ({ dueAtMs, leaseUntilMs }) => dueAtMs <= nowMs && leaseUntilMs <= nowMs,
    );
  }

  /** Oldest first; within a millisecond by id, as LMDB orders them. */
  #messages(service: string): Message[] {
    const range = this.#env.outbox.getRange(keysOf(service));
    const messages = [...range].map(({ value }) => JSON.parse(value.toString()) as Message);
    return messages.sort((a, b) => a.entry.createdAtMs - b.entry.createdAtMs);
  }

  #putMessage(message: Message): void {
    const { service, id } = message.entry;
    this.#env.outbox.putSync(textKey(service, id), Buffer.from(JSON.stringify(message)));
  }

  #remember(service: string, id: string, token: number): void {
    this.#env.settled.putSync(textKey(service, id), Buffer.from(String(token)));
    this.#env.settledOrder.putSync(numberKey(service, token), Buffer.from(id));
    const excess = this.#env.settledOrder.getKeysCount(keysOf(service)) - LEDGER_BOUNDS.settledIds;
    if (excess <= 0) return;
    for (const { key, value } of [
      ...this.#env.settledOrder.getRange({ ...keysOf(service), limit: excess }),
    ]) {
      this.#env.settledOrder.removeSync(key);
      this.#env.settled.removeSync(textKey(service, value.toString()));
    }
  }

  #record(service: string): LedgerRecord {
    const bytes = this.#env.ledger.get(serviceKey(service));
    if (bytes === undefined) return { version: 0, token: 0, state: null };
    return JSON.parse(bytes.toString()) as LedgerRecord;
  }

  #putRecord(service: string, record: LedgerRecord): void {
    this.#env.ledger.putSync(serviceKey(service), Buffer.from(JSON.stringify(record)));
  }
}
