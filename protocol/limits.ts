/** Every bound on what crosses the wire. A peer that exceeds one is refused with a documented code. */
export const LIMITS = {
  /** Bytes of one WebSocket message; a larger one closes the connection with 1009. */
  framePayloadBytes: 256 * 1024,
  /** Cells of one batch; the agent seals a batch before it grows past this. */
  cellsPerBatch: 2_000,
  /** Services of one agent. */
  servicesPerAgent: 1_000,
  /** Outcomes one cell may stand for. */
  countPerCell: 1_000_000_000,
  /** Characters of a label (region, platform, code). */
  labelCharacters: 64,
  /** Milliseconds in which a connected agent must say hello. */
  helloWithinMs: 5_000,
  /** Unacknowledged batches an agent may have in flight. */
  credit: 64,
  /** Milliseconds between heartbeats; two missed ones are a dead peer. */
  heartbeatMs: 20_000,
  missedHeartbeats: 2,
} as const;

export const SUBPROTOCOL = 'roomwatch.v1';
export const AGENT_PATH = '/v1/agent';
