import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder on a real disk, as fsync is part of what is measured; it goes with the process. */
export function benchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Nobody listens there: what is measured is the agent, and its batches wait in the spool. */
export const NO_DAEMON = 'ws://127.0.0.1:9';
