import type { IncomingMessage } from 'node:http';
import { CLOSE_CODES } from '../protocol/close-codes.ts';
import { readRetryAfterMs } from './backoff.ts';

/** Why a connection ended and when to come again. */
export interface Ended {
  /** A stable word, for the log and the metric. */
  readonly result: string;
  readonly message: string;
  readonly retry: Retry;
  /** How long it lasted after the welcome; 0 without one. */
  readonly lastedMs: number;
}

export type Retry =
  /** Nothing is wrong. */
  | { readonly kind: 'soon' }
  | { readonly kind: 'backoff' }
  /** It will not mend by itself soon. */
  | { readonly kind: 'long' }
  | { readonly kind: 'asked'; readonly afterMs: number; readonly spreadMs?: number }
  /** The daemon has other batches under our numbers; those up to `counted` are in its books as ours. */
  | { readonly kind: 'reidentify'; readonly counted: number };

/** What a close code of the daemon says. */
export function endingOfClose(code: number, reason: string): Omit<Ended, 'lastedMs'> {
  const known = Object.entries(CLOSE_CODES).find(([, close]) => close.code === code);
  if (!known) {
    const message = reason || `the connection closed with ${code}`;
    return { result: 'closed', message, retry: { kind: 'backoff' } };
  }
  const [result, { meaning, retry }] = known;
  return { result, message: reason || meaning, retry: { kind: retry === 'minute' ? 'long' : 'backoff' } };
}

/** What an answer says that is no WebSocket. */
export function endingOfStatus(
  { statusCode = 0, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>,
  nowMs: number,
): Omit<Ended, 'lastedMs'> {
  const message = `the daemon answered ${statusCode}; ${STATUS_ADVICE[statusCode] ?? 'is this the daemon?'}`;
  if (statusCode === 429 || statusCode === 503) {
    const afterMs = readRetryAfterMs(headers['retry-after'], nowMs);
    if (afterMs === undefined) return { result: 'busy', message, retry: { kind: 'backoff' } };
    return { result: 'busy', message, retry: { kind: 'asked', afterMs } };
  }
  const isAboutToken = statusCode === 401 || statusCode === 403;
  return { result: isAboutToken ? 'unauthorized' : 'refused', message, retry: { kind: 'long' } };
}

const STATUS_ADVICE: Readonly<Record<number, string>> = {
  400: 'the daemon may be of another version',
  401: 'the token is missing or wrong: set ROOMWATCH_TOKEN or --token-file',
  403: 'the token does not allow this',
  404: 'check the path of the server URL',
  429: 'too many agents at once; trying later',
  503: 'the daemon is stopping or full; trying later',
};
