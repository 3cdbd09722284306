/** What became of a batch (or skip) that an agent sent. */
export type BatchOutcome =
  /** its cells are in the books */
  | 'applied'
  /** the books held it already */
  | 'duplicate'
  /** it came before its turn, or the store went back in time: the agent was asked to send it again */
  | 'rewound'
  /** it is not valid, not covered, fenced or in conflict */
  | 'refused';

/** Whose outcomes were given up. */
export interface LossOrigin {
  /** The agent's producer id. */
  readonly agent: string;
  /** Those that may have lost some: an agent does not say which of its own. */
  readonly services: readonly string[];
}

/**
 * Hears what ingest counts. Called with merged figures, a few times for each store call, never for each cell;
 * an implementation may therefore be as slow as a metrics library is.
 */
export interface IngestObserver {
  batches(outcome: BatchOutcome, n: number): void;
  /**
   * Outcomes that are now in the books.
   * @param tallies  MEASURE_COUNT integers in the order of MEASURES
   * Region and platform are free text of an agent (within the bounds of a label): bound the label sets.
   */
  counted(service: string, region: string, platform: string, tallies: readonly number[]): void;
  /**
   * Callbacks of the vendor that are now in the books.
   * @param counts  CALLBACK_COUNT integers in the order of CALLBACK_MEASURES
   */
  calledBack(service: string, counts: readonly number[]): void;
  /** Outcomes given up, as agents declared them or ingest judged them; a bounded set of reasons. */
  lost(reason: string, outcomes: number, from: LossOrigin): void;
  /** Outcomes of the future, counted in the minute after now. */
  clamped(outcomes: number): void;
  /** From the end of the outcomes' minute, or from their arrival while it is still open, to their being counted. */
  delayed(delayMs: number, outcomes: number): void;
  /** A store call put a group of batches into a service's books. */
  applied(
    service: string,
    apply: { readonly durationMs: number; readonly saturated: number; readonly atMs: number },
  ): void;
  /** A store call failed or was refused; it is repeated. */
  applyFailed(service: string, reason: 'unavailable' | 'moved' | 'fenced' | 'fault', error?: unknown): void;
}
