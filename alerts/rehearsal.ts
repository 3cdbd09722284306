import { claimOf } from '../sla/claim.ts';
import { MINUTE_MS } from '../sla/facts.ts';
import { judgeMonth, type MonthInput } from '../sla/judge-month.ts';
import { countSpan, readOpenWindow } from '../sla/open-window.ts';
import { ROLLING_MINUTES, read } from '../sla/read.ts';
import { isDown, VERDICT_INDEX } from '../sla/verdict.ts';
import { windowOf } from '../sla/window.ts';
import type { Step } from './alert.ts';
import { conditionsOf } from './conditions.ts';
import type { Circumstances, Route } from './input.ts';
import { type Announcement, decide } from './policy.ts';
import { isRollingBelow, targetLine } from './reading-facts.ts';
import type { AlertSettings } from './settings.ts';
import { EMPTY_STATE, type PolicyState } from './state.ts';

/**
 * A service month lived through once more, in virtual time and by the same policy: what it would have said.
 *
 * The facts know minutes, not seconds. So the policy looks at the last millisecond of each minute, when a daemon
 * knows all of it, at each window's end, and whenever a timer of its own runs out (`for`, the wait before a resolve,
 * reminders, the claim's days). A daemon looks twice a second, so what begins within a minute is said up to a
 * minute earlier there; what a window decides has the same times.
 *
 * Not in the facts, and so left out: blindness, silences, acknowledgements, late outcomes, exclusions entered
 * late (those given hold from the start), and earlier months, from which a daemon's forecast learns.
 */
export interface Rehearsal extends Omit<MonthInput, 'nowMs'> {
  readonly service: string;
  readonly settings: AlertSettings;
  readonly routes: readonly Route[];
  /** Nothing is said at or after this instant; the deadline of the month's claim at the latest. */
  readonly untilMs: number;
}

const DAY_MS = 86_400_000;

/**
 * Everything that the month would have had said, in order. Pure; a generator because a bad month takes seconds.
 * @yields what each minute has to say, most often nothing; last, what is said after the month
 */
export function* rehearse(rehearsal: Rehearsal): Generator<readonly Announcement[], void, void> {
  const { month, untilMs } = rehearsal;
  const policy = new RehearsedPolicy(rehearsal);
  const calls = callsOf(rehearsal);
  const endMs = Math.min(untilMs, month.endMs);
  for (let minute = month.firstMinute + 1; minute * MINUTE_MS <= endMs; minute += 1) {
    const boundaryMs = minute * MINUTE_MS;
    const said = policy.untilTimers(boundaryMs - 1);
    const isFailing = calls.isFailingUntil(boundaryMs);
    const mayChange = isFailing ? !policy.hasSaidThatItFails : policy.isEntryFailing;
    if (mayChange) said.push(...policy.look(boundaryMs - 1));
    const isTurn =
      calls.isSpent(minute) ||
      (calls.isWindowEnd(minute) && (policy.isEntryFailing || policy.hasImproved(minute, calls)));
    if (isTurn && boundaryMs < endMs) said.push(...policy.look(boundaryMs));
    yield said;
  }
  yield policy.untilTimers(endMs);
  if (untilMs > month.endMs) yield policy.afterwards();
}

/** The policy, what it remembers, and what it saw last. */
class RehearsedPolicy {
  readonly #rehearsal: Rehearsal;
  #state: PolicyState = EMPTY_STATE;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #seen: Seen | null = null;
  /** End of the first quiet window at which `near` is clear; null until it is asked for after a look. */
  #clearFromMinute: number | null = null;

  constructor(rehearsal: Rehearsal) {
    this.#rehearsal = rehearsal;
  }

  get isEntryFailing(): boolean {
    return this.#isOpen('entry-failing');
  }

  /** Whether another failing minute is no news: it was said, and so was that the target is near, or it is crossed. */
  get hasSaidThatItFails(): boolean {
    const { episodes } = this.#state;
    const entry = episodes.find((one) => one.step === 'entry-failing');
    const reading = this.#seen?.reading;
    const isCrossed = reading ? targetLine(reading)?.crossed === true : false;
    return entry?.state === 'firing' && entry.clearSinceMs === null && (isCrossed || this.#isOpen('near'));
  }

  /**
   * Whether the quiet windows up to this one may end something: of the steps about the month only the forecast gets
   * better by itself. As long as windows are quiet it only gets better, so the instant is searched for, not awaited.
   */
  hasImproved(minute: number, calls: Calls): boolean {
    const left = this.#seen?.reading?.budget.left ?? 0;
    const near = this.#state.episodes.find((one) => one.step === 'near' && one.state !== 'resolved');
    if (!near || left <= this.#rehearsal.settings.near.windowsLeft) return false;
    if (near.state === 'pending' || near.clearSinceMs !== null) return true;
    this.#clearFromMinute ??= this.#firstClear(minute, calls.quietUntil(minute));
    return minute >= this.#clearFromMinute;
  }

  /** Ends of windows in [minute, endMinute); endMinute when none of them is clear. */
  #firstClear(minute: number, endMinute: number): number {
    const { windowMinutes } = this.#rehearsal.month;
    const windows = Math.ceil((endMinute - minute) / windowMinutes);
    let step = 1;
    while (step <= windows && !this.#isNearClear(minute + (step - 1) * windowMinutes)) step *= 2;
    let [notYet, clear] = [Math.floor(step / 2), Math.min(step, windows + 1)];
    while (clear - notYet > 1) {
      const middle = Math.floor((notYet + clear) / 2);
      if (this.#isNearClear(minute + (middle - 1) * windowMinutes)) clear = middle;
      else notYet = middle;
    }
    return minute + (clear - 1) * windowMinutes;
  }

  #isNearClear(minute: number): boolean {
    const nowMs = minute * MINUTE_MS;
    const { settings } = this.#rehearsal;
    const seen = { ...this.#circumstances(this.#read(nowMs), nowMs), settings, nowMs };
    return conditionsOf(seen, this.#state).some((one) => one.step === 'near' && one.clear);
  }

  look(nowMs: number): readonly Announcement[] {
    return this.#decide(nowMs, this.#read(nowMs));
  }

  #read(nowMs: number): Seen {
    const { service, month, facts, terms, exclusions } = this.#rehearsal;
    return { reading: read({ service, month, facts, terms, exclusions, nowMs }), closed: [] };
  }

  #circumstances(seen: Seen, nowMs: number): Circumstances {
    // Files do not say when an agent was alive: here one always is.
    const sight = { lastAliveAtMs: nowMs, listeningSinceMs: Number.NEGATIVE_INFINITY, recent: [] };
    return { ...seen, timeZone: this.#rehearsal.terms.timeZone, sight };
  }

  /** Looks at what was seen last whenever time alone changes something before `endMs`. */
  untilTimers(endMs: number): Announcement[] {
    const said: Announcement[] = [];
    for (let dueMs = this.#nextTimer(); dueMs < endMs && this.#seen; dueMs = this.#nextTimer()) {
      said.push(...this.#decide(dueMs, this.#seen));
    }
    return said;
  }

  /** The month's end, and its claim until the deadline. */
  afterwards(): readonly Announcement[] {
    const { service, month, facts, terms, exclusions, settings, untilMs } = this.#rehearsal;
    const closed = [read({ service, month, facts, terms, exclusions, nowMs: month.endMs })];
    const { opensAtMs, closesAtMs } = claimOf(month, terms);
    const reminders = settings.claim.remindDaysBefore.map((days) => closesAtMs - days * DAY_MS);
    const instants = [month.endMs, opensAtMs, ...reminders.filter((atMs) => atMs > opensAtMs), closesAtMs];
    const said: Announcement[] = [];
    for (const atMs of instants.sort((a, b) => a - b)) {
      said.push(...this.untilTimers(Math.min(atMs, untilMs)));
      // Outside of its months a service has no reading: only what has ended still speaks.
      if (atMs < untilMs) said.push(...this.#decide(atMs, { reading: null, closed }));
    }
    return said;
  }

  #decide(nowMs: number, seen: Seen): readonly Announcement[] {
    const { service, settings, routes } = this.#rehearsal;
    const decided = decide(this.#state, {
      ...this.#circumstances(seen, nowMs),
      service,
      nowMs,
      settings,
      routes,
      silences: [],
      acknowledgements: new Map(),
      where: null,
    });
    this.#state = decided.state;
    this.#seen = seen;
    this.#lookedAtMs = nowMs;
    this.#clearFromMinute = null;
    return decided.announcements;
  }

  #isOpen(step: Step): boolean {
    return this.#state.episodes.some((one) => one.step === step && one.state !== 'resolved');
  }

  #nextTimer(): number {
    const { steps } = this.#rehearsal.settings;
    const due = this.#state.episodes.flatMap((episode) => {
      const { forMs, clearForMs, remindEveryMs } = steps[episode.step];
      if (episode.state === 'pending') return [episode.pendingSinceMs + forMs];
      if (episode.state !== 'firing') return [];
      return [
        ...(episode.clearSinceMs === null ? [] : [episode.clearSinceMs + clearForMs]),
        ...(episode.saidAtMs === null || remindEveryMs === 0 ? [] : [episode.saidAtMs + remindEveryMs]),
      ];
    });
    // One that ran out and changed nothing waits for the next look, as in a daemon.
    return Math.min(Number.POSITIVE_INFINITY, ...due.filter((atMs) => atMs > this.#lookedAtMs));
  }
}

type Seen = Pick<Circumstances, 'reading' | 'closed'>;

interface Calls {
  isWindowEnd(minute: number): boolean;
  /** Whether the window that ends with this minute counts against the month. */
  isSpent(minute: number): boolean;
  /** End of the next window, from the one that ends with this minute on, that is spent; else the month's end. */
  quietUntil(minute: number): number;
  /** Whether at the end of this minute entry fails, or the window in progress is lost. */
  isFailingUntil(boundaryMs: number): boolean;
}

/**
 * What makes a look worth its milliseconds. A step begins only when entries fail or a window spends budget, so
 * everything else is passed over; these tests are a hundred times cheaper than a reading.
 */
function callsOf(rehearsal: Rehearsal): Calls {
  const { month, terms, settings } = rehearsal;
  const { bounds, isBelow, failures, verdict } = judgeMonth({ ...rehearsal, nowMs: month.endMs });
  const isMean = terms.measure === 'mean-window-error';
  const isSpent = (window: number): boolean =>
    isBelow[window] === 1 || verdict[window] === VERDICT_INDEX.down || (isMean && failures[window]! > 0);
  const windowEnds = new Map<number, number>();
  for (let window = 0; window < month.windows; window += 1) windowEnds.set(bounds.toMinute[window]!, window);
  return {
    isWindowEnd: (minute) => windowEnds.has(minute),
    isSpent(minute) {
      const window = windowEnds.get(minute);
      return window !== undefined && isSpent(window);
    },
    quietUntil(minute) {
      let window = windowEnds.get(minute) ?? month.windows;
      while (window < month.windows && !isSpent(window)) window += 1;
      return window < month.windows ? bounds.toMinute[window]! : month.firstMinute + month.minuteCount;
    },
    isFailingUntil(boundaryMs) {
      const input = { ...rehearsal, nowMs: boundaryMs - 1 };
      const minute = boundaryMs / MINUTE_MS;
      const rolling = countSpan(input, minute - ROLLING_MINUTES, minute);
      if (isRollingBelow({ rolling }, settings.entryFailing.belowPercent)) return true;
      const window = windowOf(month, minute - 1);
      if (window < 0) return false;
      const open = countSpan(input, bounds.fromMinute[window]!, minute);
      // More attempts are expected than were made, so what is not down yet by itself is not lost.
      const mayBeLost = isDown(open.attempts, open.failures, { ...terms, minAttempts: 0 });
      return mayBeLost && (readOpenWindow(input)?.alreadyLost ?? false);
    },
  };
}
