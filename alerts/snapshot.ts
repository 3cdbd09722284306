import { exhaustionOf } from '../sla/exhaustion.ts';
import { contractDate } from '../sla/month.ts';
import type { Reading } from '../sla/reading.ts';
import type { Alert, Entry, Fall, Figures, MonthHours, Severity, Step } from './alert.ts';
import type { PolicyInput } from './input.ts';
import { deadlineEnd, isByMean, isRollingBelow, targetLine } from './reading-facts.ts';
import { isBlind, unseenShare } from './sight.ts';
import type { Episode, PolicyState } from './state.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const SEVERITY: Readonly<Record<Step, Severity>> = {
  'entry-failing': 'critical',
  budget: 'warning',
  near: 'warning',
  'last-window': 'critical',
  breached: 'critical',
  blind: 'warning',
  claim: 'notice',
};

export function severityOf(step: Step): Severity {
  return SEVERITY[step];
}

/** Everything an alert says of its episode, except what kind of message it is. */
export type Snapshot = Omit<Alert, 'key' | 'kind' | 'reminder'>;

/** Freezes what is known now into an alert, so that it reads the same whenever it is delivered. */
export function snapshotOf(episode: Episode, input: PolicyInput, state: PolicyState): Snapshot {
  const { reading, nowMs } = input;
  // An ended month speaks with its own figures; without them it says nothing of numbers rather than this month's.
  const month = episode.month || reading?.month;
  const ofMonth = [reading, ...input.closed].find((one) => one?.month === month) ?? null;
  // What an ended month's alert says of numbers is about that month; the failing entry of now is not.
  const entry = reading && month === reading.month ? entryOf(reading, input) : null;
  return {
    service: input.service,
    step: episode.step,
    severity: severityOf(episode.step),
    month: episode.month,
    line: episode.line,
    sinceMs: episode.sinceMs,
    firedAtMs: episode.firedAtMs ?? nowMs,
    resolvedAtMs: episode.resolvedAtMs,
    resolvedBecause: episode.resolvedBecause,
    decidedAtMs: nowMs,
    acknowledgedBy: episode.acknowledgedBy,
    timeZone: input.timeZone,
    figures: ofMonth ? figuresOf(ofMonth) : null,
    entry,
    fall: reading && entry ? fallOf(reading) : null,
    where: entry ? input.where : null,
    blind: episode.step === 'blind' ? blindOf(input, state) : null,
    claim: episode.step === 'claim' && ofMonth ? claimOf(ofMonth, input) : null,
    picture: ofMonth ? pictureOf(ofMonth, input.timeZone) : null,
    test: false,
  };
}

function figuresOf(reading: Reading): Figures {
  const { period, budget, voucher, projection } = reading;
  return {
    month: reading.month,
    days: period.days,
    endMs: Date.parse(period.end),
    availability: reading.availability.display,
    unit: isByMean(reading) ? 'window equivalent' : 'window',
    allowed: budget.allowed,
    lost: budget.lost,
    left: Math.max(0, budget.left),
    lowVolumeLost: reading.windows.lowVolumeDown,
    downtimeMinutes: reading.downtimeMinutes,
    windowsRemaining: reading.windows.remaining,
    expectedAvailability: projection.availability.expected,
    breachProbability: projection.breachProbability[targetLine(reading)?.target ?? ''] ?? 0,
    voucherPercent: reading.voucherPercent,
    voucher: voucher ? `${voucher.amount} ${voucher.currency}` : null,
    lines: reading.lines.map((line) => ({ ...line, left: Math.max(0, line.left) })),
  };
}

/** The failing entry, null while room entry works: an alert must not alarm with figures that are fine. */
function entryOf(reading: Reading, { settings, sight, nowMs }: PolicyInput): Entry | null {
  const { openWindow, rolling } = reading;
  const isBelow = isRollingBelow(reading, settings.entryFailing.belowPercent);
  const windowLost = openWindow?.alreadyLost ?? false;
  const isSeen = !isBlind(sight, settings.blind.silentMs, nowMs, null);
  if (!isSeen || !(isBelow || windowLost)) return null;
  return {
    windowStartMs: openWindow ? Date.parse(openWindow.start) : null,
    attempts: openWindow?.attempts ?? 0,
    failures: openWindow?.failures ?? 0,
    windowLost,
    rollingAttempts: rolling.attempts,
    rollingFailures: rolling.failures,
  };
}

/** When the next line falls if every window from the one in progress on is lost; null when it cannot any more. */
function fallOf(reading: Reading): Fall | null {
  const line = reading.lines.find((one) => !one.crossed);
  const exhausted = line && exhaustionOf(reading, line.target);
  return line && exhausted
    ? { target: line.target, atMs: exhausted.atMs, voucherPercent: line.voucherPercent }
    : null;
}

function blindOf(input: PolicyInput, state: PolicyState): Alert['blind'] {
  const unseen = unseenShare(input.sight, state.watchedSinceMs);
  return {
    cause: 'agents',
    lastAliveAtMs: input.sight.lastAliveAtMs,
    unseenWindows: unseen.windows,
    recentWindows: unseen.of,
  };
}

function claimOf(closed: Reading, { timeZone, nowMs }: PolicyInput): Alert['claim'] {
  const deadlineEndMs = deadlineEnd(closed, timeZone);
  const { opens, deadline } = closed.claim;
  // The day of the deadline counts: on that day one day is left.
  return {
    opens,
    deadline,
    deadlineEndMs,
    daysLeft: Math.max(0, Math.ceil((deadlineEndMs - nowMs) / DAY_MS)),
  };
}

function pictureOf(reading: Reading, timeZone: string): MonthHours {
  const startMs = Date.parse(reading.period.start);
  const asOfMs = Date.parse(reading.asOf);
  const lost = new Map<number, number>();
  for (const window of reading.lostWindows) {
    const hour = Math.floor((Date.parse(window.start) - startMs) / HOUR_MS);
    lost.set(hour, (lost.get(hour) ?? 0) + 1);
  }
  const hours = Math.ceil((Date.parse(reading.period.end) - startMs) / HOUR_MS);
  const text = Array.from({ length: hours }, (_, hour) =>
    startMs + hour * HOUR_MS > asOfMs ? '.' : Math.min(35, lost.get(hour) ?? 0).toString(36),
  );
  return { firstDay: Number(contractDate(startMs, timeZone).slice(8)), hours: text.join('') };
}
