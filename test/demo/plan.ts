const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WINDOW_MS = 5 * MINUTE_MS;

/**
 * What the demo shows, decided from the moment at which it starts: the month so far is replayed at high speed
 * with a few lost windows in it, then traffic goes on live and an outage begins before the watcher's eyes.
 */
export interface DemoPlan {
  /** A fixed offset in which the month is well under way, so that there is a month to show on its first day. */
  readonly timeZone: string;
  /** YYYY-MM in that zone */
  readonly month: string;
  readonly fromMs: number;
  /** Simulated seconds in one real second while the past is replayed. */
  readonly speed: number;
  /** When traffic is expected to have caught up with the clock. */
  readonly liveAtMs: number;
  /** Half-open spans in which `share` of the entries fail (0 to 1); the live one is last. */
  readonly incidents: readonly Incident[];
}

export interface Incident {
  readonly fromMs: number;
  readonly toMs: number;
  readonly share: number;
}

/** How long the replay of the past takes, and when the live outage follows it. */
const REPLAY_MS = 15_000;
const OUTAGE_AFTER_MS = 8_000;
const OUTAGE_MS = 40_000;

export function planDemo(nowMs: number): DemoPlan {
  // The contract's own zone, unless its month is younger than half a day: then one in which it is not yet over.
  const zones = [
    { timeZone: '+08:00', offsetMs: 8 * HOUR_MS },
    { timeZone: '-12:00', offsetMs: -12 * HOUR_MS },
  ];
  const started = zones.map((zone) => ({ ...zone, fromMs: monthStart(nowMs, zone.offsetMs) }));
  const zone = started.find((one) => nowMs - one.fromMs >= 12 * HOUR_MS) ?? started[1]!;
  const liveAtMs = nowMs + REPLAY_MS;
  const elapsedMs = nowMs - zone.fromMs;
  // Four, two and one windows lost earlier in the month: one left of the eight that a month allows.
  const past = [
    { at: 0.25, windows: 4, share: 0.25 },
    { at: 0.55, windows: 2, share: 0.05 },
    { at: 0.8, windows: 1, share: 1 },
  ].map(({ at, windows, share }) => {
    const fromMs = Math.floor((zone.fromMs + at * elapsedMs) / WINDOW_MS) * WINDOW_MS;
    return { fromMs: fromMs + MINUTE_MS, toMs: fromMs + windows * WINDOW_MS - MINUTE_MS, share };
  });
  const outageAtMs = liveAtMs + OUTAGE_AFTER_MS;
  return {
    timeZone: zone.timeZone,
    month: new Date(nowMs + zone.offsetMs).toISOString().slice(0, 7),
    fromMs: zone.fromMs,
    speed: Math.max(1, Math.ceil(elapsedMs / REPLAY_MS)),
    liveAtMs,
    incidents: [...past, { fromMs: outageAtMs, toMs: outageAtMs + OUTAGE_MS, share: 0.6 }],
  };
}

function monthStart(nowMs: number, offsetMs: number): number {
  const local = new Date(nowMs + offsetMs);
  return Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), 1) - offsetMs;
}
