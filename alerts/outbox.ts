import { z } from 'zod';
import { type Alert, alertSchema, entryId } from './alert.ts';
import type { ClaimedEntry, OutboxEntry } from './ledger.ts';
import type { Announcement } from './policy.ts';

/** What an outbox entry carries: the alert, and the receiver that refused it when this is its fallback's copy. */
export interface Body {
  readonly version: 1;
  readonly alert: Alert;
  readonly insteadOf: string | null;
}

const bodySchema: z.ZodType<Body> = z.object({
  version: z.literal(1),
  alert: alertSchema,
  insteadOf: z.string().nullable(),
});

/** A message in hand. */
export interface Job {
  readonly entry: OutboxEntry;
  readonly alert: Alert;
  readonly insteadOf: string | null;
  /** null for one that is sent past the store, because the store does not answer. */
  readonly lease: { readonly token: number; readonly untilMs: number } | null;
}

export function toEntry({ id, receiver, alert }: Announcement): OutboxEntry {
  const body: Body = { version: 1, alert, insteadOf: null };
  return { id, service: alert.service, receiver, body, createdAtMs: alert.decidedAtMs };
}

/** The copy for a fallback: an id of its own, so that a repeated refusal queues it once. */
export function toFallback(job: Job, fallback: string): OutboxEntry {
  const body: Body = { version: 1, alert: job.alert, insteadOf: job.entry.receiver };
  return { ...job.entry, id: insteadId(job.entry.id, fallback), receiver: fallback, body };
}

function insteadId(id: string, fallback: string): string {
  return `${id}/instead/${fallback}`;
}

/** The id of the entry that tells the same receiver of the other end of the job's episode. */
export function siblingId({ entry, alert, insteadOf }: Job, kind: 'firing' | 'resolved'): string {
  const sibling = { ...alert, kind };
  return insteadOf === null
    ? entryId(sibling, entry.receiver)
    : insteadId(entryId(sibling, insteadOf), entry.receiver);
}

/** undefined when another version wrote the entry. */
export function toJob(entry: OutboxEntry, lease: Job['lease']): Job | undefined {
  const body = bodySchema.safeParse(entry.body);
  return body.success ? { entry, alert: body.data.alert, insteadOf: body.data.insteadOf, lease } : undefined;
}

export function leased({ entry, token }: ClaimedEntry, untilMs: number): Job | undefined {
  return toJob(entry, { token, untilMs });
}
