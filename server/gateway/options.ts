import { LIMITS } from '../../protocol/limits.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Log } from '../log.ts';

/** What a bearer token allows. */
export interface Grant {
  /** Names the holder in logs and in the cap per token; not secret. */
  readonly agentLabel: string;
  readonly services: 'all' | ReadonlySet<string>;
}

/** Why a connection was refused, or closed by the daemon. */
export type RefusalReason =
  | 'not-found'
  | 'unauthenticated'
  | 'origin'
  | 'subprotocol'
  | 'handshake'
  | 'too-many'
  | 'too-many-per-address'
  | 'too-many-per-token'
  | 'draining'
  | 'hello-timeout'
  | 'bad-frame'
  | 'too-big'
  | 'forbidden-service'
  | 'revoked'
  | 'fenced'
  | 'conflict'
  | 'credit'
  | 'slow-reader'
  | 'dead-peer'
  | 'store-unavailable';

export interface GatewayObserver {
  refused(reason: RefusalReason): void;
}

export interface GatewayLimits {
  /** Connections in all. */
  readonly connections: number;
  /**
   * Connections from one remote address, and with one token. As many as in all unless configured: a fleet
   * behind one proxy has one address, and mostly one token.
   */
  readonly connectionsPerAddress: number;
  readonly connectionsPerToken: number;
  /** Batches that an agent may have unacknowledged. */
  readonly credit: number;
  readonly framePayloadBytes: number;
  readonly helloWithinMs: number;
  readonly heartbeatMs: number;
  /** Bytes that may wait for an agent that does not read. */
  readonly bufferedBytes: number;
  /** Frames of one agent, and their bytes, that wait for their turn; beyond either its socket is paused. */
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** The same of all agents together; beyond it every socket that brings more is paused. */
  readonly queuedBytesInAll: number;
  /** Decoding pauses after this long for everything else in the process. */
  readonly sliceMs: number;
}

const GATEWAY_LIMITS: Omit<GatewayLimits, 'connectionsPerAddress' | 'connectionsPerToken'> = {
  connections: 20_000,
  credit: LIMITS.credit,
  framePayloadBytes: LIMITS.framePayloadBytes,
  helloWithinMs: LIMITS.helloWithinMs,
  heartbeatMs: LIMITS.heartbeatMs,
  bufferedBytes: 256 * 1024,
  queuedFrames: 16,
  queuedBytes: 128 * 1024,
  queuedBytesInAll: 64 * 1024 * 1024,
  sliceMs: 10,
};

/** The limits given, and the usual ones for the rest. */
export function completeLimits(given: Partial<GatewayLimits>): GatewayLimits {
  const limits = { ...GATEWAY_LIMITS, ...given };
  const { connections } = limits;
  return { connectionsPerAddress: connections, connectionsPerToken: connections, ...limits };
}

export interface GatewayOptions {
  readonly ingest: Ingest;
  /** @returns null when the token is not one of ours; compares in constant time */
  readonly authenticate: (token: string) => Grant | null;
  readonly storeId: () => Promise<string>;
  readonly limits?: Partial<GatewayLimits>;
  readonly observer: GatewayObserver;
  readonly nowMs: () => number;
  readonly log: Log;
}
