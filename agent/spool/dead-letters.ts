import { open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpoolEntry } from './batch-record.ts';
import { type Disk, makeDirectory } from './disk.ts';

/** Two files of this size are kept, for a person to look at; nothing reads them. */
const FILE_BYTES = 16 * 1024 * 1024;

/** Writes a batch that the daemon will never take to `aside/rejected.ndjson`, before its skip is sent. */
export async function keepDeadLetter(
  disk: Disk,
  aside: string,
  letter: { entry: SpoolEntry; reason: string; producerId: string; rejectedAtMs: number },
): Promise<void> {
  await makeDirectory(disk, aside);
  const path = join(aside, 'rejected.ndjson');
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size >= FILE_BYTES) await rename(path, `${path}.1`);
  const { entry, reason, producerId, rejectedAtMs } = letter;
  const rejectedAt = new Date(rejectedAtMs).toISOString();
  const line = JSON.stringify({ rejectedAt, reason, producerId, batch: JSON.parse(entry.text) });
  const file = await open(path, 'a', 0o600);
  try {
    await file.appendFile(`${line}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.syncDirectory(aside);
}
