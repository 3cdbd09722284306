import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../spool/spool-folder.ts';
import { bundleBeacon } from './page-server.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('the beacon as it is published', () => {
  it('is one file of at most 3,072 bytes gzipped, which imports nothing', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'beacon.js');
    bundleBeacon(file);
    const text = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    expect(gzipSync(text).length).toBeLessThanOrEqual(3_072);
    expect(text).not.toMatch(/\bimport\b/);
    expect(text).toMatch(/export\s*\{\s*\w+ as createBeacon\s*\}/);
  });

  it.each(['agent/browser', 'test/agent/browser/page'])('type-checks in a browser: %s', (folder) => {
    const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
    const tsc = join(dirname(typescript), 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', join(root, folder)], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
