import assert from 'node:assert/strict';
import { COUNTER_MAX, emptyFacts, type MinuteFacts } from '../../../sla/facts.ts';
import { formatCursor, NO_CURSOR, parseCursor, type StoredCursor } from '../cursor.ts';
import {
  assertDelta,
  assertProducer,
  assertService,
  type CallbackGain,
  callbackGains,
  gainsByHour,
  gainsByPage,
  type HourGain,
  type PageGain,
} from '../delta.ts';
import { hourLeftMs, hourOf, ORIGIN_BOUNDS, unpackOrigin } from '../origin.ts';
import { dayOf, LATE_INDEX, oldestPage, PAGE_CALLBACKS } from '../page.ts';
import { assertRange, pagesOf, placeCallbacks, placePage } from '../range.ts';
import type { ApplyResult, Cursor, FactStore, Origin, ServiceDelta } from '../store.ts';
import type { Bytes, Environment } from './environment.ts';
import { keysOf, numberKey, numberOf, serviceKey, textKey } from './keys.ts';
import { decodeCallbacks, decodePage, emptyPage, encodeCallbacks, encodePage } from './page-codec.ts';
import type { Transactions } from './transactions.ts';

const EMPTY = Buffer.alloc(0);

/** The books in LMDB; the databases and their keys are listed in `environment.ts`. */
export class LmdbFacts implements FactStore {
  readonly #env: Environment;
  readonly #transactions: Transactions;
  readonly #retentionDays: number;

  constructor(environment: Environment, transactions: Transactions, retentionDays: number) {
    this.#env = environment;
    this.#transactions = transactions;
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
    return this.#transactions.write(() => {
      const key = Buffer.from(producerId);
      const stored = services.map((service) => this.#cursor(service, producerId));
      const last = Number(this.#env.epochs.get(key)?.toString() ?? 0);
      const epoch = Math.max(last, ...stored.map((cursor) => cursor?.epoch ?? 0)) + 1;
      this.#env.epochs.putSync(key, Buffer.from(String(epoch)));
      const cursors = new Map<string, Cursor>();
      services.forEach((service, i) => {
        const { seq, digest } = stored[i] ?? NO_CURSOR;
        this.#putCursor(service, producerId, { epoch, seq, day: dayOf(nowMs), digest });
        this.#env.services.putSync(serviceKey(service), EMPTY);
        cursors.set(service, { seq, digest });
      });
      return { epoch, cursors };
    });
  }

  async apply(delta: ServiceDelta, nowMs: number): Promise<ApplyResult> {
    assertDelta(delta);
    const pages = gainsByPage(delta, nowMs, this.#retentionDays);
    const hours = gainsByHour(delta, nowMs);
    const callbacks = callbackGains(delta, nowMs, this.#retentionDays);
    return this.#transactions.write(() => this.#applyNow(delta, nowMs, { pages, hours, callbacks }));
  }

  async services(): Promise<string[]> {
    return this.#transactions.read(() => [...this.#env.services.getKeys()].map(String).sort());
  }

  async readMinutes(service: string, fromMinute: number, toMinute: number): Promise<MinuteFacts> {
    assertService(service);
    assertRange(fromMinute, toMinute);
    const facts = emptyFacts(fromMinute, toMinute - fromMinute);
    await this.#transactions.read(() => {
      for (const page of pagesOf(fromMinute, toMinute)) {
        const key = numberKey(service, page);
        const bytes = this.#env.pages.get(key);
        if (bytes !== undefined) placePage(facts, page, decodePage(bytes));
        const callbacks = this.#env.callbacks?.get(key);
        if (callbacks !== undefined) placeCallbacks(facts, page, decodeCallbacks(callbacks));
      }
    });
    return facts;
  }

  async revisions(service: string): Promise<ReadonlyMap<number, number>> {
    assertService(service);
    const revisions = new Map<number, number>();
    await this.#transactions.read(() => {
      for (const { key, value } of this.#env.revisions.getRange(keysOf(service)))
        revisions.set(numberOf(key), Number(value.toString()));
    });
    return revisions;
  }

  async origins(service: string, fromMinute: number, toMinute: number) {
    assertService(service);
    assertRange(fromMinute, toMinute);
    const found: { readonly origin: Origin; readonly n: number }[] = [];
    if (fromMinute === toMinute) return found;
    const lastHour = hourOf(toMinute - 1);
    const firstHour = Math.max(hourOf(fromMinute), lastHour - ORIGIN_BOUNDS.hoursRead + 1);
    await this.#transactions.read(() => {
      for (let hour = firstHour; hour <= lastHour; hour += 1) {
        for (const [field, n] of this.#hour(service, hour)) {
          const origin = unpackOrigin(hour, field);
          if (origin.slotMinute >= fromMinute && origin.slotMinute < toMinute) found.push({ origin, n });
        }
      }
    });
    return found;
  }

  #applyNow(
    delta: ServiceDelta,
    nowMs: number,
    gains: {
      readonly pages: readonly PageGain[];
      readonly hours: readonly HourGain[];
      readonly callbacks: readonly CallbackGain[];
    },
  ): ApplyResult {
    const { service, cursors } = delta;
    const fenced: string[] = [];
    const moved = new Map<string, Cursor>();
    for (const move of cursors) {
      const stored = this.#cursor(service, move.producerId);
      const { seq, digest } = stored ?? NO_CURSOR;
      if ((stored?.epoch ?? 0) > move.epoch) fenced.push(move.producerId);
      else if (seq !== move.expectedSeq) moved.set(move.producerId, { seq, digest });
    }
    if (fenced.length > 0) return { status: 'fenced', producerIds: fenced };
    if (moved.size > 0) return { status: 'moved', cursors: moved };

    const day = dayOf(nowMs);
    for (const { producerId, epoch, seq, digest } of cursors)
      this.#putCursor(service, producerId, { epoch, seq, day, digest });
    let saturated = 0;
    let isPageNew = false;
    for (const gain of gains.pages) {
      const key = numberKey(service, gain.page);
      const stored = this.#env.pages.get(key);
      if (stored === undefined) isPageNew = true;
      const page = stored === undefined ? emptyPage() : decodePage(stored);
      for (const { index, n } of gain.counters) {
        const [counters, at] = index >= LATE_INDEX ? [page.late, index - LATE_INDEX] : [page.tallies, index];
        if (addTo(counters, at, n) === COUNTER_MAX) saturated += 1;
      }
      for (const minute of gain.alive) page.alive[minute] = 1;
      this.#env.pages.putSync(key, encodePage(page));
      this.#raiseRevision(key);
    }
    for (const gain of gains.callbacks) {
      const [counted, isNew] = this.#addCallbacks(service, gain);
      saturated += counted;
      isPageNew ||= isNew;
    }
    for (const gain of gains.hours) this.#addOrigins(service, gain);
    this.#dropOldOrigins(service, nowMs);
    if (isPageNew) this.#dropOld(service, nowMs);
    return { status: 'applied', saturated };
  }

  /** @returns counters at their ceiling, and whether the page had no callbacks before */
  #addCallbacks(service: string, { page, counters: increments }: CallbackGain): [number, boolean] {
    const { callbacks } = this.#env;
    assert(callbacks !== undefined, 'whoever may write opened every database');
    const key = numberKey(service, page);
    const stored = callbacks.get(key);
    const counters = stored === undefined ? new Uint32Array(PAGE_CALLBACKS) : decodeCallbacks(stored);
    let saturated = 0;
    for (const { index, n } of increments) if (addTo(counters, index, n) === COUNTER_MAX) saturated += 1;
    callbacks.putSync(key, encodeCallbacks(counters));
    this.#raiseRevision(key);
    return [saturated, stored === undefined];
  }

  #raiseRevision(key: Buffer): void {
    const revision = Number(this.#env.revisions.get(key)?.toString() ?? 0) + 1;
    this.#env.revisions.putSync(key, Buffer.from(String(revision)));
  }

  #addOrigins(service: string, gain: HourGain): void {
    const fields = this.#hour(service, gain.hour);
    const unfoldedMax = ORIGIN_BOUNDS.fieldsPerHour - ORIGIN_BOUNDS.foldedPerHour;
    for (const { field, folded, n } of gain.fields) {
      const name = fields.has(field) || fields.size < unfoldedMax ? field : folded;
      fields.set(name, (fields.get(name) ?? 0) + n);
    }
    this.#env.origins.putSync(numberKey(service, gain.hour), Buffer.from(JSON.stringify([...fields])));
  }

  #hour(service: string, hour: number): Map<string, number> {
    const bytes = this.#env.origins.get(numberKey(service, hour));
    return new Map(bytes === undefined ? [] : (JSON.parse(bytes.toString()) as [string, number][]));
  }

  #dropOldOrigins(service: string, nowMs: number): void {
    for (const key of [...this.#env.origins.getKeys(keysOf(service))]) {
      if (hourLeftMs(numberOf(key), nowMs) > 0) break;
      this.#env.origins.removeSync(key);
    }
  }

  /** Three times a day, with a new page, what nobody will ask for again is dropped. */
  #dropOld(service: string, nowMs: number): void {
    const oldest = numberKey(service, oldestPage(nowMs, this.#retentionDays));
    const { start } = keysOf(service);
    for (const database of [this.#env.pages, this.#env.callbacks, this.#env.revisions])
      if (database !== undefined) dropRange(database, start, oldest);
    const oldestDay = dayOf(nowMs) - this.#retentionDays;
    for (const { key, value } of [...this.#env.cursors.getRange(keysOf(service))]) {
      if (parseCursor(value.toString()).day < oldestDay) this.#env.cursors.removeSync(key);
    }
  }

  #cursor(service: string, producerId: string): StoredCursor | null {
    const bytes = this.#env.cursors.get(textKey(service, producerId));
    return bytes === undefined ? null : parseCursor(bytes.toString());
  }

  #putCursor(service: string, producerId: string, cursor: StoredCursor): void {
    this.#env.cursors.putSync(textKey(service, producerId), Buffer.from(formatCursor(cursor)));
  }
}

/** @returns what the counter stands at then */
function addTo(counters: Uint32Array, at: number, n: number): number {
  const after = Math.min((counters[at] ?? 0) + n, COUNTER_MAX);
  counters[at] = after;
  return after;
}

function dropRange(database: Bytes, start: Buffer, end: Buffer): void {
  for (const key of [...database.getKeys({ start, end })]) database.removeSync(key);
}
