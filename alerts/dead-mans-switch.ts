import type { Log } from './log.ts';
import { postJson } from './notify/http.ts';
import { redactor, secretsIn } from './notify/redact.ts';

/**
 * Tells an outside watcher that this daemon watches. Silence is the signal, so a ping is sent only after work that
 * proves it: a complete evaluation lately, a round trip to the store, and an outbox that is not stuck.
 */
export interface DeadMansSwitchOptions {
  /** Names the check, often by a secret path. */
  readonly url: string;
  readonly intervalMs: number;
  /** When the last evaluation of every service was completed; null before the first. */
  readonly evaluatedAtMs: () => number | null;
  /** One round trip to the store; rejects when it fails. */
  readonly pingStore: () => Promise<void>;
  /** Age of the oldest undelivered message, null when the store could not say. */
  readonly outboxAgeMs: () => Promise<number | null>;
  readonly nowMs: () => number;
  readonly log: Log;
}

export type Beat =
  | { readonly status: 'pinged' }
  | { readonly status: 'withheld'; readonly because: 'evaluation' | 'store' | 'outbox' }
  /** Everything is well here, but the watcher did not take the ping. */
  | { readonly status: 'unheard'; readonly detail: string };

export interface DeadMansSwitch {
  start(): void;
  stop(): Promise<void>;
  /** Checks and pings once. */
  beat(): Promise<Beat>;
}

/** An evaluation older than two intervals means that the loop hangs. */
const EVALUATION_INTERVALS = 2;
/** Receivers may be down for a while; a message this old means that nothing leaves at all. */
export const OUTBOX_STUCK_MS = 30 * 60_000;
const TIMEOUT_MS = 10_000;

export function createDeadMansSwitch(options: DeadMansSwitchOptions): DeadMansSwitch {
  const { url, intervalMs, nowMs, log } = options;
  const redact = redactor(secretsIn(url));
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<Beat> | null = null;

  async function withheld(): Promise<Extract<Beat, { status: 'withheld' }>['because'] | null> {
    const evaluatedAtMs = options.evaluatedAtMs();
    if (evaluatedAtMs === null || nowMs() - evaluatedAtMs > EVALUATION_INTERVALS * intervalMs)
      return 'evaluation';
    try {
      await within(options.pingStore(), TIMEOUT_MS);
      const ageMs = await within(options.outboxAgeMs(), TIMEOUT_MS);
      if (ageMs === null) return 'store';
      return ageMs > OUTBOX_STUCK_MS ? 'outbox' : null;
    } catch {
      return 'store';
    }
  }

  async function beat(): Promise<Beat> {
    const because = await withheld();
    if (because !== null) {
      log.warn({ because }, "the dead man's switch is not pinged");
      return { status: 'withheld', because };
    }
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const outcome = await postJson({ url, body: '{}', signal, nowMs: nowMs(), redact });
    if (outcome.status === 'sent') return { status: 'pinged' };
    log.warn({ detail: outcome.detail }, "the dead man's switch did not take the ping");
    return { status: 'unheard', detail: outcome.detail };
  }

  return {
    start() {
      timer ??= setInterval(() => {
        // One at a time: a slow watcher must not pile up requests.
        beating ??= beat().finally(() => {
          beating = null;
        });
      }, intervalMs);
    },
    async stop() {
      clearInterval(timer);
      await beating;
    },
    beat,
  };
}

/** A check that hangs is a check that failed. */
function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('CHECK_TIMEOUT: no answer in time')), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
