import assert from 'node:assert/strict';
import { CALLBACK_COUNT, COUNTER_MAX, LATE_SLOT_MINUTES, MEASURE_COUNT } from '../../sla/facts.ts';
import { SERVICE_PATTERN } from '../../sla/outcome.ts';
import { hourLeftMs, hourOf, packFolded, packOrigin } from './origin.ts';
import { LATE_INDEX, pageLeftMs, pageOf } from './page.ts';
import { APPLY_BOUNDS, PAGE_MINUTES, type ServiceDelta } from './store.ts';

/** What one page gains: counters by index (`page.ts`), and minutes of the page in which an agent was alive. */
export interface PageGain {
  readonly page: number;
  readonly leftMs: number;
  readonly counters: { readonly index: number; readonly n: number }[];
  readonly alive: number[];
}

/** What one page's callbacks gain, by index (`page.ts`). */
export interface CallbackGain {
  readonly page: number;
  readonly leftMs: number;
  readonly counters: { readonly index: number; readonly n: number }[];
}

/** What one hour's origins gain; `folded` is used when the hour is full. */
export interface HourGain {
  readonly hour: number;
  readonly leftMs: number;
  readonly fields: { readonly field: string; readonly folded: string; readonly n: number }[];
}

export const TEXT_BOUNDS = {
  producerIdCharacters: 128,
  digestCharacters: 128,
  labelCharacters: 256,
} as const;

/** Throws an AssertionError when the caller broke the port's contract; nothing has been written then. */
export function assertDelta(delta: ServiceDelta): void {
  assertService(delta.service);
  const { cursors, tallies, alive, late, origins, callbacks } = delta;
  assert(cursors.length >= 1, 'a delta moves at least one cursor, or a repeat could not be told');
  assertBound('cursors', cursors.length);
  assertBound('tallies', tallies.size);
  assertBound('alive', alive.size);
  assertBound('late', late.size);
  assertBound('origins', origins.length);
  assert(new Set(cursors.map((c) => c.producerId)).size === cursors.length, 'one cursor move per producer');
  for (const move of cursors) {
    assertProducer(move.producerId);
    assertCount(move.epoch);
    assertCount(move.expectedSeq);
    assertCount(move.seq);
    assert(move.seq > move.expectedSeq, 'a cursor moves forward, or a repeat could not be told');
    assert(move.digest.length <= TEXT_BOUNDS.digestCharacters, 'a digest within its bound');
  }
  for (const [minute, increments] of tallies) {
    assertCount(minute);
    assert(increments.length === MEASURE_COUNT, 'one increment for each measure');
    for (const n of increments) assertCount(n);
  }
  for (const minute of alive) assertCount(minute);
  if (callbacks !== undefined) assertCallbacks(callbacks);
  for (const [slot, n] of late) {
    assertSlot(slot);
    assertCount(n);
  }
  for (const { origin, n } of origins) {
    assertSlot(origin.slotMinute);
    assert(n <= COUNTER_MAX, 'an origin counts at most COUNTER_MAX in one call');
    assertCount(n);
    for (const label of [origin.region, origin.platform, origin.cause, origin.code])
      assert(label.length <= TEXT_BOUNDS.labelCharacters, 'a label within its bound');
  }
}

function assertCallbacks(callbacks: NonNullable<ServiceDelta['callbacks']>): void {
  assertBound('callbacks', callbacks.size);
  for (const [minute, increments] of callbacks) {
    assertCount(minute);
    assert(increments.length === CALLBACK_COUNT, 'one increment for each measure of the callbacks');
    for (const n of increments) assertCount(n);
  }
}

export function assertService(service: string): void {
  assert(SERVICE_PATTERN.test(service), `a service name, not ${JSON.stringify(service)}`);
}

export function assertProducer(producerId: string): void {
  const { length } = producerId;
  assert(length >= 1 && length <= TEXT_BOUNDS.producerIdCharacters, 'a producer id within its bound');
}

/** Sorted by page. Pages past the retention are left out: they would be dropped the moment they were written. */
export function gainsByPage(delta: ServiceDelta, nowMs: number, retentionDays: number): PageGain[] {
  const gains = new Map<number, PageGain>();
  const gainOf = (minute: number): PageGain => {
    const page = pageOf(minute);
    let gain = gains.get(page);
    if (gain === undefined) {
      gain = { page, leftMs: pageLeftMs(page, nowMs, retentionDays), counters: [], alive: [] };
      gains.set(page, gain);
    }
    return gain;
  };
  for (const [minute, increments] of delta.tallies) {
    if (increments.every((n) => n === 0)) continue;
    const { counters } = gainOf(minute);
    const first = (minute % PAGE_MINUTES) * MEASURE_COUNT;
    increments.forEach((n, measure) => {
      if (n > 0) counters.push({ index: first + measure, n });
    });
  }
  for (const minute of delta.alive) gainOf(minute).alive.push(minute % PAGE_MINUTES);
  for (const [slot, n] of delta.late) {
    if (n === 0) continue;
    gainOf(slot).counters.push({ index: LATE_INDEX + (slot % PAGE_MINUTES) / LATE_SLOT_MINUTES, n });
  }
  return [...gains.values()].filter((gain) => gain.leftMs > 0).sort((a, b) => a.page - b.page);
}

/** The same for the callbacks. */
export function callbackGains(
  { callbacks }: ServiceDelta,
  nowMs: number,
  retentionDays: number,
): readonly CallbackGain[] {
  if (callbacks === undefined) return NO_CALLBACKS;
  const gains = new Map<number, CallbackGain>();
  for (const [minute, increments] of callbacks) {
    if (increments.every((n) => n === 0)) continue;
    const page = pageOf(minute);
    let gain = gains.get(page);
    if (gain === undefined) {
      gain = { page, leftMs: pageLeftMs(page, nowMs, retentionDays), counters: [] };
      gains.set(page, gain);
    }
    for (const [measure, n] of increments.entries()) {
      if (n > 0) gain.counters.push({ index: (minute % PAGE_MINUTES) * CALLBACK_COUNT + measure, n });
    }
  }
  return [...gains.values()].filter((gain) => gain.leftMs > 0).sort((a, b) => a.page - b.page);
}

const NO_CALLBACKS: readonly CallbackGain[] = [];

/** Sorted by hour; hours that are no longer kept are left out. */
export function gainsByHour(delta: ServiceDelta, nowMs: number): HourGain[] {
  const gains = new Map<number, HourGain>();
  for (const { origin, n } of delta.origins) {
    if (n === 0) continue;
    const hour = hourOf(origin.slotMinute);
    let gain = gains.get(hour);
    if (gain === undefined) {
      gain = { hour, leftMs: hourLeftMs(hour, nowMs), fields: [] };
      gains.set(hour, gain);
    }
    gain.fields.push({ field: packOrigin(origin), folded: packFolded(origin), n });
  }
  return [...gains.values()].filter((gain) => gain.leftMs > 0).sort((a, b) => a.hour - b.hour);
}

function assertBound(name: keyof typeof APPLY_BOUNDS, size: number): void {
  assert(size <= APPLY_BOUNDS[name], `a delta holds at most ${APPLY_BOUNDS[name]} ${name}, not ${size}`);
}

function assertCount(n: number): void {
  assert(Number.isSafeInteger(n) && n >= 0, `a non-negative integer, not ${n}`);
}

function assertSlot(slot: number): void {
  assertCount(slot);
  assert(slot % LATE_SLOT_MINUTES === 0, `a slot starts on a multiple of ${LATE_SLOT_MINUTES}, not ${slot}`);
}
