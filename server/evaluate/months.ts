import { setImmediate as turn } from 'node:timers/promises';
import { claimOf } from '../../sla/claim.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { LATE_SLOT_MINUTES, MINUTE_MS, type MinuteFacts } from '../../sla/facts.ts';
import { addTransitions, type Transitions, transitionsOf } from '../../sla/forecast.ts';
import { judgeMonth, type MonthVerdicts } from '../../sla/judge-month.ts';
import { monthAt, type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { type ReadInput, read } from '../../sla/read.ts';
import type { Reading } from '../../sla/reading.ts';
import type { Terms } from '../../sla/terms.ts';
import type { FactsCache, FactsSnapshot } from '../facts-cache.ts';

/** Minutes before a month that its first windows' expectation and the last hour's coverage look at. */
const LEAD_MINUTES = 60;
/** Outcomes ahead of the clock are counted up to a minute from now; the rest of the slot is empty. */
const AHEAD_MINUTES = 2 * LATE_SLOT_MINUTES;
/** Earlier months whose windows the forecast learns from, at least. */
const HISTORY_MONTHS = 3;
/** Earlier months that are looked at at most, whatever a claim's deadline says. */
const MOST_EARLIER_MONTHS = 13;
/** Ended months kept of each service. */
const KEPT_MONTHS = 16;

export interface MonthsOptions {
  readonly cache: FactsCache;
  readonly termsOf: (service: string) => Terms;
  /** The same array until something changed. */
  readonly exclusionsOf: (service: string) => readonly Exclusion[];
  readonly nowMs: () => number;
}

/** One service at one instant: what alerts, gauges and the API are made of. */
export interface Sighting {
  readonly service: string;
  readonly nowMs: number;
  readonly terms: Terms;
  /** Of the month in progress; null outside the service period. */
  readonly reading: Reading | null;
  /** Ended months whose claim deadline has not passed and of which something is known, oldest first. */
  readonly closed: readonly Reading[];
  /** Covers at least the last hour, as far as the service period does. */
  readonly facts: MinuteFacts;
  /** Milliseconds that were spent computing, waiting for the store left out. */
  readonly computedMs: number;
}

interface ClosedMonth {
  readonly key: string;
  readonly terms: Terms;
  readonly exclusions: readonly Exclusion[];
  readonly month: ServiceMonth;
  readonly reading: Reading;
  readonly transitions: Transitions;
}

/** A month with everything that was judged in it. */
export interface JudgedMonth {
  readonly month: ServiceMonth;
  readonly verdicts: MonthVerdicts;
}

export type FoundMonth<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

/** Reads months of services from their facts; ended ones are kept until their pages or terms change. */
export class Months {
  private readonly options: MonthsOptions;
  /** service -> month -> what it came to */
  private closed = new Map<string, Map<string, ClosedMonth>>();

  constructor(options: MonthsOptions) {
    this.options = options;
  }

  clear(): void {
    this.closed = new Map();
    this.options.cache.clear();
  }

  /** Everything about a service as of now. */
  async look(service: string): Promise<Sighting> {
    const { cache, termsOf, exclusionsOf } = this.options;
    const nowMs = this.options.nowMs();
    const terms = termsOf(service);
    const snapshot = await cache.snapshot(service);
    const current = monthAt(nowMs, terms);
    const clock = new Stopwatch();
    const earlier = await this.earlierMonths({ service, terms, snapshot, current, nowMs, clock });
    const found = serviceMonth(current, terms);
    const toMinute = Math.ceil(nowMs / MINUTE_MS / LATE_SLOT_MINUTES) * LATE_SLOT_MINUTES + AHEAD_MINUTES;
    const firstMinute = found.ok ? found.month.firstMinute : toMinute - AHEAD_MINUTES;
    const facts = await snapshot.load(firstMinute - LEAD_MINUTES, toMinute);
    const history = historyOf(earlier);
    const reading = clock.measure(() =>
      found.ok
        ? read(
            inputOf(
              { service, month: found.month, facts, terms, exclusions: exclusionsOf(service), nowMs },
              history,
            ),
          )
        : null,
    );
    const closed = earlier
      .filter((one) => nowMs < claimOf(one.month, terms).closesAtMs)
      .map((one) => one.reading);
    return { service, nowMs, terms, reading, closed, facts, computedMs: clock.elapsedMs };
  }

  /** The minutes of a month and the hour before it. */
  async facts(service: string, { firstMinute, minuteCount }: ServiceMonth): Promise<MinuteFacts> {
    const snapshot = await this.options.cache.snapshot(service);
    return snapshot.load(firstMinute - LEAD_MINUTES, firstMinute + minuteCount);
  }

  /** A month's windows as of now, judged anew. */
  async judge(service: string, name: string): Promise<FoundMonth<JudgedMonth>> {
    const { termsOf, exclusionsOf, nowMs } = this.options;
    const terms = termsOf(service);
    const found = serviceMonth(name, terms);
    if (!found.ok) return found;
    const { month } = found;
    const facts = await this.facts(service, month);
    const verdicts = judgeMonth({ month, facts, terms, exclusions: exclusionsOf(service), nowMs: nowMs() });
    return { ok: true, value: { month, verdicts } };
  }

  /** The reading of any month; one that has ended comes from what is kept when nothing changed. */
  async read(service: string, name: string): Promise<FoundMonth<Reading>> {
    const { cache, termsOf } = this.options;
    const nowMs = this.options.nowMs();
    const terms = termsOf(service);
    const found = serviceMonth(name, terms);
    if (!found.ok) return found;
    const snapshot = await cache.snapshot(service);
    const clock = new Stopwatch();
    const earlier = await this.earlierMonths({ service, terms, snapshot, current: name, nowMs, clock });
    const history = historyOf(earlier);
    const { month } = found;
    const facts = await snapshot.load(
      month.firstMinute - LEAD_MINUTES,
      month.firstMinute + month.minuteCount,
    );
    const exclusions = this.options.exclusionsOf(service);
    return {
      ok: true,
      value: read(inputOf({ service, month, facts, terms, exclusions, nowMs }, history)),
    };
  }

  /** The months before `current` that matter, oldest first; those of which nothing is known are left out. */
  private async earlierMonths(asked: {
    readonly service: string;
    readonly terms: Terms;
    readonly snapshot: FactsSnapshot;
    readonly current: string;
    readonly nowMs: number;
    readonly clock: Stopwatch;
  }): Promise<ClosedMonth[]> {
    const { service, terms, snapshot, current, nowMs, clock } = asked;
    const kept = this.closed.get(service) ?? new Map<string, ClosedMonth>();
    this.closed.set(service, kept);
    const months: ClosedMonth[] = [];
    let name = current;
    for (let back = 1; back <= MOST_EARLIER_MONTHS; back += 1) {
      name = monthBefore(name);
      const found = serviceMonth(name, terms);
      if (!found.ok) continue;
      const { month } = found;
      // Asked about a month to come: what lies before it has not ended either.
      if (month.endMs > nowMs) continue;
      if (back > HISTORY_MONTHS && claimOf(month, terms).closesAtMs <= nowMs) break;
      const toMinute = month.firstMinute + month.minuteCount;
      const key = snapshot.signatureOf(month.firstMinute, toMinute);
      if (key === '') continue;
      const exclusions = this.options.exclusionsOf(service);
      const known = kept.get(name);
      if (known && known.key === key && known.terms === terms && known.exclusions === exclusions) {
        months.push(known);
        continue;
      }
      const facts = await snapshot.load(month.firstMinute - LEAD_MINUTES, toMinute);
      const judged = clock.measure((): ClosedMonth => {
        const input = { service, month, facts, terms, exclusions, nowMs };
        const transitions = transitionsOf(judgeMonth(input));
        return { key, terms, exclusions, month, reading: read(input), transitions };
      });
      kept.delete(name);
      kept.set(name, judged);
      months.push(judged);
      // A service seen for the first time has several months to judge: others get their turn in between.
      await turn();
    }
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - KEPT_MONTHS))) kept.delete(oldest);
    return months.reverse();
  }
}

function inputOf(input: ReadInput, history: Transitions | undefined): ReadInput {
  return history === undefined ? input : { ...input, history };
}

function historyOf(months: readonly ClosedMonth[]): Transitions | undefined {
  const [first, ...rest] = months.map((month) => month.transitions);
  return first && rest.reduce(addTransitions, first);
}

/** 'YYYY-MM' of the calendar month before. */
function monthBefore(name: string): string {
  const [year, month] = name.split('-').map(Number) as [number, number];
  const before = month === 1 ? [year - 1, 12] : [year, month - 1];
  return `${before[0]}-${String(before[1]).padStart(2, '0')}`;
}

class Stopwatch {
  elapsedMs = 0;

  measure<T>(compute: () => T): T {
    const startedAtMs = performance.now();
    try {
      return compute();
    } finally {
      this.elapsedMs += performance.now() - startedAtMs;
    }
  }
}
