/** One room entry as a page reports it; the agent's HTTP intake says what each field may hold. */
export interface BrowserOutcome {
  readonly result: 'ok' | 'failed';
  /** When the request started, by this browser's clock: epoch milliseconds or RFC 3339; left out = now. */
  readonly at?: number | string;
  readonly service?: string;
  readonly region?: string;
  readonly app?: string;
  readonly platform?: string;
  readonly code?: number | undefined;
  readonly extraCode?: number | undefined;
  /** Left out, the agent's table says it. */
  readonly cause?: 'provider' | 'customer' | 'network' | 'unknown' | undefined;
  readonly durationMs?: number;
  /** Left out, the beacon makes one: a report that is repeated counts once. */
  readonly id?: string;
  readonly count?: number;
}

/** What an error says about a failed entry. */
export type Failure = Pick<BrowserOutcome, 'code' | 'extraCode' | 'cause'>;
