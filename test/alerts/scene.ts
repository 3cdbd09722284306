import type { Circumstances } from '../../alerts/input.ts';
import { sightOf } from '../../alerts/sight.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { emptyFacts, MEASURE_COUNT, MEASURE_INDEX, type MinuteFacts } from '../../sla/facts.ts';
import { monthAt, serviceMonth } from '../../sla/month.ts';
import { read } from '../../sla/read.ts';
import type { Reading } from '../../sla/reading.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';

export const MINUTE_MS = 60_000;
export const WINDOW_MS = 5 * MINUTE_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Attempts in every minute, and how many of them fail in a minute of a lost window. */
const TRAFFIC = { attempts: 20, failures: 10 } as const;

/**
 * A service's life in virtual time: steady traffic from the first month's start on, windows that are lost,
 * minutes in which nobody watched, exclusions. What the policy is told comes from the real `read()`.
 */
export class Scene {
  readonly service: string;
  readonly terms: Terms;
  /** Start and end of the first month. */
  readonly startMs: number;
  readonly endMs: number;
  readonly windows: number;
  readonly exclusions: Exclusion[] = [];
  readonly #facts: MinuteFacts;
  /** Readings of ended months, until something is changed. */
  readonly #ended = new Map<string, Reading>();

  constructor({
    month = '2026-11',
    service = 'acme',
    terms = {},
    extraDays = 2,
  }: { month?: string; service?: string; terms?: object; extraDays?: number } = {}) {
    const parsed = parseTerms(terms);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    this.service = service;
    this.terms = parsed.terms;
    const first = this.#month(month);
    this.startMs = first.startMs;
    this.endMs = first.endMs;
    this.windows = first.windows;
    const minutes = (first.endMs - first.startMs + extraDays * DAY_MS) / MINUTE_MS;
    this.#facts = emptyFacts(first.startMs / MINUTE_MS, minutes);
    for (let i = 0; i < minutes; i += 1) {
      this.#facts.alive[i] = 1;
      this.#facts.tallies[i * MEASURE_COUNT] = TRAFFIC.attempts;
    }
  }

  /** Start of the n-th window of the first month, the first being 0. */
  windowAt(n: number): number {
    return this.startMs + n * WINDOW_MS;
  }

  /** Loses `count` windows from the n-th on. */
  lose(n: number, count = 1): this {
    this.fail(this.windowAt(n), this.windowAt(n + count), TRAFFIC);
    return this;
  }

  fail(fromMs: number, toMs: number, { attempts, failures }: { attempts: number; failures: number }): void {
    this.#each(fromMs, toMs, (i) => {
      this.#facts.tallies[i * MEASURE_COUNT] = attempts;
      this.#facts.tallies[i * MEASURE_COUNT + MEASURE_INDEX.unknown] = failures;
    });
  }

  /** Nobody watches, so nothing is counted either. */
  blind(fromMs: number, toMs: number): this {
    this.#each(fromMs, toMs, (i) => {
      this.#facts.alive[i] = 0;
      this.#facts.tallies.fill(0, i * MEASURE_COUNT, (i + 1) * MEASURE_COUNT);
    });
    return this;
  }

  /** Takes a span out, as an exclusion under clause 4.12 does. */
  exclude(fromMs: number, toMs: number): this {
    const { service } = this;
    this.#ended.clear();
    this.exclusions.push({ service, fromMs, toMs, clause: '4.12', author: 'test', reason: 'test' });
    return this;
  }

  /** What the daemon would tell the policy at this instant. */
  at(
    nowMs: number,
    { listeningSinceMs = this.startMs - DAY_MS } = {},
  ): Circumstances & { readonly reading: Reading } {
    const current = monthAt(nowMs, this.terms);
    const months = [monthAt(this.startMs, this.terms)].filter((month) => month < current);
    const facts = this.#until(nowMs);
    return {
      reading: this.read(current, nowMs),
      closed: months.map((month) => this.#readEnded(month, nowMs)),
      timeZone: this.terms.timeZone,
      sight: sightOf(facts, listeningSinceMs, nowMs),
    };
  }

  /** The same after the end of the service period: there is no month in progress any more. */
  after(nowMs: number): Circumstances {
    const month = monthAt(this.startMs, this.terms);
    return {
      reading: null,
      closed: [this.#readEnded(month, nowMs)],
      timeZone: this.terms.timeZone,
      sight: sightOf(this.#until(nowMs), this.startMs - DAY_MS, nowMs),
    };
  }

  read(month: string, nowMs: number): Reading {
    const { service, terms, exclusions } = this;
    return read({ service, month: this.#month(month), facts: this.#until(nowMs), terms, exclusions, nowMs });
  }

  #readEnded(month: string, nowMs: number): Reading {
    const known = this.#ended.get(month) ?? this.read(month, nowMs);
    this.#ended.set(month, known);
    return known;
  }

  #month(name: string) {
    const found = serviceMonth(name, this.terms);
    if (!found.ok) throw new Error(found.message);
    return found.month;
  }

  /** The facts as they were: the minute in progress is the last one that anybody knows of. */
  #until(nowMs: number): MinuteFacts {
    const known = Math.floor(nowMs / MINUTE_MS) + 1 - this.#facts.firstMinute;
    const minuteCount = Math.max(0, Math.min(this.#facts.minuteCount, Math.ceil(known / 5) * 5));
    const alive = this.#facts.alive.slice(0, minuteCount);
    const tallies = this.#facts.tallies.slice(0, minuteCount * MEASURE_COUNT);
    alive.fill(0, known);
    tallies.fill(0, known * MEASURE_COUNT);
    return { ...this.#facts, minuteCount, alive, tallies, late: this.#facts.late.slice(0, minuteCount / 5) };
  }

  #each(fromMs: number, toMs: number, change: (i: number) => void): void {
    this.#ended.clear();
    for (let ms = fromMs; ms < toMs; ms += MINUTE_MS) change(ms / MINUTE_MS - this.#facts.firstMinute);
  }
}
