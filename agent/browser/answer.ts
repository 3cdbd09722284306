import type { Answer } from './outbox.ts';

/** What the agent's HTTP intake answers with, as far as it is read here. */
export interface AnswerBody {
  readonly repeatFrom?: number;
  readonly rejected?: readonly { readonly index: number; readonly error?: { readonly message?: string } }[];
  readonly error?: { readonly message?: string };
}

/** Only a 202 says that the records are on disk: a 200 is somebody else's, such as a hotel's network. */
export function readAnswer(status: number, body: AnswerBody, afterMs: number | undefined): Answer {
  if (status === 202) {
    const upTo = body.repeatFrom;
    // Those from `repeatFrom` on are listed too, and are repeated.
    const refused = (body.rejected ?? []).filter(({ index }) => upTo === undefined || index < upTo);
    return { kind: 'taken', upTo, refused: refused.length, message: refused[0]?.error?.message };
  }
  if (status < 400 || status === 408 || status === 429 || status >= 500) return { kind: 'later', afterMs };
  return { kind: 'refused', message: body.error?.message };
}

/** Reads a Retry-After header (RFC 9110, 10.2.3): seconds or a date; undefined when it is neither. */
export function readRetryAfterMs(header: string | null, nowMs: number): number | undefined {
  const afterMs = /^\d+$/.test(header ?? '') ? Number(header) * 1_000 : Date.parse(header ?? '') - nowMs;
  return afterMs > 0 ? afterMs : undefined;
}
