import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ApplyResult,
  type Cursor,
  PAGE_MINUTES,
  type ServiceDelta,
  type Store,
} from '../../server/store/store.ts';
import { CALLBACK_COUNT, COUNTER_MAX, MEASURE_COUNT } from '../../sla/facts.ts';
import { deltaOf, digestOf, EVENT, freshService, NOW_MINUTE, NOW_MS, type OpenStore } from './deltas.ts';

const PRODUCERS = ['a', 'b', 'c'] as const;
const FIRST_MINUTE = NOW_MINUTE - 2 * PAGE_MINUTES;
const MINUTES = 3 * PAGE_MINUTES;

/** The port's docstring as a program: what the books must hold after any sequence of calls. */
class Model {
  readonly epochs = new Map<string, number>();
  readonly cursors = new Map<string, Cursor & { epoch: number }>();
  readonly tallies = new Float64Array(MINUTES * MEASURE_COUNT);
  readonly alive = new Uint8Array(MINUTES);
  readonly late = new Float64Array(MINUTES / 5);
  readonly origins = new Map<string, number>();
  readonly callbacks = new Float64Array(MINUTES * CALLBACK_COUNT);
  readonly writes = new Map<number, number>();

  openEpoch(producerId: string): { epoch: number; cursor: Cursor } {
    const { seq = 0, digest = '', epoch: kept = 0 } = this.cursors.get(producerId) ?? {};
    const epoch = Math.max(kept, this.epochs.get(producerId) ?? 0) + 1;
    this.epochs.set(producerId, epoch);
    this.cursors.set(producerId, { epoch, seq, digest });
    return { epoch, cursor: { seq, digest } };
  }

  apply(delta: ServiceDelta): ApplyResult {
    const stored = (producerId: string) => this.cursors.get(producerId) ?? { epoch: 0, seq: 0, digest: '' };
    const fenced = delta.cursors.filter((each) => stored(each.producerId).epoch > each.epoch);
    if (fenced.length > 0) return { status: 'fenced', producerIds: fenced.map((each) => each.producerId) };
    const moved = delta.cursors.filter((each) => stored(each.producerId).seq !== each.expectedSeq);
    if (moved.length > 0) {
      const truth = moved.map(({ producerId }): [string, Cursor] => {
        const { seq, digest } = stored(producerId);
        return [producerId, { seq, digest }];
      });
      return { status: 'moved', cursors: new Map(truth) };
    }
    for (const { producerId, epoch, seq, digest } of delta.cursors)
      this.cursors.set(producerId, { epoch, seq, digest });
    return { status: 'applied', saturated: this.#count(delta) };
  }

  #count(delta: ServiceDelta): number {
    const pages = new Set<number>();
    let saturated = 0;
    const add = (counters: Float64Array, at: number, n: number) => {
      counters[at] = Math.min((counters[at] ?? 0) + n, COUNTER_MAX);
      if (n > 0 && counters[at] === COUNTER_MAX) saturated += 1;
    };
    const pageOf = (minute: number) => Math.floor(minute / PAGE_MINUTES);
    for (const [minute, increments] of delta.tallies) {
      for (const [measure, n] of increments.entries())
        add(this.tallies, (minute - FIRST_MINUTE) * MEASURE_COUNT + measure, n);
      if (increments.some((n) => n > 0)) pages.add(pageOf(minute));
    }
    for (const minute of delta.alive) {
      this.alive[minute - FIRST_MINUTE] = 1;
      pages.add(pageOf(minute));
    }
    for (const [slot, n] of delta.late) {
      add(this.late, (slot - FIRST_MINUTE) / 5, n);
      if (n > 0) pages.add(pageOf(slot));
    }
    for (const { origin, n } of delta.origins) {
      const key = JSON.stringify(origin);
      if (n > 0) this.origins.set(key, (this.origins.get(key) ?? 0) + n);
    }
    const callbackPages = new Set<number>();
    for (const [minute, increments] of delta.callbacks ?? []) {
      for (const [measure, n] of increments.entries())
        add(this.callbacks, (minute - FIRST_MINUTE) * CALLBACK_COUNT + measure, n);
      if (increments.some((n) => n > 0)) callbackPages.add(pageOf(minute));
    }
    for (const page of [...pages, ...callbackPages]) this.writes.set(page, (this.writes.get(page) ?? 0) + 1);
    return saturated;
  }
}

/** A call of a test run; `drift` is how far from the truth the caller believes a cursor to be. */
type Call =
  | { readonly kind: 'openEpoch'; readonly producer: string }
  | { readonly kind: 'repeat' }
  | {
      readonly kind: 'apply';
      readonly moves: readonly { producer: string; drift: number; steps: number; epochDrift: number }[];
      readonly gains: Omit<ServiceDelta, 'service' | 'cursors'>;
    };

const minuteArbitrary = fc
  .oneof(
    fc.constantFrom(0, PAGE_MINUTES - 1, PAGE_MINUTES, 2 * PAGE_MINUTES - 1, 2 * PAGE_MINUTES, MINUTES - 1),
    fc.integer({ min: 0, max: MINUTES - 1 }),
  )
  .map((minute) => FIRST_MINUTE + minute);
const slotArbitrary = minuteArbitrary.map((minute) => minute - (minute % 5));
const countArbitrary = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(COUNTER_MAX - 1, COUNTER_MAX, COUNTER_MAX + 1, Number.MAX_SAFE_INTEGER),
  },
);
const increments = fc.array(countArbitrary, { minLength: MEASURE_COUNT, maxLength: MEASURE_COUNT });
const callbackIncrements = fc.array(countArbitrary, {
  minLength: CALLBACK_COUNT,
  maxLength: CALLBACK_COUNT,
});
const usually = (value: number, ...others: number[]) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constant(value) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const callArbitrary: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('openEpoch' as const),
      producer: fc.constantFrom(...PRODUCERS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      moves: fc.uniqueArray(
        fc.record({
          producer: fc.constantFrom(...PRODUCERS),
          drift: usually(0, 1, -1, 5),
          steps: fc.integer({ min: 1, max: 3 }),
          epochDrift: usually(0, 1, -1),
        }),
        { minLength: 1, selector: (each) => each.producer },
      ),
      gains: fc.record({
        tallies: fc
          .array(fc.tuple(minuteArbitrary, increments), { maxLength: 8 })
          .map((rows) => new Map(rows)),
        alive: fc.array(minuteArbitrary, { maxLength: 8 }).map((minutes) => new Set(minutes)),
        late: fc
          .array(fc.tuple(slotArbitrary, countArbitrary), { maxLength: 4 })
          .map((rows) => new Map(rows)),
        callbacks: fc
          .array(fc.tuple(minuteArbitrary, callbackIncrements), { maxLength: 4 })
          .map((rows) => new Map(rows)),
        origins: fc.array(
          fc.record({
            origin: fc.record({
              slotMinute: fc.integer({ min: 0, max: 11 }).map((slot) => NOW_MINUTE - 60 + slot * 5),
              region: fc.constantFrom('', 'r', 'r\u001f'),
              platform: fc.constantFrom('', 'native'),
              cause: fc.constantFrom('provider', 'unknown'),
              code: fc.constantFrom('', EVENT.code),
            }),
            n: fc.integer({ min: 0, max: 50 }),
          }),
          { maxLength: 5 },
        ),
      }),
    }),
  },
);

/** Any sequence of calls, right and wrong, repeated and fenced: the books hold what the model holds. */
export function describeFactModel(name: string, open: OpenStore): void {
  describe(`${name} against the model`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    it('answers and holds the same after any sequence of calls', { timeout: 120_000 }, async () => {
      const property = fc.asyncProperty(fc.array(callArbitrary, { maxLength: 25 }), async (calls) => {
        await runCalls(store, calls);
      });
      await fc.assert(property, { numRuns: 60 });
    });
  });
}

async function runCalls(store: Store, calls: readonly Call[]): Promise<void> {
  const service = freshService();
  const nameOf = (producer: string) => `${service}-${producer}`;
  const model = new Model();
  let last: ServiceDelta | null = null;
  for (const call of calls) {
    if (call.kind === 'openEpoch') {
      const producerId = nameOf(call.producer);
      const opened = await store.facts.openEpoch({ producerId, services: [service], nowMs: NOW_MS });
      const { epoch, cursor } = model.openEpoch(producerId);
      expect(opened).toEqual({ epoch, cursors: new Map([[service, cursor]]) });
      continue;
    }
    if (call.kind === 'apply') last = deltaFor(service, model, call, nameOf);
    if (last !== null) expect(await store.facts.apply(last, NOW_MS)).toEqual(model.apply(last));
  }
  await expectSame(store, service, model);
}

function deltaFor(
  service: string,
  model: Model,
  call: Extract<Call, { kind: 'apply' }>,
  nameOf: (producer: string) => string,
): ServiceDelta {
  const cursors = call.moves.map(({ producer, drift, steps, epochDrift }) => {
    const producerId = nameOf(producer);
    const { seq = 0, epoch = 1 } = model.cursors.get(producerId) ?? {};
    const expectedSeq = Math.max(0, seq + drift);
    const next = expectedSeq + steps;
    return {
      producerId,
      epoch: Math.max(0, epoch + epochDrift),
      expectedSeq,
      seq: next,
      digest: digestOf(next),
    };
  });
  return deltaOf(service, cursors, call.gains);
}

async function expectSame(store: Store, service: string, model: Model): Promise<void> {
  const facts = await store.facts.readMinutes(service, FIRST_MINUTE, FIRST_MINUTE + MINUTES);
  expect(Float64Array.from(facts.tallies)).toEqual(model.tallies);
  expect(facts.alive).toEqual(model.alive);
  expect(Float64Array.from(facts.late)).toEqual(model.late);
  const callbacks = facts.callbacks ?? new Uint32Array(MINUTES * CALLBACK_COUNT);
  expect(Float64Array.from(callbacks)).toEqual(model.callbacks);
  expect(new Map(await store.facts.revisions(service))).toEqual(model.writes);
  const origins = await store.facts.origins(service, FIRST_MINUTE, FIRST_MINUTE + MINUTES);
  const found = origins.map(({ origin, n }): [string, number] => {
    const { slotMinute, region, platform, cause, code } = origin;
    return [JSON.stringify({ slotMinute, region, platform, cause, code }), n];
  });
  expect(new Map(found)).toEqual(model.origins);
}
