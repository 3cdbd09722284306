import type { Cause } from '../../sla/cause.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import type { MinuteFacts } from '../../sla/facts.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { read } from '../../sla/read.ts';
import type { Reading } from '../../sla/reading.ts';
import { createTally } from '../../sla/tally.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';

export function termsOf(record: Readonly<Record<string, unknown>> = {}): Terms {
  const parsed = parseTerms(record);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.terms;
}

export function monthOf(name: string, terms: Terms = termsOf()): ServiceMonth {
  const found = serviceMonth(name, terms);
  if (!found.ok) throw new Error(found.message);
  return found.month;
}

/** Attempts in one minute of a month, counted from its first; the failures among them by cause. */
export interface Entry {
  readonly minute: number;
  readonly attempts: number;
  readonly failures?: Partial<Record<Cause, number>>;
}

/** The facts of a month in which an agent was alive throughout, unless `alive` says in which minutes. */
export function factsOf(
  month: ServiceMonth,
  entries: readonly Entry[],
  alive?: readonly number[],
): MinuteFacts {
  const tally = createTally(month.firstMinute, month.minuteCount);
  for (const { minute, attempts, failures = {} } of entries) {
    const startedAtMs = (month.firstMinute + minute) * 60_000;
    let ok = attempts;
    for (const [cause, count] of Object.entries(failures) as [Cause, number][]) {
      if (count === 0) continue;
      tally.add({ startedAtMs, result: 'failed', count }, cause);
      ok -= count;
    }
    if (ok > 0) tally.add({ startedAtMs, result: 'ok', count: ok }, 'unknown');
  }
  const minutes = alive ?? Array.from({ length: month.minuteCount }, (_, minute) => minute);
  for (const minute of minutes) tally.markAlive(month.firstMinute + minute);
  return tally.facts();
}

/** Entries that lose the windows named, each with enough traffic not to be of low volume. */
export function losing(windows: readonly number[], windowMinutes = 5): Entry[] {
  return windows.map((window) => ({
    minute: window * windowMinutes,
    attempts: 1_000,
    failures: { provider: 500 },
  }));
}

export interface Scene {
  readonly month?: string;
  readonly terms?: Readonly<Record<string, unknown>>;
  readonly entries?: readonly Entry[];
  readonly alive?: readonly number[];
  readonly exclusions?: readonly Exclusion[];
  /** Minutes after the month's start; the month's end when left out. */
  readonly atMinute?: number;
}

/** The reading of a scene, for a service called acme. */
export function readScene(scene: Scene): Reading {
  const terms = termsOf(scene.terms);
  const month = monthOf(scene.month ?? '2026-07', terms);
  const nowMs = scene.atMinute === undefined ? month.endMs : month.startMs + scene.atMinute * 60_000;
  const facts = factsOf(month, scene.entries ?? [], scene.alive);
  return read({ service: 'acme', month, facts, terms, exclusions: scene.exclusions ?? [], nowMs });
}

/** An exclusion of minutes [from, to) of a month, counted from its first. */
export function excluding(month: ServiceMonth, from: number, to: number): Exclusion {
  return {
    service: 'acme',
    fromMs: month.startMs + from * 60_000,
    toMs: month.startMs + to * 60_000,
    clause: '4.12',
    author: 'ops',
    reason: 'flood',
  };
}
