import { type AnswerBody, readAnswer, readRetryAfterMs } from './answer.ts';
import type { Transport } from './outbox.ts';

/** A connection that hangs must not hold up the retry; the agent gives up on a request after 30 s. */
const REQUEST_MS = 20_000;

/**
 * Talks to an agent. Each request says what this browser's clock reads, as the agent books outcomes by its own; the
 * body is plain text, for which a browser asks no leave of another origin.
 */
export function createTransport(url: URL): Transport {
  const address = () => {
    const now = new URL(url);
    now.searchParams.set('sentAt', String(Date.now()));
    return now.href;
  };
  return {
    post: async (body) => {
      const response = await fetch(address(), {
        method: 'POST',
        body,
        // The agent has no use for cookies, and other origins would have to allow them.
        credentials: 'omit',
        // Browsers older than 2022 do without it.
        signal: AbortSignal.timeout?.(REQUEST_MS),
      });
      const { status, headers } = response;
      const answer: AnswerBody = await response.json().catch(() => ({}));
      return readAnswer(status, answer, readRetryAfterMs(headers.get('Retry-After'), Date.now()));
    },
    leave: (body) => {
      try {
        return navigator.sendBeacon(address(), body);
      } catch {
        return false;
      }
    },
  };
}
