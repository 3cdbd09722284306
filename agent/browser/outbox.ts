/**
 * Why an outcome will never be reported: `buffer-full` = too many waited; `refused` = the agent would refuse it
 * again; `invalid` = it is no JSON or too long; `closed` = the beacon was closed.
 */
export type DropReason = 'buffer-full' | 'refused' | 'invalid' | 'closed';

export interface Drop {
  readonly reason: DropReason;
  readonly count: number;
  /** Of the agent, with what to do. */
  readonly message?: string | undefined;
}

/** What became of a report. */
export type Answer =
  /** On the agent's disk: records up to `upTo` (default: all), but for `refused` of them. */
  | {
      readonly kind: 'taken';
      readonly upTo?: number | undefined;
      readonly refused: number;
      readonly message?: string | undefined;
    }
  | { readonly kind: 'refused'; readonly message?: string | undefined }
  /** Nothing is known, or the agent asked to come again. */
  | { readonly kind: 'later'; readonly afterMs?: number | undefined; readonly message?: undefined };

export interface Transport {
  /** A rejection is the same as `later`. */
  post(body: string): Promise<Answer>;
  /** Leaves a report with the browser, for which there will be no answer. @returns false when it takes no more */
  leave(body: string): boolean;
}

export interface OutboxOptions {
  readonly transport: Transport;
  /** Records of one report, 1 or more. */
  readonly batchMax: number;
  /** Records that wait, 1 or more; beyond it new ones are dropped. */
  readonly bufferMax: number;
  /** How long a record waits for company. */
  readonly intervalMs: number;
  /** uniform in [0, 1) */
  readonly random: () => number;
  readonly onDrop: (drop: Drop) => void;
  /** A report was answered: what waits is not what it was. */
  readonly onAnswer: () => void;
}

/** A record on its way to the agent; of JSON's types, so that it can be stored. */
export interface Waiting {
  /** JSON of one outcome with an id. */
  readonly text: string;
  /** When the browser took a copy, in epoch milliseconds; Infinity (stored: null) = while reports failed. */
  leftAt?: number | null | undefined;
}

export interface Outbox {
  /**
   * @param text    JSON of one outcome with an id
   * @param leftAt  when a page before this one left it with the browser
   */
  add(text: string, leftAt?: number | null): void;
  /** What waits, oldest first. */
  readonly waiting: readonly Waiting[];
  /** Sends what waits, now. @returns whether the agent has all of it */
  flush(): Promise<boolean>;
  /** Leaves a copy of what waits with the browser, as this page may never run again. */
  leave(): void;
  /** The network is back. */
  wake(): void;
  /** Flushes once; what then still waits is dropped, as is all that comes later. */
  close(): Promise<void>;
}

/** Characters of a record, which has a few labels of at most 64. */
const RECORD_CHARACTERS = 2_000;
/** Of a report: with at most three bytes for each it is within the 64 KiB that a browser takes from a hidden page. */
const REPORT_CHARACTERS = 20_000;
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/** A longer wait asked for by the agent is cut here. */
const ASKED_MAX_MS = 15 * 60_000;
/**
 * What the browser took longer ago is not repeated: it has delivered it, most likely, and the agent may have forgotten
 * the id, which it does after a day or a million others.
 */
const LEFT_MAX_MS = 3_600_000;

/**
 * Keeps records until the agent has said that it has them, one report under way at a time. When the buffer is full
 * new records are dropped: the old ones may be under way, and are those from the start of an outage.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { transport, batchMax, bufferMax, intervalMs, random, onDrop, onAnswer } = options;
  let waiting: Waiting[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending: Promise<void> | undefined;
  let failures = 0;
  /** Until then the agent asked for silence; by a clock that nobody sets. */
  let silentUntilMs = 0;
  let isClosed = false;

  const schedule = (afterMs: number) => {
    clearTimeout(timer);
    timer = setTimeout(send, afterMs);
    // Where pages are rendered on a server, it must not keep the process alive.
    (timer as { unref?: () => void }).unref?.();
  };

  /** Uniform from the first retry on, so that pages which lost the agent together do not come back together. */
  const retry = (boundMs: number) =>
    schedule(Math.max(0, silentUntilMs - performance.now()) + random() * boundMs);

  const sendReport = async () => {
    clearTimeout(timer);
    timer = undefined;
    waiting = waiting.filter(({ leftAt }) => Date.now() - (leftAt ?? Infinity) < LEFT_MAX_MS);
    const report = firstReport(waiting, batchMax);
    if (!report.length) return;
    const isRest = report.length < waiting.length;
    const answer: Answer = await transport.post(bodyOf(report)).catch(() => ({ kind: 'later' }));
    let gone = report.length;
    let askedMs = 0;
    if (answer.kind === 'later') {
      gone = 0;
      askedMs = answer.afterMs ?? 0;
    } else if (answer.kind === 'taken') gone = answer.upTo ?? gone;
    waiting = waiting.slice(gone);
    failures = gone < report.length ? failures + 1 : 0;
    if (failures) {
      // A copy left meanwhile went to the same deaf agent.
      for (const one of waiting) one.leftAt = undefined;
      silentUntilMs = performance.now() + Math.min(askedMs, ASKED_MAX_MS);
      retry(Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (failures - 1)));
    } else if (waiting.length) schedule(isRest ? 0 : intervalMs);
    onAnswer();
    const refused = answer.kind === 'taken' ? answer.refused : answer.kind === 'refused' ? gone : 0;
    if (refused) onDrop({ reason: 'refused', count: refused, message: answer.message });
  };

  const send = (): Promise<void> => {
    sending ??= sendReport().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  const flush = async () => {
    do await send();
    while (waiting.length && !failures);
    return !waiting.length;
  };

  return {
    add: (text, leftAt) => {
      const drop = (reason: DropReason) => onDrop({ reason, count: 1 });
      if (isClosed) return drop('closed');
      if (text.length > RECORD_CHARACTERS) return drop('invalid');
      if (waiting.length >= bufferMax) return drop('buffer-full');
      waiting.push({ text, leftAt });
      // After a failure, and while a report is under way, the next one is on the timetable already.
      if (sending || failures) return;
      if (waiting.length >= batchMax) schedule(0);
      else if (timer === undefined) schedule(intervalMs);
    },
    get waiting() {
      return waiting;
    },
    flush,
    leave: () => {
      // What is under way too: the browser may cut it off. What arrives twice counts once.
      let fresh = waiting.filter(({ leftAt }) => !leftAt);
      let recordsMax = batchMax;
      while (fresh.length && recordsMax) {
        const report = firstReport(fresh, recordsMax);
        if (transport.leave(bodyOf(report))) {
          // Where reports fail a copy is likely to, and must be repeated however late.
          for (const one of report) one.leftAt = failures ? Infinity : Date.now();
          fresh = fresh.slice(report.length);
        } else recordsMax = report.length >> 1;
      }
    },
    wake: () => {
      if (failures && !sending) retry(BACKOFF_BASE_MS);
    },
    close: async () => {
      const flushed = flush();
      isClosed = true;
      await flushed;
      clearTimeout(timer);
      const count = waiting.length;
      waiting = [];
      if (count) onDrop({ reason: 'closed', count });
    },
  };
}

function firstReport(waiting: readonly Waiting[], batchMax: number): readonly Waiting[] {
  let count = 0;
  let characters = 1;
  for (const { text } of waiting.slice(0, batchMax)) {
    characters += text.length + 1;
    if (characters > REPORT_CHARACTERS) break;
    count += 1;
  }
  return waiting.slice(0, count);
}

function bodyOf(report: readonly Waiting[]): string {
  return `[${report.map(({ text }) => text).join(',')}]`;
}
