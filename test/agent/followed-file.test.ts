import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.ts';
import { closeFile, openFile } from '../../agent/intake/followed-file.ts';

it('a followed file is known by its birth also in a folder that was made in the same moment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roomwatch-birth-'));
  try {
    // A file system's clock goes in steps of some milliseconds.
    await sleep(20);
    mkdirSync(join(folder, 'new'));
    const path = join(folder, 'new', 'entries.log');
    writeFileSync(path, 'a line\n');
    const file = await openFile(path, systemClock);
    expect(file?.bornAtMs).toBe(statSync(path).birthtimeMs);
    if (file) await closeFile(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
