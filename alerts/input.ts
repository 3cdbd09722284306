import type { Reading } from '../sla/reading.ts';
import type { Severity, Step, Where } from './alert.ts';
import type { AlertSettings } from './settings.ts';

/** What the daemon knows about one service when it asks what must be said. */
export interface Circumstances {
  /** Of the service month in progress; null outside the service period, where only ended months speak. */
  readonly reading: Reading | null;
  /** Of ended months whose claim deadline has not passed, oldest first; they carry the claims and late breaches. */
  readonly closed: readonly Reading[];
  /** The contract's zone: a fixed offset ("+08:00") or an IANA name. */
  readonly timeZone: string;
  readonly sight: Sight;
}

/** How well the service is being watched. `sightOf` makes one from facts. */
export interface Sight {
  /** End of the last minute in which an agent was alive, null when none is known. */
  readonly lastAliveAtMs: number | null;
  /** Since when this daemon has been able to hear agents; silence before that is its own, not theirs. */
  readonly listeningSinceMs: number;
  /** The complete windows of the last hour, oldest first. */
  readonly recent: readonly { readonly startMs: number; readonly seen: boolean }[];
}

/** A receiver as the policy needs it: what it wants to hear. */
export interface Route {
  readonly receiver: string;
  readonly minSeverity: Severity;
  /** null = all */
  readonly steps: readonly Step[] | null;
  readonly services: readonly string[] | null;
  /** Whether it is told of acknowledgements, as incident trackers want. */
  readonly acknowledgements: boolean;
  /** Whether it is told again; trackers and Alertmanager remind by themselves. */
  readonly reminders: boolean;
}

/** Nothing of `service` and `step` ('*' = all) is announced until `untilMs`; resolves of what was told still are. */
export interface Silence {
  readonly id: string;
  readonly service: string;
  readonly step: Step | '*';
  readonly fromMs: number;
  readonly untilMs: number;
  /** Whose credentials it was entered with; null in a record from before that was kept. */
  readonly by: string | null;
  /** Who they said they are; anybody can write anybody here. */
  readonly author: string;
  readonly reason: string;
}

export interface PolicyInput extends Circumstances {
  readonly service: string;
  readonly nowMs: number;
  readonly settings: AlertSettings;
  readonly routes: readonly Route[];
  readonly silences: readonly Silence[];
  /** episode key -> who acknowledged it */
  readonly acknowledgements: ReadonlyMap<string, string>;
  /** Where failures came from lately; only looked up when there is something to say. */
  readonly where: Where | null;
}
