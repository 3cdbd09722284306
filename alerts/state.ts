import { z } from 'zod';
import { type Alert, episodeKey, RESOLVE_REASONS, STEPS, type Step } from './alert.ts';

/**
 * What the policy remembers of one service between two decisions. Plain JSON, kept by the ledger: timers,
 * episodes and who was told survive a restart because they are here and nowhere else.
 */

const epochMs = z.number();

/** One run of a step from pending to resolved. The last one of each step, month and line is kept. */
const episodeSchema = z.object({
  step: z.enum(STEPS),
  /** '' for steps that belong to no service month. */
  month: z.string(),
  /** '' for steps that belong to no line. */
  line: z.string(),
  /** 1, 2, ... within the same step, month and line. */
  episode: z.int().min(1),
  state: z.enum(['pending', 'firing', 'resolved']),
  /** Since when it has been so, as far as known. */
  sinceMs: epochMs,
  pendingSinceMs: epochMs,
  firedAtMs: epochMs.nullable(),
  /** Since when it has been clear, null while it is not. */
  clearSinceMs: epochMs.nullable(),
  resolvedAtMs: epochMs.nullable(),
  resolvedBecause: z.enum(RESOLVE_REASONS).nullable(),
  /** Receivers that have a `firing` of this episode in the outbox or behind them. */
  told: z.array(z.string()).readonly(),
  /** When something was last said of it, null before. */
  saidAtMs: epochMs.nullable(),
  reminders: z.int().min(0),
  acknowledgedBy: z.string().nullable(),
});
export type Episode = Readonly<z.infer<typeof episodeSchema>>;

const policyStateSchema = z.object({
  version: z.literal(1),
  /** First instant at which an agent was known to be alive; what was before is nobody's blindness. */
  watchedSinceMs: epochMs.nullable(),
  /** Number of the first episode of a step. Above 1 after a start-over, so that no old message's id comes again. */
  firstEpisode: z.int().min(1),
  episodes: z.array(episodeSchema).readonly(),
});
export type PolicyState = Readonly<z.infer<typeof policyStateSchema>>;

export const EMPTY_STATE: PolicyState = {
  version: 1,
  watchedSinceMs: null,
  firstEpisode: 1,
  episodes: [],
};

/** What a step watches: one episode at a time. */
export interface Watch {
  readonly step: Step;
  readonly month: string;
  readonly line: string;
}

export function sameWatch(a: Watch, b: Watch): boolean {
  return a.step === b.step && a.month === b.month && a.line === b.line;
}

export function keyOf(service: string, episode: Episode): string {
  return episodeKey({ service, ...episode });
}

/** What the ledger returned: null before the first commit, 'unreadable' when another version wrote it. */
export function readState(stored: unknown): PolicyState | 'unreadable' {
  if (stored === null || stored === undefined) return EMPTY_STATE;
  const parsed = policyStateSchema.safeParse(stored);
  return parsed.success ? parsed.data : 'unreadable';
}

/** Whether the message's episode still fires; an episode that the state no longer knows has ended. */
export function stillFires(state: PolicyState, alert: Alert): boolean {
  return state.episodes.some(
    (episode) => episode.state === 'firing' && keyOf(alert.service, episode) === alert.key,
  );
}
