import type { ClaimedEntry, Ledger, OutboxEntry, Settlement } from '../../../alerts/ledger.ts';
import { assertService } from '../delta.ts';
import { assertEntries, LEDGER_BOUNDS, outboxFull } from '../outbox.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { SCRIPTS } from './script.ts';
import type { Argument } from './script-runner.ts';

/*
 * One service's alerts, all keys under the hash tag {service}:
 *
 *     {service}:ledger    hash  version, state (json), token (the last fencing token handed out)
 *     {service}:outbox    hash  id -> "due lease-until token attempts json"
 *     {service}:order     zset  id by creation time: oldest first
 *     {service}:settled   zset  id by the token under which it was settled: the last 1,000
 */
export class RedisLedger implements Ledger {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;

  constructor(redis: RedisConnection, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async load(service: string): Promise<{ readonly version: number; readonly state: unknown }> {
    assertService(service);
    const reply = await this.#redis.call('HMGET', this.#keys.ledger(service), 'version', 'state');
    const [version, state] = reply as (string | null)[];
    return { version: Number(version ?? 0), state: JSON.parse(state ?? 'null') };
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
    const args: Argument[] = [expectedVersion, JSON.stringify(state), LEDGER_BOUNDS.outboxEntries];
    for (const entry of entries) args.push(entry.id, entry.createdAtMs, JSON.stringify(entry));
    const version = Number(await this.#redis.run(SCRIPTS.commit, this.#outboxKeys(service), args));
    if (version < 0) throw outboxFull(service);
    return version > 0;
  }

  async claim(request: {
    readonly service: string;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<ClaimedEntry[]> {
    const { service, nowMs, leaseMs, limit } = request;
    assertService(service);
    const keys = this.#outboxKeys(service).slice(0, 3);
    const reply = await this.#redis.run(SCRIPTS.claim, keys, [nowMs, nowMs + leaseMs, limit]);
    const flat = (reply as unknown[]).map(String);
    return Array.from({ length: flat.length / 3 }, (_, i) => ({
      entry: JSON.parse(flat[i * 3] ?? '') as OutboxEntry,
      attempts: Number(flat[i * 3 + 1]),
      token: Number(flat[i * 3 + 2]),
    }));
  }

  async settle(request: {
    readonly service: string;
    readonly id: string;
    readonly token: number;
    readonly settlement: Settlement;
  }): Promise<boolean> {
    const { service, id, token, settlement } = request;
    assertService(service);
    const dueAt = settlement.status === 'done' ? '' : settlement.dueAtMs;
    const keys = this.#outboxKeys(service).slice(1);
    const args = [id, token, dueAt, LEDGER_BOUNDS.settledIds];
    return Number(await this.#redis.run(SCRIPTS.settle, keys, args)) === 1;
  }

  async claimableAt(service: string, id: string): Promise<number | null> {
    assertService(service);
    const stored = (await this.#redis.call('HGET', this.#keys.outbox(service), id)) as string | null;
    if (stored === null) return null;
    const [due, leaseUntil] = stored.split(' ', 2);
    return Math.max(Number(due), Number(leaseUntil));
  }

  async backlog(
    service: string,
  ): Promise<{ readonly depth: number; readonly oldestCreatedAtMs: number | null }> {
    assertService(service);
    const order = this.#keys.order(service);
    const [depth, oldest] = await Promise.all([
      this.#redis.call('ZCARD', order),
      this.#redis.call('ZRANGE', order, 0, 0, 'WITHSCORES'),
    ]);
    const score = (oldest as string[])[1];
    return { depth: Number(depth), oldestCreatedAtMs: score === undefined ? null : Number(score) };
  }

  #outboxKeys(service: string): string[] {
    const { ledger, outbox, order, settled } = this.#keys;
    return [ledger(service), outbox(service), order(service), settled(service)];
  }
}
