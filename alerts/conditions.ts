import type { Line, Reading } from '../sla/reading.ts';
import type { ResolveReason } from './alert.ts';
import { currentConditions } from './current-conditions.ts';
import type { Circumstances } from './input.ts';
import { deadlineEnd, lostStart } from './reading-facts.ts';
import type { AlertSettings } from './settings.ts';
import { type PolicyState, sameWatch, type Watch } from './state.ts';
import { startOfDate } from './times.ts';

/** What one step sees now. Neither `holds` nor `clear` is the band between the two thresholds. */
export interface Condition extends Watch {
  readonly holds: boolean;
  readonly clear: boolean;
  /** Since when, as far as the facts say. */
  readonly sinceMs: number;
  readonly clearBecause: ResolveReason;
  /** For logs and dry runs: the comparison that decided. */
  readonly why: string;
}

interface Asked extends Circumstances {
  readonly nowMs: number;
  readonly settings: AlertSettings;
}

/** A breach found later than this after its month's end is left to the claim: it is news no more. */
const LATE_BREACH_MS = 86_400_000;

/** Every step of one service as it stands now, the steps of ended months included. */
export function conditionsOf(input: Asked, state: PolicyState): Condition[] {
  const { reading, closed } = input;
  const now = [
    ...(reading ? currentConditions({ ...input, reading, watchedSinceMs: state.watchedSinceMs }) : []),
    ...closed.flatMap((month) => [
      ...month.lines.map((line) => breachedLate(month, line, input.nowMs, state)),
      claim(month, input),
    ]),
  ];
  const over = state.episodes
    .filter((episode) => episode.state !== 'resolved' && !now.some((one) => sameWatch(one, episode)))
    .map((episode) => outlived(episode, reading?.month ?? null, input.nowMs));
  return [...now, ...over];
}

/**
 * A month's last windows are judged after its end, so a breach may be found only then: it is said once, and
 * ends at once because its month has. A breach that was said before the end ends now.
 */
function breachedLate(closed: Reading, line: Line, nowMs: number, state: PolicyState): Condition {
  const watch: Watch = { step: 'breached', month: closed.month, line: line.target };
  const wasSaid = state.episodes.some((episode) => sameWatch(episode, watch) && episode.firedAtMs !== null);
  const isNews = nowMs - Date.parse(closed.period.end) < LATE_BREACH_MS;
  const holds = line.crossed && isNews && !wasSaid;
  return {
    ...watch,
    holds,
    clear: !holds,
    sinceMs: lostStart(closed, line.allowed + 1) ?? nowMs,
    clearBecause: 'month-ended',
    why: `the service month ended with ${closed.budget.lost} windows lost, ${line.allowed} allowed`,
  };
}

function claim(closed: Reading, { timeZone, nowMs }: Asked): Condition {
  const opensAtMs = startOfDate(closed.claim.opens, timeZone);
  const endMs = deadlineEnd(closed, timeZone);
  const holds = closed.voucherPercent > 0 && nowMs >= opensAtMs && nowMs < endMs;
  return {
    step: 'claim',
    month: closed.month,
    line: '',
    holds,
    clear: !holds,
    sinceMs: opensAtMs,
    clearBecause: nowMs >= endMs ? 'deadline-passed' : 'corrected',
    why: `voucher ${closed.voucherPercent} %, claim from ${closed.claim.opens} to ${closed.claim.deadline}`,
  };
}

/** An episode that nothing watches any more: its month or its service is over, or its line has left the terms. */
function outlived({ step, month, line }: Watch, current: string | null, nowMs: number): Condition {
  const over = step === 'claim' ? 'deadline-passed' : 'month-ended';
  const clearBecause = month === current ? 'corrected' : over;
  const why = month === current ? 'the terms no longer have this line' : 'its month is over';
  return { step, month, line, holds: false, clear: true, sinceMs: nowMs, clearBecause, why };
}
