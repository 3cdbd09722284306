import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SpoolEntry } from '../../../agent/spool/batch-record.ts';
import { readBatch } from '../../../agent/spool/batch-record.ts';
import type { SpoolOptions } from '../../../agent/spool/parts.ts';
import { Spool } from '../../../agent/spool/spool.ts';

/** In memory where there is such a file system: these tests are about bytes, and fsync for thousands of spools is slow. */
export async function temporaryFolder(): Promise<string> {
  const memory = '/dev/shm';
  return mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'roomwatch-spool-'));
}

/** A clock that stands still until a test moves it. */
export class HandClock {
  #wallMs = Date.UTC(2026, 10, 23, 12, 0, 0);
  #monotonicMs = 0;

  get ms(): number {
    return this.#wallMs;
  }

  /** Time passes. */
  set ms(ms: number) {
    this.#monotonicMs += ms - this.#wallMs;
    this.#wallMs = ms;
  }

  /** Somebody sets the clock. */
  setBy(ms: number): void {
    this.#wallMs += ms;
  }

  readonly nowMs = () => this.#wallMs;
  readonly monotonicMs = () => this.#monotonicMs;
}

export function openSpool(directory: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const nowMs = options.nowMs ?? Date.now;
  return Spool.open({ directory, nowMs, monotonicMs: nowMs, services: ['acme'], ...options });
}

export const OK = {
  service: 'acme',
  region: 'r',
  platform: 'web-v5',
  result: 'ok',
  cause: '',
  code: '',
} as const;
export const FAILED = { ...OK, result: 'failed', cause: 'unknown', code: '5400' } as const;

/** Accepts `n` equal outcomes and waits until they are on disk. */
export async function report(
  spool: Spool,
  n: number,
  { id, service = 'acme' }: { id?: string; service?: string } = {},
) {
  const accepted = spool.accept({ ...OK, service, n }, Date.UTC(2026, 10, 23, 12), id);
  await spool.commit();
  return accepted;
}

export async function entriesOf(spool: Spool): Promise<SpoolEntry[]> {
  const entries: SpoolEntry[] = [];
  for (let seq = spool.firstRetained; seq <= spool.lastSealed; ) {
    const found = await spool.entriesFrom(seq, 1024 * 1024);
    entries.push(...found);
    seq = found.at(-1)!.to + 1;
  }
  return entries;
}

/** What a daemon would count of everything sealed, and what it would be told is lost. */
export async function deliverable(spool: Spool): Promise<{ counted: number; lost: number }> {
  const isGone = spool.firstOffered < spool.firstRetained;
  const gone = isGone ? spool.beforeRetained - spool.countedBefore(spool.firstOffered) : 0;
  const sum = { counted: 0, lost: gone };
  for (const entry of await entriesOf(spool)) {
    if (entry.kind === 'skip') sum.lost += entry.outcomes;
    else {
      const { cells, lost } = readBatch(entry);
      for (const { n } of cells) sum.counted += n;
      for (const n of Object.values(lost)) sum.lost += n;
    }
  }
  return sum;
}

/** A spool as the disk has it at an instant, to be put back with damage. */
export class Snapshot {
  readonly #directory: string;
  readonly #files: ReadonlyMap<string, Buffer>;

  private constructor(directory: string, files: ReadonlyMap<string, Buffer>) {
    this.#directory = directory;
    this.#files = files;
  }

  static take(directory: string): Snapshot {
    const names = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'lock')
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
    return new Snapshot(directory, new Map(names.map((name) => [name, readFileSync(join(directory, name))])));
  }

  get names(): string[] {
    return [...this.#files.keys()];
  }

  bytes(name: string): Buffer {
    return this.#files.get(name)!;
  }

  /**
   * The directory itself stays, as the spool knows it by its inode.
   * @param change  undefined bytes leave the file out
   */
  restore(change?: { readonly name: string; readonly bytes: Buffer | undefined }): void {
    for (const name of readdirSync(this.#directory)) rmSync(join(this.#directory, name), { recursive: true });
    for (const [name, bytes] of this.#files) {
      mkdirSync(dirname(join(this.#directory, name)), { recursive: true });
      const content = change?.name === name ? change.bytes : bytes;
      if (content) writeFileSync(join(this.#directory, name), content);
    }
  }
}
