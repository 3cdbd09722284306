import { emptyFacts, type MinuteFacts } from '../../../sla/facts.ts';
import { NO_CURSOR } from '../cursor.ts';
import {
  assertDelta,
  assertProducer,
  assertService,
  callbackGains,
  gainsByHour,
  gainsByPage,
} from '../delta.ts';
import { StoreFault } from '../errors.ts';
import { hourOf, ORIGIN_BOUNDS, unpackOrigin } from '../origin.ts';
import { dayOf, LATE_INDEX, oldestPage, PAGE_CALLBACKS, PAGE_SLOTS, PAGE_TALLIES } from '../page.ts';
import { assertRange, pagesOf, placeCallbacks, placePage } from '../range.ts';
import {
  type ApplyResult,
  type Cursor,
  type CursorMove,
  type FactStore,
  type Origin,
  PAGE_MINUTES,
  type ServiceDelta,
} from '../store.ts';
import type { RedisConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import { SCRIPTS } from './script.ts';
import type { Argument } from './script-runner.ts';

/*
 * The books of one service, all keys under the hash tag {service}:
 *
 *     {service}:page:<n>      string of 10,044 bytes, big-endian, n = epochMinute / 480
 *                               0 ..  9599   480 minutes x 5 measures x u32, minute by minute
 *                            9600 ..  9659   480 alive bits, first minute in the highest bit
 *                            9660 .. 10043   96 x u32, late attempts by five-minute slot
 *     {service}:callbacks:<n> string of 5,760 bytes, big-endian: 480 minutes x 3 measures x u32; only where there are any
 *     {service}:revisions     hash  page -> times it was written
 *     {service}:cursors       hash  producer -> "epoch seq day digest"
 *     {service}:origins:<h>   hash  packed origin -> count, h = epochMinute / 60
 *
 * and beside them `services` (set), `epoch:{producer}` (string) and `store-id` (string).
 *
 * A hash per day would be the textbook way. A page is a string because a counter then costs 4 bytes instead of
 * some 60, a month is one MGET, and BITFIELD saturates by itself. It is written at its full length when it is
 * created: a string that grows keeps the allocator's slack for good. 480 minutes, because 10,044 bytes fill an
 * allocation of 10,240.
 */

/** Bytes of a page; `apply-n.lua` has the same number. */
export const PAGE_BYTES = (LATE_INDEX + PAGE_SLOTS) * 4;
/** Bytes of a page's callbacks; `apply-n.lua` has the same number. A month of them takes 0.6 MB more. */
const CALLBACK_BYTES = PAGE_CALLBACKS * 4;
/** Pages fetched by one command, about 1 MB, or 1.6 with callbacks: the server is busy for a fraction of a millisecond. */
const PAGES_PER_CALL = 100;

export class RedisFacts implements FactStore {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;
  readonly #retentionDays: number;

  constructor(redis: RedisConnection, keys: Keys, retentionDays: number) {
    this.#redis = redis;
    this.#keys = keys;
    this.#retentionDays = retentionDays;
  }

  async openEpoch(request: {
    readonly producerId: string;
    readonly services: readonly string[];
    readonly nowMs: number;
  }): Promise<{ readonly epoch: number; readonly cursors: ReadonlyMap<string, Cursor> }> {
    const { producerId, services, nowMs } = request;
    assertProducer(producerId);
    for (const service of services) assertService(service);
    if (services.length > 0) await this.#redis.call('SADD', this.#keys.services, ...services);
    const raiseAll = (epoch: number) =>
      Promise.all(services.map((service) => this.#raise(service, producerId, epoch, nowMs)));
    // Raising to 0 only reads. The counter of epochs lies in another slot than the services and may have gone
    // back in time alone: the new epoch must be above both.
    const floor = Math.max(0, ...(await raiseAll(0)).map((each) => each.epoch));
    const epoch = await this.#nextEpoch(producerId, floor);
    const raised = await raiseAll(epoch);
    return {
      epoch,
      cursors: new Map(services.map((service, i) => [service, raised[i]?.cursor ?? NO_CURSOR])),
    };
  }

  async apply(delta: ServiceDelta, nowMs: number): Promise<ApplyResult> {
    assertDelta(delta);
    const { service, cursors } = delta;
    const pages = gainsByPage(delta, nowMs, this.#retentionDays);
    const callbacks = callbackGains(delta, nowMs, this.#retentionDays);
    const hours = gainsByHour(delta, nowMs);
    const keys = [this.#keys.cursors(service), this.#keys.revisions(service)];
    const today = dayOf(nowMs);
    const args: Argument[] = [
      today,
      oldestPage(nowMs, this.#retentionDays),
      Math.max(0, today - this.#retentionDays),
      cursors.length,
      pages.length,
      callbacks.length,
      hours.length,
      ORIGIN_BOUNDS.fieldsPerHour,
      ORIGIN_BOUNDS.foldedPerHour,
    ];
    args.push(cursors.map(packMove).join(''));
    for (const gain of pages) {
      keys.push(this.#keys.page(service, gain.page));
      args.push(gain.page, gain.leftMs, gain.counters.length, gain.alive.length);
      for (const { index, n } of gain.counters) args.push(index, n);
      for (const minute of gain.alive) args.push(minute);
    }
    for (const gain of callbacks) {
      keys.push(this.#keys.callbacks(service, gain.page));
      args.push(gain.page, gain.leftMs, gain.counters.length);
      for (const { index, n } of gain.counters) args.push(index, n);
    }
    for (const gain of hours) {
      keys.push(this.#keys.origins(service, gain.hour));
      args.push(gain.leftMs, gain.fields.length);
      for (const { field, folded, n } of gain.fields) args.push(field, folded, n);
    }
    return readApplyReply(await this.#redis.run(SCRIPTS.apply, keys, args));
  }

  async services(): Promise<string[]> {
    return texts(await this.#redis.call('SMEMBERS', this.#keys.services)).sort();
  }

  async readMinutes(service: string, fromMinute: number, toMinute: number): Promise<MinuteFacts> {
    assertService(service);
    assertRange(fromMinute, toMinute);
    const facts = emptyFacts(fromMinute, toMinute - fromMinute);
    const pages = pagesOf(fromMinute, toMinute);
    for (let first = 0; first < pages.length; first += PAGES_PER_CALL) {
      const group = pages.slice(first, first + PAGES_PER_CALL);
      const keys = group.map((page) => this.#keys.page(service, page));
      // Asked for together: a key that is not there costs nothing, a second round trip would.
      for (const page of group) keys.push(this.#keys.callbacks(service, page));
      const strings = (await this.#redis.callBytes('MGET', ...keys)) as (Buffer | null)[];
      for (const [i, page] of group.entries()) {
        const [bytes, callbacks] = [strings[i], strings[group.length + i]];
        if (bytes) readPage(bytes, page, facts);
        if (callbacks) placeCallbacks(facts, page, wordsOf(callbacks, CALLBACK_BYTES, page));
      }
    }
    return facts;
  }

  async revisions(service: string): Promise<ReadonlyMap<number, number>> {
    assertService(service);
    const flat = texts(await this.#redis.call('HGETALL', this.#keys.revisions(service)));
    return new Map(pairs(flat).map(([page, revision]) => [Number(page), Number(revision)]));
  }

  async origins(service: string, fromMinute: number, toMinute: number) {
    assertService(service);
    assertRange(fromMinute, toMinute);
    const found: { readonly origin: Origin; readonly n: number }[] = [];
    if (fromMinute === toMinute) return found;
    const lastHour = hourOf(toMinute - 1);
    const firstHour = Math.max(hourOf(fromMinute), lastHour - ORIGIN_BOUNDS.hoursRead + 1);
    const hours = Array.from({ length: lastHour - firstHour + 1 }, (_, i) => firstHour + i);
    const replies = await Promise.all(
      hours.map((hour) => this.#redis.call('HGETALL', this.#keys.origins(service, hour))),
    );
    replies.forEach((reply, i) => {
      for (const [field, n] of pairs(texts(reply))) {
        const origin = unpackOrigin(firstHour + i, field);
        if (origin.slotMinute >= fromMinute && origin.slotMinute < toMinute)
          found.push({ origin, n: Number(n) });
      }
    });
    return found;
  }

  async #nextEpoch(producerId: string, floor: number): Promise<number> {
    const keepMs = this.#retentionDays * 86_400_000;
    return Number(await this.#redis.run(SCRIPTS.nextEpoch, [this.#keys.epoch(producerId)], [floor, keepMs]));
  }

  async #raise(service: string, producerId: string, epoch: number, nowMs: number) {
    const keys = [this.#keys.cursors(service)];
    const reply = texts(await this.#redis.run(SCRIPTS.raise, keys, [producerId, epoch, dayOf(nowMs)]));
    return { epoch: Number(reply[0]), cursor: { seq: Number(reply[1]), digest: reply[2] ?? '' } };
  }
}

/**
 * A cursor's move as `apply-n.lua` reads it. All moves travel in one argument: with five for each, preparing
 * them cost ioredis more than all else that a store call costs this process.
 */
function packMove({ producerId, epoch, expectedSeq, seq, digest }: CursorMove): string {
  const lengths = [Buffer.byteLength(producerId), Buffer.byteLength(digest)] as const;
  return `${lengths[0]} ${epoch} ${expectedSeq} ${seq} ${lengths[1]}:${producerId}${digest}`;
}

function readApplyReply(reply: unknown): ApplyResult {
  const [status, ...rest] = reply as [string, ...(string | number)[]];
  if (status === 'applied') return { status, saturated: Number(rest[0]) };
  const words = rest.map(String);
  if (status === 'fenced') return { status, producerIds: words };
  const cursors = new Map<string, Cursor>();
  for (let i = 0; i + 2 < words.length; i += 3)
    cursors.set(words[i] ?? '', { seq: Number(words[i + 1]), digest: words[i + 2] ?? '' });
  return { status: 'moved', cursors };
}

function readPage(bytes: Buffer, page: number, facts: MinuteFacts): void {
  const words = wordsOf(bytes, PAGE_BYTES, page);
  const alive = new Uint8Array(PAGE_MINUTES);
  for (let minute = 0; minute < PAGE_MINUTES; minute += 1) {
    const byte = bytes[PAGE_TALLIES * 4 + (minute >> 3)] ?? 0;
    alive[minute] = (byte >> (7 - (minute & 7))) & 1;
  }
  placePage(facts, page, {
    tallies: words.subarray(0, PAGE_TALLIES),
    alive,
    late: words.subarray(LATE_INDEX),
  });
}

function wordsOf(bytes: Buffer, length: number, page: number): Uint32Array {
  if (bytes.length !== length)
    throw new StoreFault(
      'STORE_DAMAGED',
      `page ${page} has ${bytes.length} bytes instead of ${length}; restore the books from a backup`,
    );
  // Copied because the reply may be a slice at any offset, and typed arrays want theirs aligned.
  const own = Buffer.from(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + length)).swap32();
  return new Uint32Array(own.buffer, own.byteOffset, length / 4);
}

function texts(reply: unknown): string[] {
  return (reply as unknown[]).map(String);
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2] ?? '', flat[i * 2 + 1] ?? '']);
}
