import { type FailureReason, refused, retryable, SENT, type SendOutcome } from './notifier.ts';

export interface Post {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly nowMs: number;
  /** Takes the receiver's secrets out of what is reported. */
  readonly redact: (text: string) => string;
}

/** Of an answer only this much is read, for the reason of a refusal. */
const ANSWER_BYTES = 2_048;
/** A receiver that asks for more is asked again after this. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/**
 * Posts JSON and sorts the answer: 2xx is sent; 429 waits as told; 408, 5xx and the network may be tried again;
 * every other answer is final. A redirect is not followed: it would carry the secrets to another host.
 * @param accept judges a 2xx answer further, for receivers that refuse with 200
 */
export async function postJson(
  post: Post,
  accept: (status: number, answer: string) => SendOutcome = () => SENT,
): Promise<SendOutcome> {
  let response: Response;
  let answer: string;
  try {
    response = await fetch(post.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'roomwatch', ...post.headers },
      body: post.body,
      signal: post.signal,
      redirect: 'manual',
    });
    answer = await startOf(response);
  } catch (error) {
    const { reason, detail } = networkFault(error);
    return retryable(reason, post.redact(detail));
  }
  const { status } = response;
  const detail = post.redact(`${status} ${answer}`.trim());
  if (status >= 200 && status < 300) return accept(status, answer);
  if (status === 429) return retryable('rate-limited', detail, retryAfterMs(response, post.nowMs));
  if (status >= 500) return retryable('unavailable', detail, retryAfterMs(response, post.nowMs));
  if (status === 408) return retryable('timeout', detail);
  return refused(status === 401 || status === 403 ? 'unauthorized' : 'rejected', detail);
}

/** Retry-After as seconds or as a date (RFC 9110, 10.2.3); null when there is none that can be read. */
function retryAfterMs(response: Response, nowMs: number): number | null {
  const value = response.headers.get('retry-after')?.trim();
  if (!value) return null;
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), RETRY_AFTER_MAX_MS) : null;
}

async function startOf(response: Response): Promise<string> {
  if (!response.body) return '';
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) return text(parts);
    parts.push(value);
    bytes += value.length;
  }
  await reader.cancel();
  return text(parts);
}

function text(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).subarray(0, ANSWER_BYTES).toString('utf8');
}

/** fetch says "fetch failed" and hides the reason in `cause`. */
function networkFault(error: unknown): { reason: FailureReason; detail: string } {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'AbortError' || name === 'TimeoutError')
    return { reason: 'timeout', detail: 'no answer in time' };
  return { reason: 'network', detail: cause?.code ?? cause?.message ?? message };
}
