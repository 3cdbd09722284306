import type { Step } from '../../alerts/alert.ts';
import type { Circumstances, PolicyInput, Route } from '../../alerts/input.ts';
import { type Announcement, type Decision, decide } from '../../alerts/policy.ts';
import { type AlertSettings, DEFAULT_SETTINGS } from '../../alerts/settings.ts';
import { EMPTY_STATE, type PolicyState } from '../../alerts/state.ts';

/** A receiver that wants everything, reminders included. */
export function route(receiver = 'ops', wishes: Partial<Route> = {}): Route {
  return {
    receiver,
    minSeverity: 'notice',
    steps: null,
    services: null,
    acknowledgements: false,
    reminders: true,
    ...wishes,
  };
}

/** Without reminders, which repeat on purpose. */
export const NO_REMINDERS: AlertSettings = {
  ...DEFAULT_SETTINGS,
  steps: Object.fromEntries(
    Object.entries(DEFAULT_SETTINGS.steps).map(([step, timing]) => [step, { ...timing, remindEveryMs: 0 }]),
  ) as AlertSettings['steps'],
};

/** Nothing waits: what holds is said at once. */
export const AT_ONCE: AlertSettings = {
  ...NO_REMINDERS,
  steps: Object.fromEntries(
    Object.entries(NO_REMINDERS.steps).map(([step, timing]) => [step, { ...timing, forMs: 0 }]),
  ) as AlertSettings['steps'],
};

export interface Said extends Announcement {
  readonly atMs: number;
}

type Wishes = Partial<Pick<PolicyInput, 'settings' | 'routes' | 'silences' | 'acknowledgements' | 'where'>>;

/** One service's policy in virtual time, and everything that it said. */
export class Play {
  state: PolicyState = EMPTY_STATE;
  readonly said: Said[] = [];
  wishes: Wishes;

  constructor(wishes: Wishes = {}) {
    this.wishes = wishes;
  }

  /** Decides once and returns what was said now. */
  decide(nowMs: number, circumstances: Circumstances): readonly Announcement[] {
    return this.look(nowMs, circumstances).announcements;
  }

  look(nowMs: number, circumstances: Circumstances): ReturnType<typeof decide> {
    const decided = decide(this.state, {
      ...circumstances,
      service: circumstances.reading?.service ?? 'acme',
      nowMs,
      settings: NO_REMINDERS,
      routes: [route()],
      silences: [],
      acknowledgements: new Map(),
      where: null,
      ...this.wishes,
    });
    this.state = decided.state;
    this.said.push(...decided.announcements.map((one) => ({ ...one, atMs: nowMs })));
    return decided;
  }

  /** "firing near 99.9", in order; without the failing entry, which comes with every lost window of a scene. */
  lines(): string[] {
    return this.said
      .filter(({ alert }) => alert.step !== 'entry-failing')
      .map(({ alert }) => [alert.kind, alert.step, alert.line].filter(Boolean).join(' '));
  }

  of(step: Step): Said[] {
    return this.said.filter(({ alert }) => alert.step === step);
  }
}

export function decisionOf(decisions: readonly Decision[], step: Step, line = ''): Decision {
  const found = decisions.find((one) => one.step === step && one.line === line);
  if (!found) throw new Error(`no decision about ${step} ${line}`);
  return found;
}
