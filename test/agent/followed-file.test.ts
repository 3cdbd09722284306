import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.ts';
import { closeFile, openFile } from '../../agent/intake/followed-file.ts';

it('a followed file is known by its birth also in a folder that was made in the same moment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roomwatch-birth-'));
  try {
    const path = join(folder, 'entries.log');
    writeFileSync(path, 'a line\n');
    const file = await openFile(path, systemClock);
    expect(file?.bornAtMs).toBe(statSync(path).birthtimeMs);
    if (file) await closeFile(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
