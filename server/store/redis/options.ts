/** How to reach Redis and what to ask of it. Everything but `url` has a default. */
export interface RedisStoreOptions {
  /**
   *     redis://[user:password@]host[:port][/db]                      rediss:// for TLS
   *     redis+sentinel://[user:password@]host:port,host:port/master   rediss+sentinel:// for TLS to the servers
   *     redis+cluster://[user:password@]host:port,host:port           rediss+cluster:// for TLS
   */
  readonly url: string;
  /** A call without an answer for this long rejects with StoreUnavailable. */
  readonly commandTimeoutMs?: number;
  /** How long the first connection may take before opening gives up. */
  readonly connectTimeoutMs?: number;
  /** Before every key. */
  readonly keyPrefix?: string;
  /** Days for which minutes are kept. */
  readonly retentionDays?: number;
  /** Certificates (PEM) of a private authority, for addresses with TLS; else Node's own list holds. */
  readonly ca?: string;
  /** Sentinel's own password, when it has one. */
  readonly sentinelPassword?: string;
  /**
   * `server`: an answer is as durable as the server's persistence makes it.
   * `fsync`: opening refuses a server that does not flush every write before it answers (`appendonly yes` and
   * `appendfsync always`).
   */
  readonly durability?: 'server' | 'fsync';
  /** Refuse, instead of warning about, a server that may evict or lose what it stored. */
  readonly strict?: boolean;
  /** What an operator should know; each text is a sentence with the fix. */
  readonly onWarning?: (message: string) => void;
}

export const REDIS_DEFAULTS = {
  commandTimeoutMs: 5_000,
  connectTimeoutMs: 10_000,
  keyPrefix: 'roomwatch:',
} as const;
