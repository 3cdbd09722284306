import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Damage } from './content.ts';
import type { Sibling } from './predecessors.ts';

/** Files that are remembered, to be reported once. */
const SKIPPED_MAX = 1_000;

const SKIPPED: Readonly<Record<Damage | 'compression', string>> = {
  broken: 'a rotated file is skipped: it fails its checksum',
  'cut-off': 'a rotated file ends early; what it holds is read, and the rest is missing',
  compression:
    'a rotated file is skipped: only gzip can be read; unpack it into --stdin, and set compresscmd to gzip',
};

/** The rotated files whose content cannot be read. */
export class SkippedFiles {
  readonly #log: Log;
  readonly #metrics: AgentMetrics;
  readonly #keys = new Set<string>();

  constructor({ log, metrics }: { log: Log; metrics: AgentMetrics }) {
    this.#log = log;
    this.#metrics = metrics;
  }

  has(file: Sibling): boolean {
    return this.#keys.has(keyOf(file));
  }

  /** Logs and counts it, once. */
  add(file: Sibling, reason: Damage | 'compression'): void {
    if (this.has(file)) return;
    if (this.#keys.size >= SKIPPED_MAX) this.#keys.clear();
    this.#keys.add(keyOf(file));
    this.#metrics.count('followedFilesSkipped', 1, reason);
    this.#log.error({ file: file.path, reason }, SKIPPED[reason]);
  }
}

/** An inode alone may belong to another file by now. */
function keyOf({ inode, mtimeMs }: Sibling): string {
  return `${inode} ${mtimeMs}`;
}
