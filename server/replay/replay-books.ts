import { CAUSES } from '../../sla/cause.ts';
import { MINUTE_MS, type MinuteFacts } from '../../sla/facts.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import { createTally, type Tally } from '../../sla/tally.ts';
import { IdPartitions } from './id-partitions.ts';
import type { ScannedOutcome } from './scanned-outcome.ts';
import type { LineFault, ScanSink } from './scanner.ts';

/** Two reports with one id count once when their outcomes started at most this far apart. */
export const ID_SPAN_MINUTES = 24 * 60;

/** In the place of a cause's index. */
const SUCCEEDED = -1;

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
  /** Records in the books, whatever their `count`. */
  readonly counted: number;
  readonly otherServices: number;
  readonly outsideMonth: number;
  /** Started at or after the instant that the reading is made for. */
  readonly afterNow: number;
  readonly repeated: number;
  /** Records that a minute had no or not enough room for. */
  readonly saturated: number;
  readonly idsForgottenEarly: number;
}

/**
 * The books of one service's month while files are replayed into them. As large as the month, however many
 * outcomes there are.
 */
export class ReplayBooks implements ScanSink {
  readonly #tally: Tally;
  readonly #startMs: number;
  readonly #monthEndMs: number;
  readonly #endMs: number;
  readonly #ids: IdPartitions;
  readonly #refusals = new Map<string, Refusals>();
  #file = '';
  #counted = 0;
  #otherServices = 0;
  #outsideMonth = 0;
  #afterNow = 0;

  /** @param endMs  outcomes that started then or later are left out */
  constructor({
    month,
    endMs,
    idSpanMinutes,
  }: { month: ServiceMonth; endMs: number; idSpanMinutes: number }) {
    const { firstMinute } = month;
    this.#tally = createTally(firstMinute, month.minuteCount);
    this.#startMs = month.startMs;
    this.#monthEndMs = month.endMs;
    this.#endMs = endMs;
    // One object for all, as in ScannedOutcome; a tally asks for no more than the minute.
    const outcome = { startedAtMs: 0, result: 'ok' as 'ok' | 'failed', count: 1 };
    this.#ids = new IdPartitions({ spanMinutes: idSpanMinutes, firstMinute }, (minute, count, causeIndex) => {
      outcome.startedAtMs = minute * MINUTE_MS;
      const hasSucceeded = causeIndex === SUCCEEDED;
      outcome.result = hasSucceeded ? 'ok' : 'failed';
      outcome.count = count;
      this.#tally.add(outcome, hasSucceeded ? 'unknown' : CAUSES[causeIndex]!);
      this.#counted++;
    });
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
    // Only the month's ids are remembered: the others would push them out.
    const isInMonth = startedAtMs >= this.#startMs && startedAtMs < this.#monthEndMs;
    if (isInMonth && outcome.id !== undefined) {
      const causeIndex = outcome.result === 'ok' ? SUCCEEDED : CAUSES.indexOf(outcome.cause);
      this.#ids.put(outcome.id, Math.floor(startedAtMs / MINUTE_MS), outcome.count, causeIndex);
      return;
    }
    if (this.#tally.add(outcome, outcome.cause)) this.#counted++;
    else this.#outsideMonth++;
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
    this.#ids.settle();
    this.#tally.markWatched();
    return this.#tally.facts();
  }

  counts(): ReplayCounts {
    this.#ids.settle();
    return {
      counted: this.#counted,
      otherServices: this.#otherServices,
      outsideMonth: this.#outsideMonth,
      afterNow: this.#afterNow,
      repeated: this.#ids.repeated,
      saturated: this.#tally.saturated,
      idsForgottenEarly: this.#ids.forgottenEarly,
    };
  }

  /** The most frequent reason first. Bounded by the number of codes and fields. */
  refusals(): readonly Refusals[] {
    return [...this.#refusals.values()].toSorted((a, b) => b.count - a.count);
  }
}
