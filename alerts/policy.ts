import { type Alert, entryId, type Kind, STEPS, type Step, severityAtLeast } from './alert.ts';
import { type Condition, conditionsOf } from './conditions.ts';
import { advance, type Verdict } from './hysteresis.ts';
import { isInhibited, silenceOver, wasToldAbove } from './inhibition.ts';
import type { PolicyInput, Route } from './input.ts';
import { deadlineEnd } from './reading-facts.ts';
import { isBlind } from './sight.ts';
import { severityOf, snapshotOf } from './snapshot.ts';
import { type Episode, keyOf, type PolicyState, sameWatch } from './state.ts';

/** One message to one receiver; `id` is the same whenever the same thing is decided again. */
export interface Announcement {
  readonly id: string;
  readonly receiver: string;
  readonly alert: Alert;
}

/** What was decided about one step, and why: for logs, dry runs and people who ask. */
export interface Decision {
  readonly step: Step;
  readonly month: string;
  readonly line: string;
  readonly verdict: Verdict;
  /** The comparison behind it. */
  readonly why: string;
  /** Why nothing was said although there was something to say. */
  readonly withheld: 'silenced' | 'inhibited' | null;
}

export interface Decided {
  readonly state: PolicyState;
  readonly announcements: readonly Announcement[];
  readonly decisions: readonly Decision[];
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** An agent reports every minute; a resolve is believed only while reports are no older than two. */
const CONFIRM_WITHIN_MS = 2 * MINUTE_MS;
/** How long an ended episode of an ended month is remembered, for lists and for Alertmanager's repeats. */
const ENDED_KEPT_MS = DAY_MS;

/**
 * Decides what must be said about one service. Pure: the same state and input give the same result.
 * @param previous as the ledger has it; EMPTY_STATE at first
 * @returns the state to store and what to queue with it in the same atomic step
 */
export function decide(previous: PolicyState, input: PolicyInput): Decided {
  const state = watched(previous, input);
  const silentMs = input.settings.blind.silentMs;
  const isUnseen = (forMs: number) => isBlind(input.sight, forMs, input.nowMs, state.watchedSinceMs);
  // Outside the service period nobody needs to watch, and what is left to say is about months that are over.
  const isFrozen = input.reading !== null && isUnseen(silentMs);
  const mayResolve = input.reading === null || !isUnseen(CONFIRM_WITHIN_MS);

  const moves = conditionsOf(input, state).map((condition) => {
    const ofFacts = condition.step !== 'blind' && condition.step !== 'claim';
    const moved = advance(
      state.episodes.find((episode) => sameWatch(episode, condition)),
      condition,
      {
        nowMs: input.nowMs,
        timing: input.settings.steps[condition.step],
        isFrozen: ofFacts && isFrozen,
        mayResolve: !ofFacts || mayResolve,
        firstEpisode: state.firstEpisode,
      },
    );
    return { condition, ...moved };
  });

  const current = moves.flatMap(({ episode }) => episode ?? []);
  const said = moves.map((move) => speak(move, current, input, state));
  const untouched = state.episodes.filter((old) => !current.some((episode) => sameWatch(old, episode)));
  const episodes = [...untouched, ...said.flatMap((one) => one.episode ?? [])];
  return {
    state: { ...state, episodes: episodes.filter((episode) => isKept(episode, input)).sort(byWatch) },
    announcements: said.flatMap((one) => one.announcements),
    decisions: said.map((one) => one.decision),
  };
}

interface Move {
  readonly condition: Condition;
  readonly verdict: Verdict;
  readonly episode: Episode | undefined;
}

interface Spoken {
  readonly episode: Episode | undefined;
  readonly announcements: readonly Announcement[];
  readonly decision: Decision;
}

/** What is to be said of one episode after it moved, and to whom. */
function speak(move: Move, all: readonly Episode[], input: PolicyInput, state: PolicyState): Spoken {
  const { condition, verdict, episode } = move;
  const decide = (withheld: Decision['withheld'] = null): Decision => {
    const { step, month, line, why } = condition;
    return { step, month, line, verdict, why, withheld };
  };
  if (!episode) return { episode, announcements: [], decision: decide() };
  const say = (told: Episode, kind: Kind, receivers: readonly string[]): Announcement[] => {
    if (receivers.length === 0) return [];
    const reminder = kind === 'reminder' ? told.reminders : 0;
    const key = keyOf(input.service, told);
    const alert: Alert = { ...snapshotOf(told, input, state), key, kind, reminder };
    return receivers.map((receiver) => ({ id: entryId(alert, receiver), receiver, alert }));
  };

  if (verdict === 'resolved') {
    // Whoever was told hears the end of it, whatever silences and routes say by now.
    return { episode, announcements: say(episode, 'resolved', episode.told), decision: decide() };
  }
  // Nothing new is said of what nobody sees, nor of what is about to clear.
  const isQuiet = verdict === 'frozen' || verdict === 'clearing' || verdict === 'unconfirmed';
  if (episode.state !== 'firing' || isQuiet) return { episode, announcements: [], decision: decide() };

  const { nowMs } = input;
  const acknowledged = acknowledge(episode, input);
  const heard = input.routes.filter((route) => wants(route, input.service, episode.step));
  const receipts = say(
    acknowledged,
    'acknowledged',
    acknowledged === episode ? [] : among(heard, episode.told, (route) => route.acknowledgements),
  );
  if (isInhibited(episode, all)) {
    return { episode: acknowledged, announcements: receipts, decision: decide('inhibited') };
  }
  if (silenceOver(input.silences, input.service, episode.step, nowMs)) {
    return { episode: acknowledged, announcements: receipts, decision: decide('silenced') };
  }

  const fresh = heard
    .map((route) => route.receiver)
    .filter((name) => !episode.told.includes(name) && !wasToldAbove(episode, all, name));
  const isDue = acknowledged.acknowledgedBy === null && reminderIsDue(episode, input);
  const reminded = isDue ? among(heard, episode.told, (route) => route.reminders) : [];
  if (fresh.length === 0 && reminded.length === 0) {
    return { episode: acknowledged, announcements: receipts, decision: decide() };
  }
  const told: Episode = {
    ...acknowledged,
    told: [...episode.told, ...fresh],
    saidAtMs: nowMs,
    reminders: episode.reminders + (reminded.length > 0 ? 1 : 0),
  };
  return {
    episode: told,
    announcements: [...receipts, ...say(told, 'firing', fresh), ...say(told, 'reminder', reminded)],
    decision: decide(),
  };
}

function watched(state: PolicyState, { sight }: PolicyInput): PolicyState {
  if (state.watchedSinceMs !== null || sight.lastAliveAtMs === null) return state;
  return { ...state, watchedSinceMs: sight.lastAliveAtMs };
}

function acknowledge(episode: Episode, { acknowledgements, service }: PolicyInput): Episode {
  const by = acknowledgements.get(keyOf(service, episode)) ?? null;
  return by === null || by === episode.acknowledgedBy ? episode : { ...episode, acknowledgedBy: by };
}

function wants(route: Route, service: string, step: Step): boolean {
  return (
    severityAtLeast(severityOf(step), route.minSeverity) &&
    (route.steps === null || route.steps.includes(step)) &&
    (route.services === null || route.services.includes(service))
  );
}

function among(
  routes: readonly Route[],
  told: readonly string[],
  wanted: (route: Route) => boolean,
): string[] {
  return routes.filter((route) => wanted(route) && told.includes(route.receiver)).map((one) => one.receiver);
}

/** A claim is said again on set days before its deadline; everything else by its interval. */
function reminderIsDue(episode: Episode, input: PolicyInput): boolean {
  const { nowMs, settings } = input;
  if (episode.saidAtMs === null) return false;
  if (episode.step !== 'claim') {
    const everyMs = settings.steps[episode.step].remindEveryMs;
    return everyMs > 0 && nowMs - episode.saidAtMs >= everyMs;
  }
  const closed = input.closed.find((reading) => reading.month === episode.month);
  if (!closed) return false;
  const saidAtMs = episode.saidAtMs;
  const endMs = deadlineEnd(closed, input.timeZone);
  return settings.claim.remindDaysBefore
    .map((days) => endMs - days * DAY_MS)
    .some((dueAtMs) => saidAtMs < dueAtMs && dueAtMs <= nowMs);
}

/** The last episode of what is still watched stays: it numbers the next one and says what was announced. */
function isKept(episode: Episode, input: PolicyInput): boolean {
  if (episode.state !== 'resolved' || episode.month === '') return true;
  const months = [input.reading, ...input.closed].map((reading) => reading?.month);
  return months.includes(episode.month) || input.nowMs - (episode.resolvedAtMs ?? 0) < ENDED_KEPT_MS;
}

/** A fixed order, so that an unchanged state is also equal as text. */
function byWatch(a: Episode, b: Episode): number {
  const order = STEPS.indexOf(a.step) - STEPS.indexOf(b.step);
  return a.month.localeCompare(b.month, 'en') || order || a.line.localeCompare(b.line, 'en');
}
