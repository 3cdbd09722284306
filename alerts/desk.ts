import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseInstant } from '../sla/instant.ts';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { isPlainText } from '../sla/text.ts';
import { STEPS } from './alert.ts';
import type { Silence } from './input.ts';
import {
  type Acknowledgement,
  acknowledgementsFrom,
  type EventJournal,
  personOf,
  type SilenceEvent,
  silencesFrom,
  TOPICS,
} from './people.ts';

/**
 * Where people say what they decided. Every request is checked here; a faulty one names its field and the fix.
 * `by` is the name of the token that the request came with, and is always recorded; `author` is whatever the
 * request says, `by` when it says nothing.
 */
export interface Desk {
  /** What is in force; read anew from the journal every `FRESH_MS`, for other daemons write there too. */
  inForce(): Promise<InForce>;
  /** @param body `{service, step, until, author, reason}`; only until, which is RFC 3339, and reason are required */
  silence(body: unknown, by: string): Promise<{ status: 'recorded'; silence: Silence } | DeskFault>;
  endSilence(id: string, by: string): Promise<{ status: 'recorded' | 'unknown' }>;
  /**
   * Stops the reminders of an episode until it is resolved.
   * @param isKnown whether an episode of that key fires or waits
   * @param body `{author}`
   */
  acknowledge(
    key: string,
    isKnown: boolean,
    body: unknown,
    by: string,
  ): Promise<{ status: 'recorded' | 'already'; by: string } | { status: 'unknown' } | DeskFault>;
}

export interface InForce {
  readonly silences: readonly Silence[];
  readonly acknowledgements: ReadonlyMap<string, string>;
}

export interface DeskFault {
  readonly status: 'invalid';
  readonly field: string;
  readonly message: string;
}

/** Another daemon's silence is in force here after this long at the latest. */
const FRESH_MS = 5_000;
/** A longer silence is a forgotten one; it can be entered again. */
const SILENCE_MAX_MS = 31 * 86_400_000;

const plainText = (most: number) =>
  z
    .string()
    .min(1, 'is empty; write one')
    .refine((text) => isPlainText(text, most), `must be one line of at most ${most} characters`);
const author = plainText(128).optional();

const silenceRequest = z.strictObject({
  service: z.union([z.literal('*'), z.string().regex(SERVICE_PATTERN)]).default('*'),
  step: z.enum([...STEPS, '*']).default('*'),
  until: z.string(),
  author,
  reason: plainText(1_000),
});
const authorRequest = z.strictObject({ author });

export function createDesk(journal: EventJournal, nowMs: () => number): Desk {
  let known: (InForce & { readonly readAtMs: number }) | undefined;
  let isStale = false;

  async function read(): Promise<InForce & { readonly readAtMs: number }> {
    const now = nowMs();
    const [silences, acknowledgements] = await Promise.all([
      journal.read(TOPICS.silences),
      journal.read(TOPICS.acknowledgements),
    ]);
    return {
      readAtMs: now,
      silences: silencesFrom(silences.entries, now),
      acknowledgements: acknowledgementsFrom(acknowledgements.entries),
    };
  }

  async function inForce(): Promise<InForce> {
    const now = nowMs();
    if (!known || isStale || now - known.readAtMs >= FRESH_MS) {
      try {
        known = await read();
        isStale = false;
      } catch (error) {
        // What was in force a while ago is a better answer than none: the alert must not wait for the journal.
        if (!known) throw error;
      }
    }
    return { ...known, silences: known.silences.filter((silence) => now < silence.untilMs) };
  }

  async function record(topic: string, event: SilenceEvent | Acknowledgement): Promise<void> {
    await journal.append(topic, event);
    isStale = true;
  }

  return {
    inForce,
    async silence(body, by) {
      const request = silenceRequest.safeParse(body);
      if (!request.success) return faultOf(request.error);
      const { until, author = by, ...rest } = request.data;
      const untilMs = parseInstant(until);
      const fromMs = nowMs();
      const message =
        untilMs === undefined
          ? 'is not a time; write RFC 3339, such as 2026-11-23T06:00:00Z'
          : untilMs <= fromMs
            ? 'is in the past; a silence ends in the future'
            : untilMs - fromMs > SILENCE_MAX_MS
              ? 'is more than 31 days away; enter a shorter silence and renew it'
              : null;
      if (untilMs === undefined || message !== null) {
        return { status: 'invalid', field: 'until', message: message ?? '' };
      }
      const silence: Silence = { ...rest, by, author, id: randomUUID(), fromMs, untilMs };
      await record(TOPICS.silences, { event: 'silenced', silence });
      return { status: 'recorded', silence };
    },
    async endSilence(id, by) {
      isStale = true;
      const { silences } = await inForce();
      if (!silences.some((silence) => silence.id === id)) return { status: 'unknown' };
      await record(TOPICS.silences, { event: 'ended', id, author: by, atMs: nowMs() });
      return { status: 'recorded' };
    },
    async acknowledge(key, isKnown, body, by) {
      const request = authorRequest.safeParse(body);
      if (!request.success) return faultOf(request.error);
      if (!isKnown) return { status: 'unknown' };
      isStale = true;
      const before = (await inForce()).acknowledgements.get(key);
      if (before !== undefined) return { status: 'already', by: before };
      const who = { by, author: request.data.author ?? by };
      await record(TOPICS.acknowledgements, { key, ...who, atMs: nowMs() });
      return { status: 'recorded', by: personOf(who) };
    },
  };
}

function faultOf(error: z.ZodError): DeskFault {
  const issue = error.issues[0];
  return { status: 'invalid', field: issue?.path.join('.') ?? '', message: issue?.message ?? 'is not valid' };
}
