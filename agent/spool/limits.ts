/** Every bound of the spool. The first group are defaults of settings, the second are fixed. */
export const SPOOL_DEFAULTS = {
  /** A segment is closed once it is at least this large. */
  segmentBytes: 8 * 1024 * 1024,
  /** All that is on disk; beyond it see `relieve`. */
  maxBytes: 1024 * 1024 * 1024,
  /** Unacknowledged batches older than this are given up: their month's claim is long decided. */
  maxAgeMs: 31 * 86_400_000,
  /** Free bytes to leave on the file system. */
  minFreeBytes: 64 * 1024 * 1024,
  /** Acknowledged batches are kept until the first of these is passed, for a daemon whose store went back. */
  retainMs: 10 * 60_000,
  retainBytes: 64 * 1024 * 1024,
  /**
   * Ids remembered so that a repeated report counts once: this many, and this long after arrival. A restart reads
   * them from disk, where a small spool has fewer; see `idShare`.
   */
  idCount: 1_000_000,
  idSpanMs: 24 * 3_600_000,
} as const;

export const SPOOL_BOUNDS = {
  /** A commit waits this long for company when another one has just ended; alone it does not wait. */
  gatherMs: 5,
  /** Encoded cells of one group commit, and ids in it. */
  groupBytes: 64 * 1024,
  groupIds: 24_000,
  /** The same where outcomes belong together: cells of one batch, ids of one record. */
  togetherBytes: 120 * 1024,
  togetherIds: 32_000,
  /** Open cells are sealed at this size without waiting for the second to end. */
  openBytes: 64 * 1024,
  /** Accepted but not yet durable; beyond it the intake refuses. */
  pendingBytes: 4 * 1024 * 1024,
  /** One record; a longer length in a file is damage. */
  recordBytes: 1024 * 1024,
  /** Of `maxBytes`, and of the file system, that remembered ids may take. */
  idShare: 1 / 8,
  /** Damaged segments and dead letters kept for inspection. */
  asideBytes: 64 * 1024 * 1024,
  /** Folders of former identities kept likewise. */
  asideFolders: 2,
  /** Before what the clock calls too old at a start is given up. */
  ageGraceMs: 6 * 3_600_000,
  /** Recently sealed batches held in memory, so that a live link does not read the disk. */
  recentBytes: 1024 * 1024,
  /** Sequence numbers by which the durable mark of what may have been sent runs ahead. */
  sendAhead: 256,
} as const;
