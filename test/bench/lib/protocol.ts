/** What a benchmark asks of the processes that it starts, over their IPC channel. */

/** A server under test: ours, or a baseline that does less or does it plainly. */
export type SideKind =
  /** The whole daemon, on Redis. */
  | 'daemon'
  /** ws alone: parses and validates the same frames, and acknowledges each. */
  | 'bare'
  /** The same with a group commit into Redis before the acknowledgement, and nothing else. */
  | 'skeleton'
  /** node:http and one INCR for each POST. */
  | 'http-incr'
  /** The same with ioredis's auto-pipelining. */
  | 'http-incr-auto';

export interface SideStart {
  readonly kind: SideKind;
  readonly redisUrl: string;
  readonly token: string;
}

export type SideAsk = 'vitals' | 'reset';
export interface SideVitals {
  /** Seconds of CPU since the start. */
  readonly cpuSeconds: number;
  /** Resident memory after a collection. */
  readonly rssBytes: number;
  /** Of it, JavaScript objects that are alive. */
  readonly heapBytes: number;
  /** The longest stall of the event loop since the last `reset`. */
  readonly stallMs: number;
}

/** One job of the load generator; it answers with a LoadResult when the job is done. */
export type LoadJob =
  | {
      readonly job: 'connect';
      readonly port: number;
      readonly token: string;
      readonly connections: number;
      readonly services: readonly string[];
      /** Cells of each frame, spread over the services. */
      readonly cells: number;
      readonly localAddress: string;
    }
  /** Each connection keeps `window` frames unacknowledged. */
  | { readonly job: 'closed'; readonly window: number; readonly forMs: number }
  /** Frames are due at a fixed rate, whatever the acknowledgements do. */
  | { readonly job: 'open'; readonly framesPerSecond: number; readonly forMs: number }
  /** Every connection sends all that its socket takes. */
  | { readonly job: 'flood'; readonly forMs: number }
  | { readonly job: 'post'; readonly port: number; readonly connections: number; readonly forMs: number }
  | { readonly job: 'disconnect' };

export interface LoadResult {
  /** Frames (or requests) acknowledged within the job's time, and the time. */
  readonly acknowledged: number;
  readonly elapsedMs: number;
  /** Of the open loop: from when a frame was due to its acknowledgement, in order of arrival. */
  readonly latenciesMs: readonly number[];
  /** Connections that the server closed. */
  readonly closed: number;
  readonly cpuSeconds: number;
}
