import type { AlertingConfig } from './config.ts';

/** How alerts are carried; all in milliseconds. */
export interface Timing {
  /** How long a message waits for company, so that many services at once are one message. */
  readonly groupWaitMs: number;
  readonly sendTimeoutMs: number;
  /** How long an entry belongs to the daemon that took it; a daemon that dies delays it by as much. */
  readonly leaseMs: number;
  readonly sweepMs: number;
  /** Between two showings to an Alertmanager. */
  readonly resendMs: number;
  /** How long a decision that the store does not take waits before it is sent all the same. */
  readonly directAfterMs: number;
}

/**
 * Sends that fit into a lease after the wait for company: a lane begins none that might outlive its lease, so a
 * lease shorter than the wait and one send would be given back for ever.
 */
const LEASE_SENDS = 3;
/** A lease that ran out is found after this long at most, well within the five seconds that are promised. */
const SWEEP_MS = 3_000;

export function timingOf({
  groupWaitMs,
  sendTimeoutMs,
}: Pick<AlertingConfig, 'groupWaitMs' | 'sendTimeoutMs'>): Timing {
  return {
    groupWaitMs,
    sendTimeoutMs,
    leaseMs: groupWaitMs + LEASE_SENDS * sendTimeoutMs,
    sweepMs: SWEEP_MS,
    resendMs: 60_000,
    directAfterMs: 15_000,
  };
}
