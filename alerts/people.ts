import { z } from 'zod';
import { STEPS } from './alert.ts';
import type { Silence } from './input.ts';

/**
 * What people decided: silences and acknowledgements, as events in the store's journal. Nothing is ever changed
 * there; what is in force follows from replaying the events.
 */

/** As much of the store's journal as alerts need (`Journal` of the store). */
export interface EventJournal {
  append(topic: string, entry: unknown): Promise<number>;
  read(topic: string): Promise<{ readonly revision: number; readonly entries: readonly unknown[] }>;
}

export const TOPICS = { silences: 'silences', acknowledgements: 'acknowledgements' } as const;

const epochMs = z.number();
const person = z.string().min(1).max(128);

const silenceSchema = z.object({
  id: z.string(),
  service: z.string(),
  step: z.enum([...STEPS, '*']),
  fromMs: epochMs,
  untilMs: epochMs,
  by: person.nullable().default(null),
  author: person,
  reason: z.string().max(1_000),
});

const silenceEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('silenced'), silence: silenceSchema }),
  z.object({ event: z.literal('ended'), id: z.string(), author: person, atMs: epochMs }),
]);
export type SilenceEvent = z.infer<typeof silenceEventSchema>;

const acknowledgementSchema = z.object({
  key: z.string(),
  by: person.nullable().default(null),
  author: person,
  atMs: epochMs,
});
export type Acknowledgement = z.infer<typeof acknowledgementSchema>;

/** Silences that have not ended, by replaying every event; events of other versions are passed over. */
export function silencesFrom(entries: readonly unknown[], nowMs: number): Silence[] {
  const silences = new Map<string, Silence>();
  for (const entry of entries) {
    const event = silenceEventSchema.safeParse(entry);
    if (!event.success) continue;
    if (event.data.event === 'silenced') silences.set(event.data.silence.id, event.data.silence);
    else silences.delete(event.data.id);
  }
  return [...silences.values()].filter((silence) => nowMs < silence.untilMs);
}

/** Who it was: the token's name, and beside it the name they gave when it is another. */
export function personOf({ by, author }: Pick<Acknowledgement, 'by' | 'author'>): string {
  return by === null || by === author ? author : `${by} (${author})`;
}

/** Episode key -> who acknowledged it first. */
export function acknowledgementsFrom(entries: readonly unknown[]): Map<string, string> {
  const byKey = new Map<string, string>();
  for (const entry of entries) {
    const event = acknowledgementSchema.safeParse(entry);
    if (event.success && !byKey.has(event.data.key)) {
      byKey.set(event.data.key, personOf(event.data));
    }
  }
  return byKey;
}
