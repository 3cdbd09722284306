import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Generator } from '../../agent/simulate/generate.ts';
import { PLAN_DEFAULTS } from '../../agent/simulate/plan.ts';
import { alertingSchema } from '../../alerts/config.ts';
import { createAlerting } from '../../alerts/pipeline.ts';
import { type Announcement, decide } from '../../alerts/policy.ts';
import { rehearse } from '../../alerts/rehearsal.ts';
import { DEFAULT_SETTINGS } from '../../alerts/settings.ts';
import { sightOf } from '../../alerts/sight.ts';
import { EMPTY_STATE } from '../../alerts/state.ts';
import { timingOf } from '../../alerts/timing.ts';
import { emptyFacts, MEASURE_COUNT, MEASURE_INDEX, type MinuteFacts } from '../../sla/facts.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { read } from '../../sla/read.ts';
import type { Reading } from '../../sla/reading.ts';
import { createTally } from '../../sla/tally.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';
import { route } from './play.ts';
import { MINUTE_MS } from './scene.ts';

const SERVICE = 'acme';

function monthOf(terms: object): { terms: Terms; month: ServiceMonth } {
  const parsed = parseTerms({ timeZone: 'UTC', ...terms });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  const found = serviceMonth('2026-11', parsed.terms);
  if (!found.ok) throw new Error(found.message);
  return { terms: parsed.terms, month: found.month };
}

/** "11-02 13:00:59 firing near 99.9". */
function lineOf({ alert }: Announcement, atMs = alert.decidedAtMs): string {
  const at = new Date(atMs).toISOString();
  return [`${at.slice(5, 10)} ${at.slice(11, 19)}`, alert.kind, alert.step, alert.line]
    .filter(Boolean)
    .join(' ');
}

/** Steady traffic with a share of failures in each span. */
function factsOf(month: ServiceMonth, perMinute: number, spans: readonly Span[]): MinuteFacts {
  const facts = emptyFacts(month.firstMinute, month.minuteCount);
  for (let i = 0; i < month.minuteCount; i += 1) {
    facts.alive[i] = 1;
    facts.tallies[i * MEASURE_COUNT] = perMinute;
  }
  for (const { from, minutes, share } of spans) {
    const start = Math.floor(from * month.minuteCount);
    for (let i = start; i < Math.min(month.minuteCount, start + minutes); i += 1) {
      facts.tallies[i * MEASURE_COUNT + MEASURE_INDEX.unknown] = Math.round(perMinute * share);
    }
  }
  return facts;
}

interface Span {
  /** Share of the month at which it begins. */
  readonly from: number;
  readonly minutes: number;
  readonly share: number;
}

/** Looks at every minute's end, every window's end and after every wait, whether or not anything can have changed. */
function withoutSkipping(facts: MinuteFacts, month: ServiceMonth, terms: Terms): string[] {
  let state = EMPTY_STATE;
  const said: string[] = [];
  let latest: { readonly atMs: number; readonly reading: Reading } | undefined;
  const readAt = (nowMs: number) => {
    if (latest?.atMs === nowMs) return latest.reading;
    const reading = read({ service: SERVICE, month, facts, terms, exclusions: [], nowMs });
    latest = { atMs: nowMs, reading };
    return reading;
  };
  const look = (nowMs: number, readAtMs: number) => {
    const reading = readAt(readAtMs);
    const decided = decide(state, {
      ...{ service: SERVICE, nowMs, reading, closed: [], timeZone: 'UTC', where: null },
      ...{ settings: DEFAULT_SETTINGS, routes: [route()], silences: [], acknowledgements: new Map() },
      sight: { lastAliveAtMs: nowMs, listeningSinceMs: 0, recent: [] },
    });
    state = decided.state;
    said.push(...decided.announcements.map((one) => lineOf(one)));
  };
  for (let minute = month.firstMinute + 1; minute <= month.firstMinute + month.minuteCount; minute += 1) {
    const endMs = minute * MINUTE_MS;
    look(endMs - 1, endMs - 1);
    if (endMs === month.endMs) break;
    const isWindowEnd = minute % 5 === 0;
    if (isWindowEnd) look(endMs, endMs);
    const seenAtMs = isWindowEnd ? endMs : endMs - 1;
    look(endMs - 1 + 15_000, seenAtMs);
    look(endMs + 15_000, seenAtMs);
  }
  return said;
}

describe('a rehearsal', () => {
  it('says what looking at every single minute says', { timeout: 120_000 }, () => {
    const span = fc.record({
      from: fc.double({ min: 0, max: 0.99, noNaN: true }),
      minutes: fc.integer({ min: 1, max: 40 }),
      share: fc.constantFrom(0.005, 0.009, 0.012, 0.05, 0.5, 1),
    });
    // A day of which two windows may be lost, so that every step has its turn.
    const target = { target: '99', tiers: [{ below: '99', voucherPercent: 10 }] };
    const { terms, month } = monthOf({ ...target, serviceStart: '2026-11-01', serviceEnd: '2026-11-01' });
    let spoken = 0;
    fc.assert(
      fc.property(
        fc.array(span, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(3, 200, 1_000),
        (spans, perMinute) => {
          const facts = factsOf(month, perMinute, spans);
          const request = { service: SERVICE, month, facts, terms, exclusions: [], untilMs: month.endMs };
          const rehearsed = [
            ...rehearse({ ...request, settings: DEFAULT_SETTINGS, routes: [route()] }),
          ].flat();
          spoken += rehearsed.length;
          expect(rehearsed.map((one) => lineOf(one))).toEqual(withoutSkipping(facts, month, terms));
        },
      ),
      { numRuns: 5 },
    );
    expect(spoken).toBeGreaterThan(0);
  });

  it('says what the pipeline says that looks every ten seconds while the outcomes come in, at most a minute later', {
    timeout: 120_000,
  }, async () => {
    const { terms, month } = monthOf({ serviceStart: '2026-11-01', serviceEnd: '2026-11-01' });
    // A part month of one day allows none; the tiers below do.
    const fromMs = month.startMs + 2 * 3_600_000;
    const toMs = fromMs + 100 * MINUTE_MS;
    const incidents = [
      { fromMs: fromMs + 31 * MINUTE_MS + 20_000, toMs: fromMs + 52 * MINUTE_MS + 40_000, share: 0.4 },
      { fromMs: fromMs + 70 * MINUTE_MS + 5_000, toMs: fromMs + 71 * MINUTE_MS, share: 1 },
    ];
    const generator = new Generator({ ...PLAN_DEFAULTS, services: [SERVICE], incidents });
    const config = alertingSchema.parse({});
    let nowMs = fromMs;
    const alerting = createAlerting({
      ledger: unusedLedger,
      journal: { append: async () => 0, read: async () => ({ revision: 0, entries: [] }) },
      services: async () => [SERVICE],
      settings: DEFAULT_SETTINGS,
      receivers: [hearsEverything],
      nowMs: () => nowMs,
      random: () => 0.5,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      observer: { sent() {}, failed() {} },
      dryRun: true,
      timing: timingOf(config),
    });
    const tally = createTally(month.firstMinute, month.minuteCount);
    const live: string[] = [];
    const times: number[] = [];
    for (; nowMs < toMs; nowMs += 10_000) {
      for (const outcome of generator.outcomes(nowMs, nowMs + 10_000)) {
        tally.add({ ...outcome, startedAtMs: outcome.at }, outcome.cause ?? 'unknown');
      }
      tally.markAlive(Math.floor(nowMs / MINUTE_MS));
      const atMs = nowMs + 9_999;
      const facts = tally.facts();
      const reading = read({ service: SERVICE, month, facts, terms, exclusions: [], nowMs: atMs });
      const sight = sightOf(facts, 0, atMs);
      const decided = await alerting.consider(SERVICE, { reading, closed: [], timeZone: 'UTC', sight });
      for (const { alert } of decided.announcements) {
        live.push([alert.kind, alert.step, alert.line].join(' '));
        times.push(atMs);
      }
    }
    tally.markWatched();
    const rehearsed = [
      ...rehearse({
        ...{ service: SERVICE, month, facts: tally.facts(), terms, exclusions: [], untilMs: toMs },
        ...{ settings: DEFAULT_SETTINGS, routes: [route()] },
      }),
    ].flat();
    expect(rehearsed.map(({ alert }) => [alert.kind, alert.step, alert.line].join(' '))).toEqual(live);
    expect(live).toContain('firing breached 99.9');
    expect(live).toContain('firing breached 99.5');
    expect(live).toContain('firing breached 99');
    expect(live.filter((line) => line === 'resolved entry-failing ')).toHaveLength(2);
    for (const [i, { alert }] of rehearsed.entries()) {
      const laterMs = alert.decidedAtMs - times[i]!;
      // What begins within a minute waits for its end here; what a window decides waits for the next look there.
      expect(laterMs, live[i]).toBeGreaterThanOrEqual(-20_000);
      expect(laterMs, live[i]).toBeLessThanOrEqual(MINUTE_MS);
    }
  });

  it('says nothing of a lower step when the higher one that was told ends, but to whom it was not told', () => {
    const { terms, month } = monthOf({});
    const facts = factsOf(month, 300, [{ from: 0.4, minutes: 23, share: 1 }]);
    const said = [
      ...rehearse({
        ...{ service: SERVICE, month, facts, terms, exclusions: [], untilMs: month.endMs },
        ...{ settings: DEFAULT_SETTINGS, routes: [route(), route('books', { steps: ['budget'] })] },
      }),
    ]
      .flat()
      .filter(({ alert }) => alert.step !== 'entry-failing')
      .map(({ receiver, alert }) => `${receiver}: ${alert.kind} ${alert.step}`);
    expect(said).toEqual(['ops: firing near', 'books: firing budget', 'ops: resolved near']);
  });

  it('goes on to the end of the month and of its claim, and not beyond the instant that was asked for', () => {
    const { terms, month } = monthOf({ serviceStart: '2026-11-01', serviceEnd: '2026-11-01' });
    const facts = factsOf(month, 100, [{ from: 0.5, minutes: 5, share: 1 }]);
    const until = (untilMs: number) =>
      [
        ...rehearse({
          ...{ service: SERVICE, month, facts, terms, exclusions: [], untilMs },
          ...{ settings: DEFAULT_SETTINGS, routes: [route()] },
        }),
      ]
        .flat()
        .map((one) => lineOf(one))
        .filter((line) => !line.includes('entry-failing'));
    expect(until(Number.POSITIVE_INFINITY)).toEqual([
      '11-01 12:05:15 firing breached 99.9',
      '11-02 00:00:00 resolved breached 99.9',
      // After the fifth business day of December, and 14 and 3 days before the end of 2026-12-31.
      '12-08 00:00:00 firing claim',
      '12-18 00:00:00 reminder claim',
      '12-29 00:00:00 reminder claim',
      '01-01 00:00:00 resolved claim',
    ]);
    expect(until(Date.parse('2026-12-18T00:00:00Z')).at(-1)).toBe('12-08 00:00:00 firing claim');
    expect(until(month.startMs + 12 * 3_600_000 + 5 * MINUTE_MS)).toEqual([]);
  });
});

const never = (): never => {
  throw new Error('a dry run keeps nothing');
};
const unusedLedger = {
  load: never,
  commit: never,
  claim: never,
  settle: never,
  claimableAt: never,
  backlog: never,
};
const hearsEverything = {
  kind: 'mirror',
  name: 'ops',
  route: route(),
  replicas: [],
} as const;
