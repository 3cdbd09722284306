import type { Alert } from './alert.ts';
import type { SendOutcome } from './notify/notifier.ts';
import type { Receiver } from './receiver.ts';

/** What became of one test message. */
export interface TestResult {
  readonly receiver: string;
  readonly outcome: SendOutcome;
}

/**
 * Sends a message marked TEST through the real senders, past outbox, caps and routes.
 * @param options.receiver a receiver's name; an e-mail receiver's name stands for all of its addresses
 * @returns one result for each receiver (each replica); empty when there is none of that name
 */
export async function testNotify(
  receivers: readonly Receiver[],
  options: { readonly receiver?: string; readonly nowMs: number; readonly timeoutMs: number },
): Promise<TestResult[]> {
  const { receiver: wanted, nowMs, timeoutMs } = options;
  const alert = testAlert(nowMs);
  const chosen = receivers.filter(
    ({ name }) => wanted === undefined || name === wanted || name.startsWith(`${wanted}/`),
  );
  const sends = chosen.flatMap((receiver) => {
    const how = () => ({ nowMs, signal: AbortSignal.timeout(timeoutMs) });
    const sent =
      receiver.kind === 'mirror'
        ? receiver.replicas.map((replica) => replica.show([alert], how()))
        : [receiver.notifier.send([{ alert, wasUndelivered: false, insteadOf: null }], how())];
    return sent.map(async (outcome) => ({ receiver: receiver.name, outcome: await outcome }));
  });
  return Promise.all(sends);
}

function testAlert(nowMs: number): Alert {
  return {
    key: `test:-:entry-failing:-:${nowMs}`,
    service: 'test',
    step: 'entry-failing',
    severity: 'notice',
    kind: 'firing',
    month: '',
    line: '',
    sinceMs: nowMs,
    firedAtMs: nowMs,
    resolvedAtMs: null,
    resolvedBecause: null,
    decidedAtMs: nowMs,
    reminder: 0,
    acknowledgedBy: null,
    timeZone: 'UTC',
    figures: null,
    entry: null,
    fall: null,
    where: null,
    blind: null,
    claim: null,
    picture: null,
    test: true,
  };
}
