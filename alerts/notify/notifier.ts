import type { Alert } from '../alert.ts';
import type { Item } from '../message.ts';

/**
 * The port behind which messages leave. A notifier knows one receiver's contract and nothing of outboxes,
 * retries or routes; what became of a send is a result, never an exception.
 */
export interface Notifier {
  /** Alerts that one message may carry; 1 where the receiver keeps one incident for each. */
  readonly alertsPerMessage: number;
  /**
   * Sends one message about 1 to `alertsPerMessage` alerts.
   * @param options.signal aborted when the send has taken too long; the outcome is then retryable
   */
  send(
    items: readonly Item[],
    options: { readonly nowMs: number; readonly signal: AbortSignal },
  ): Promise<SendOutcome>;
  close(): void;
}

/** One replica of a receiver that wants to be shown all that fires, again and again, rather than told of changes. */
export interface Mirror {
  /** Shows the alerts as they are now, firing and recently resolved ones. Sends nothing for an empty list. */
  show(
    alerts: readonly Alert[],
    options: { readonly nowMs: number; readonly signal: AbortSignal },
  ): Promise<SendOutcome>;
}

export type SendOutcome =
  | { readonly status: 'sent' }
  /** Try again; not before `afterMs` when the receiver said so. */
  | {
      readonly status: 'retryable';
      readonly reason: FailureReason;
      readonly detail: string;
      readonly afterMs: number | null;
    }
  /** Sending the same again would be refused again. */
  | { readonly status: 'refused'; readonly reason: FailureReason; readonly detail: string };

/** The label values of `notifications_failed_total`; a fixed set, so that the metric stays bounded. */
export const FAILURE_REASONS = [
  /** The receiver says the message or its address is wrong (4xx, SMTP 5xx). */
  'rejected',
  /** Credentials, or the receiver's address, are not accepted (401, 403, SMTP 535). */
  'unauthorized',
  'rate-limited',
  /** The receiver is there and says that it cannot (5xx, SMTP 4xx). */
  'unavailable',
  'timeout',
  'network',
  /** Nobody took it for `GIVE_UP_AFTER_MS`. */
  'expired',
  /** The outbox entry was written by another version. */
  'unreadable',
  /** No receiver of that name is configured here. */
  'unknown-receiver',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export const SENT: SendOutcome = { status: 'sent' };

export function retryable(reason: FailureReason, detail: string, afterMs: number | null = null): SendOutcome {
  return { status: 'retryable', reason, detail, afterMs };
}

export function refused(reason: FailureReason, detail: string): SendOutcome {
  return { status: 'refused', reason, detail };
}
