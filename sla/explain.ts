import {
  type Exclusion,
  type ExclusionClause,
  type ExclusionRecord,
  excludedMinutes,
  exclusionRecord,
} from './exclusion.ts';
import { instantText } from './instant.ts';
import type { MonthVerdicts } from './judge-month.ts';
import { errorRateOf } from './mean-error.ts';
import type { Terms } from './terms.ts';
import type { Verdict } from './verdict.ts';
import { closesAtMs, spansOf } from './window.ts';
import { rowOf, type WindowRow } from './window-row.ts';

/** Why a window has its verdict, and what would change it. Plain data; `sentences` say the same to a person. */
export interface Explanation {
  readonly window: WindowRow;
  /** Elapsed stretches: one as a rule, two where the clock showed the window twice. End excluded. */
  readonly spans: readonly { readonly from: string; readonly to: string }[];
  /** `future`: not begun. `open`: in progress. `provisional`: within the grace. `closed`: what comes is a revision. */
  readonly state: 'future' | 'open' | 'provisional' | 'closed';
  readonly closesAt: string;
  readonly rule: { readonly clause: string; readonly text: string };
  readonly exclusions: readonly ExclusionRecord[];
  /** What would turn the verdict; null where no count decides it. */
  readonly change: Change | null;
  readonly sentences: readonly string[];
}

export type Change =
  /** A down window: either of these would have kept it. `successes` null = no number would. */
  | { readonly kind: 'to-up'; readonly reattributed: number; readonly successes: number | null }
  /** An up window: this many more failures would have lost it. */
  | { readonly kind: 'to-down'; readonly failures: number };

/**
 * @param window      from 0 to month.windows - 1, see `windowOf`
 * @param exclusions  the service's, as given to `judgeMonth`
 */
export function explainWindow(
  verdicts: MonthVerdicts,
  window: number,
  exclusions: readonly Exclusion[],
): Explanation {
  const { month, terms, nowMs } = verdicts;
  const row = rowOf(verdicts, window);
  const spans = spansOf(month, window);
  const closes = closesAtMs(month, window, terms.graceMinutes);
  const touching = exclusions.filter(({ fromMs, toMs }) =>
    spans.some((span) => fromMs < span.toMinute * 60_000 && toMs > span.fromMinute * 60_000),
  );
  const isBelow = verdicts.isBelow[window] === 1;
  const change = changeOf(row, terms);
  const state = stateOf({ nowMs, closes, from: (spans[0]?.fromMinute ?? 0) * 60_000, row });
  return {
    window: row,
    spans: spans.map(({ fromMinute, toMinute }) => ({
      from: instantText(fromMinute * 60_000),
      to: instantText(toMinute * 60_000),
    })),
    state,
    closesAt: instantText(closes),
    rule: ruleOf(row.verdict, terms, {
      isBelow,
      isEmpty: row.attempts === 0,
      clauses: touching.map(({ clause }) => clause),
    }),
    exclusions: touching.map(exclusionRecord),
    change,
    sentences: sentencesOf(row, { terms, state, change, isBelow, doubly: doublyExcluded(spans, touching) }),
  };
}

/** Minutes of the window that more than one exclusion touches. */
function doublyExcluded(spans: ReturnType<typeof spansOf>, exclusions: readonly Exclusion[]): number {
  let doubly = 0;
  for (const { fromMinute, toMinute } of spans) {
    const span = { firstMinute: fromMinute, minuteCount: toMinute - fromMinute };
    const covers = new Uint32Array(span.minuteCount);
    for (const exclusion of exclusions) {
      excludedMinutes([exclusion], span)?.forEach((mark, minute) => {
        covers[minute]! += mark;
      });
    }
    doubly += covers.filter((count) => count > 1).length;
  }
  return doubly;
}

function stateOf(at: { nowMs: number; closes: number; from: number; row: WindowRow }): Explanation['state'] {
  if (at.nowMs < at.from) return 'future';
  if (at.row.verdict === 'remaining') return 'open';
  return at.nowMs < at.closes ? 'provisional' : 'closed';
}

/** The least change of counts on the other side of the threshold `part/whole >= n/d`; integers only. */
function changeOf({ verdict, counted }: WindowRow, terms: Terms): Change | null {
  const { numerator, denominator } = terms.threshold;
  const tolerated = BigInt(denominator - numerator);
  const scale = BigInt(denominator);
  const attempts = BigInt(counted.attempts);
  const failures = BigInt(counted.failures);
  // Positive: so many 1/denominators of an attempt too many have failed.
  const excess = scale * failures - tolerated * attempts;
  if (verdict === 'down' && counted.attempts > 0) {
    return {
      kind: 'to-up',
      // One failure that is somebody else's leaves both sides, or stays an attempt that did not fail.
      reattributed: Number(
        ceilDivide(excess, terms.uncountedFailures === 'leave' ? BigInt(numerator) : scale),
      ),
      successes: tolerated === 0n ? null : Number(ceilDivide(excess, tolerated)),
    };
  }
  if (verdict !== 'up') return null;
  // Each further failure is an attempt too; the terms' minimum of attempts must be reached besides.
  const enough = Number(-excess / BigInt(numerator)) + 1;
  return { kind: 'to-down', failures: Math.max(1, enough, terms.minAttempts - counted.attempts) };
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function ruleOf(
  verdict: Verdict,
  terms: Terms,
  found: {
    readonly isBelow: boolean;
    readonly isEmpty: boolean;
    readonly clauses: readonly ExclusionClause[];
  },
): Explanation['rule'] {
  const threshold = `${terms.threshold.text} %`;
  switch (verdict) {
    case 'down':
      if (found.isEmpty)
        return { clause: '1.5', text: 'these terms call an observed window without requests down' };
      return { clause: '1.5', text: `a window whose success rate is lower than ${threshold} is unavailable` };
    case 'up':
      return found.isBelow
        ? {
            clause: '1.5',
            text: `lower than ${threshold}, but not for ${terms.minConsecutive} windows in a row`,
          }
        : { clause: '1.5', text: `a window is available unless its success rate is lower than ${threshold}` };
    case 'excluded':
      return {
        clause: [...new Set(found.clauses)].join(', '),
        text: 'every minute of the window is excluded',
      };
    case 'idle':
      return { clause: '1.5', text: `nobody asked to enter, and 0 of 0 is not lower than ${threshold}` };
    case 'unmeasured':
      return {
        clause: '1.5',
        text: 'no agent was watching; what was not observed is not claimed as downtime',
      };
    case 'remaining':
      return { clause: '1.5', text: 'the window has not ended; it is judged when it has' };
  }
}

function sentencesOf(
  row: WindowRow,
  about: Pick<Explanation, 'state' | 'change'> & {
    readonly terms: Terms;
    readonly isBelow: boolean;
    readonly doubly: number;
  },
): string[] {
  const { counted, failures } = row;
  const { terms, change, state } = about;
  const sentences = [
    `${plural(counted.failures, 'failure')} of ${plural(counted.attempts, 'counted attempt')}: ${row.verdict}.`,
  ];
  sentences.push(...errorSentences(row, terms));
  const uncounted = (['customer', 'network', 'unknown', 'provider'] as const)
    .filter((cause) => !terms.countedCauses.includes(cause) && failures[cause] > 0)
    .map((cause) => `${failures[cause]} of cause ${cause}`);
  if (uncounted.length > 0) sentences.push(`Failures that do not count: ${uncounted.join(', ')}.`);
  if (row.excludedMinutes > 0) {
    const rest =
      row.excludedMinutes === row.minutes ? 'nothing is left to judge' : 'the rest is judged alone';
    sentences.push(`${row.excludedMinutes} of ${plural(row.minutes, 'minute')} excluded; ${rest}.`);
  }
  if (about.doubly > 0) {
    sentences.push(
      `Exclusions overlap in ${plural(about.doubly, 'minute')}: left out once, and withdrawing one of them alone brings nothing back there.`,
    );
  }
  if (change?.kind === 'to-up') {
    const moved = `${change.reattributed} of the ${plural(counted.failures, 'failure')} attributed elsewhere`;
    const added =
      change.successes === null
        ? ''
        : `, or with ${plural(change.successes, 'more success', 'more successes')}`;
    sentences.push(`It would be up with ${moved}${added}.`);
  }
  if (change?.kind === 'to-down' && !about.isBelow) {
    const what = terms.minConsecutive > 1 ? 'put it below the threshold' : 'lost it';
    sentences.push(`${plural(change.failures, 'more failure')} would have ${what}.`);
  }
  if (row.verdict === 'down' && row.lowVolume) {
    sentences.push(
      `Low volume: with fewer than ${terms.lowVolumeBelow} attempts a single failure can lose a window.`,
    );
  }
  if (row.lateAttempts > 0) {
    sentences.push(`${plural(row.lateAttempts, 'attempt')} came after it had closed.`);
  }
  if (state === 'provisional') {
    sentences.push(
      `Provisional: what arrives within ${plural(terms.graceMinutes, 'minute')} of its end is not late.`,
    );
  }
  return sentences;
}

/** What the window adds to the month's errors, where the terms add them up. */
function errorSentences({ verdict, attempts, counted }: WindowRow, terms: Terms): string[] {
  if (terms.measure === 'window-threshold' || verdict === 'remaining') return [];
  const isJudged = verdict === 'up' || verdict === 'down';
  const rate = isJudged ? errorRateOf(attempts === 0 ? undefined : counted, terms) : undefined;
  if (rate !== undefined) {
    const share = rate.failures === rate.attempts ? '1' : `${number(rate.failures)}/${number(rate.attempts)}`;
    return [`It adds ${share} of a window to the month's errors.`];
  }
  const isTooSmall = counted.attempts > 0 && counted.attempts < terms.minAttempts;
  const why = isTooSmall
    ? `, having fewer than ${plural(terms.minAttempts, 'counted attempt')}; it stays in the total`
    : '';
  return [`It adds nothing to the month's errors${why}.`];
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
