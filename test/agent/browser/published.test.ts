import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingsSchema } from '../../../agent/settings.ts';
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
    expect(compile(join(root, folder))).toEqual({ status: 0, stdout: '' });
  });
});

describe('its manual', () => {
  const manual = readFileSync(join(root, 'agent', 'docs', 'browser.md'), 'utf8');
  const snippets = (language: string) =>
    [...manual.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
      ([, text]) => text ?? '',
    );

  it('has snippets that compile with the real SDKs', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, 'snippets'));
    const written = snippets('ts');
    expect(written.length).toBeGreaterThanOrEqual(3);
    written.forEach((text, index) => {
      writeFileSync(join(folder, 'snippets', `${index}.ts`), text);
    });
    const paths = {
      'roomwatch/browser': [join(root, 'agent/browser/index.ts')],
      '*': [join(root, 'node_modules/*')],
    };
    const settings = {
      extends: join(root, 'test/agent/browser/page/tsconfig.json'),
      compilerOptions: { rootDir: '/', moduleDetection: 'force', paths },
      include: ['snippets/*.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    expect(compile(folder)).toEqual({ status: 0, stdout: '' });
    rmSync(folder, { recursive: true });
  });

  it('has a configuration that an agent takes', () => {
    const [text = ''] = snippets('yaml');
    expect(settingsSchema.parse(parse(text)).origins).toEqual(['https://app.example.com']);
  });

  it('names every default as it is', () => {
    const source = readFileSync(join(root, 'agent/browser/options.ts'), 'utf8');
    const defaults = [...source.matchAll(/\b(\w+) = ([\d_]+)[,\s]/g)].filter(
      ([, name]) => name !== 'NUMBER_MAX',
    );
    expect(defaults).toHaveLength(3);
    for (const [, name, value] of defaults) {
      expect(manual).toContain(
        `| \`${name}\` | ${Number(value?.replaceAll('_', '')).toLocaleString('en')} |`,
      );
    }
  });
});

function compile(folder: string) {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
  const tsc = join(dirname(typescript), 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', folder], {
    encoding: 'utf8',
  });
  return { status, stdout };
}
