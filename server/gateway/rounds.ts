import type { Connection } from './connection.ts';
import type { GatewayLimits } from './options.ts';

/** A dead peer is found this share of a heartbeat after its second miss at the latest: 45 s at 20 s. */
export const VISITS_PER_HEARTBEAT = 4;

/**
 * The one timer of all connections. It closes those that do not say hello in time, and goes around the others
 * so that each is visited four times in a heartbeat, evenly: ten thousand pings at one instant would be a stall.
 */
export function startRounds({
  connections,
  limits,
  nowMs,
}: {
  /** In the order in which they connected. */
  readonly connections: ReadonlySet<Connection>;
  readonly limits: Pick<GatewayLimits, 'helloWithinMs' | 'heartbeatMs'>;
  readonly nowMs: () => number;
}): { stop(): void } {
  const { helloWithinMs, heartbeatMs } = limits;
  const everyMs = Math.max(5, Math.min(250, helloWithinMs / 10, heartbeatMs / 20));
  const visitEveryMs = heartbeatMs / VISITS_PER_HEARTBEAT;
  let round = connections.values();
  let lastAtMs = performance.now();
  let due = 0;

  const timer = setInterval(() => {
    const atMs = performance.now();
    // A share of the connections for the share of the time that has passed, however late the timer is.
    due += (connections.size * (atMs - lastAtMs)) / visitEveryMs;
    lastAtMs = atMs;
    for (let left = Math.min(Math.floor(due), connections.size); left > 0; left -= 1) {
      let next = round.next();
      if (next.done) {
        round = connections.values();
        next = round.next();
      }
      if (next.done) break;
      due -= 1;
      next.value.beat();
    }
    due = Math.min(due, connections.size);
    closeSilent(connections, nowMs() - helloWithinMs);
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

function closeSilent(connections: ReadonlySet<Connection>, connectedBeforeMs: number): void {
  for (const connection of connections) {
    if (!connection.isGreeting || connection.connectedAtMs > connectedBeforeMs) continue;
    connection.close('helloTimeout', 'no hello in time', 'hello-timeout');
  }
}
