import { strict as assert } from 'node:assert';
import {
  COUNTER_MAX,
  emptyFacts,
  MEASURE_COUNT,
  MEASURE_INDEX,
  MINUTE_MS,
  type MinuteFacts,
} from '../../sla/facts.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import { ABSENT } from './byte-text.ts';
import type { IdMemory } from './id-memory.ts';
import type { ScannedOutcome } from './scanned-outcome.ts';
import type { LineFault, ScanSink } from './scanner.ts';

/** Two reports with one id count once when their outcomes started at most this far apart. */
export const ID_SPAN_MINUTES = 24 * 60;

/** Records refused for one reason, and where the first of them stands. */
export interface Refusals {
  readonly code: LineFault['code'];
  readonly field: string;
  readonly count: number;
  /** 'FILE:LINE' of the first one, and what was wrong with it. */
  readonly firstAt: string;
  readonly firstMessage: string;
}

export interface ReplayCounts {
  /** Outcomes in the books, each counted `count` times. */
  readonly counted: number;
  readonly otherServices: number;
  readonly outsideMonth: number;
  /** Started at or after the instant that the reading is made for. */
  readonly afterNow: number;
  readonly repeated: number;
  /** Attempts beyond what a minute's counter holds. */
  readonly saturated: number;
  readonly idsForgottenEarly: number;
}

/**
 * The books of one service's month while files are replayed into them. As large as the month, however many
 * outcomes there are.
 */
export class ReplayBooks implements ScanSink {
  readonly #facts: MinuteFacts;
  readonly #endMs: number;
  readonly #ids: IdMemory;
  readonly #refusals = new Map<string, Refusals>();
  #file = '';
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #counted = 0;
  #otherServices = 0;
  #outsideMonth = 0;
  #afterNow = 0;
  #repeated = 0;
  #saturated = 0;

  /** @param endMs  outcomes that started then or later are left out */
  constructor({ month, endMs, ids }: { month: ServiceMonth; endMs: number; ids: IdMemory }) {
    // The tallies are laid out for a month that begins on the five-minute grid, which serviceMonth promises.
    assert(month.firstMinute % 5 === 0);
    this.#facts = emptyFacts(month.firstMinute, month.minuteCount);
    this.#endMs = endMs;
    this.#ids = ids;
  }

  /** Names the file that the next lines are from. */
  beginFile(name: string): void {
    this.#file = name;
  }

  take(outcome: ScannedOutcome): void {
    const { startedAtMs } = outcome;
    if (startedAtMs >= this.#endMs) {
      this.#afterNow++;
      return;
    }
    if (startedAtMs < this.#firstMs) this.#firstMs = startedAtMs;
    if (startedAtMs > this.#lastMs) this.#lastMs = startedAtMs;
    const minute = Math.floor(startedAtMs / MINUTE_MS);
    const index = minute - this.#facts.firstMinute;
    if (index < 0 || index >= this.#facts.minuteCount) {
      this.#outsideMonth++;
      return;
    }
    if (outcome.hasId && this.#ids.isRepeat(outcome.idHash(), minute)) {
      this.#repeated++;
      return;
    }
    this.#counted++;
    this.#add(index * MEASURE_COUNT, outcome);
  }

  skip(): void {
    this.#otherServices++;
  }

  refuse(fault: LineFault, line: number): void {
    const reason = `${fault.code} ${fault.field}`;
    const known = this.#refusals.get(reason);
    const count = (known?.count ?? 0) + 1;
    const first = known ?? { firstAt: `${this.#file}:${line}`, firstMessage: fault.message };
    const { firstAt, firstMessage } = first;
    this.#refusals.set(reason, { code: fault.code, field: fault.field, count, firstAt, firstMessage });
  }

  /**
   * The month's facts. Between the first and the last outcome of the service, in whatever month, somebody was
   * watching: a window without outcomes is idle there, and unmeasured before and after.
   */
  facts(): MinuteFacts {
    const { firstMinute, minuteCount, alive } = this.#facts;
    if (this.#firstMs > this.#lastMs) return this.#facts;
    const from = Math.floor(this.#firstMs / MINUTE_MS) - firstMinute;
    const to = Math.floor(this.#lastMs / MINUTE_MS) - firstMinute + 1;
    if (from < minuteCount && to > 0) alive.fill(1, Math.max(0, from), Math.min(minuteCount, to));
    return this.#facts;
  }

  counts(): ReplayCounts {
    return {
      counted: this.#counted,
      otherServices: this.#otherServices,
      outsideMonth: this.#outsideMonth,
      afterNow: this.#afterNow,
      repeated: this.#repeated,
      saturated: this.#saturated,
      idsForgottenEarly: this.#ids.forgottenEarly,
    };
  }

  /** The most frequent reason first. Bounded by the number of codes and fields. */
  refusals(): readonly Refusals[] {
    return [...this.#refusals.values()].toSorted((a, b) => b.count - a.count);
  }

  #add(at: number, outcome: ScannedOutcome): void {
    const { tallies } = this.#facts;
    const attempts = tallies[at + MEASURE_INDEX.attempts]!;
    // Attempts and failures stop together, or there would be more failures than attempts.
    const count = Math.min(outcome.count, COUNTER_MAX - attempts);
    this.#saturated += outcome.count - count;
    tallies[at + MEASURE_INDEX.attempts] = attempts + count;
    if (outcome.causeIndex === ABSENT) return;
    // The causes follow the attempts, in the order of CAUSES.
    const failures = at + MEASURE_INDEX.attempts + 1 + outcome.causeIndex;
    tallies[failures] = tallies[failures]! + count;
  }
}
