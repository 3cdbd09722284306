import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'roomwatch-package-'));
  folders.push(folder);
  return folder;
}

describe('a checkout', () => {
  for (const name of ['roomwatch', 'roomwatch-agent']) {
    it(`runs npm run --silent ${name} and prints nothing but the answer`, { timeout: 120_000 }, () => {
      const run = spawnSync('npm', ['run', '--silent', name, '--', '--version'], {
        cwd: root,
        encoding: 'utf8',
      });
      expect(run.stdout, run.stderr).toBe(`${version}\n`);
      expect(run.status).toBe(0);
    });

    it(`hands on the exit code of ${name}`, { timeout: 120_000 }, () => {
      const run = spawnSync('npm', ['run', '--silent', name, '--', '--no-such-option'], {
        cwd: root,
        encoding: 'utf8',
      });
      expect(run.stdout).toBe('');
      expect(run.stderr).toContain('no-such-option');
      expect(run.status).toBe(2);
    });
  }
});

/** Paths that `npm pack` would take. */
function packed(): readonly string[] {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // npm 10 gives an array, npm 11 an object by name.
  const parsed = Object.values(JSON.parse(listed) as Record<string, { files: { path: string }[] }>)[0];
  return parsed?.files.map((file) => file.path) ?? [];
}

describe('the package', () => {
  it('has the programs, the page, the scripts of the store and the library, and no tests', {
    timeout: 120_000,
  }, () => {
    const files = packed();
    for (const wanted of [
      'dist/server/main.js',
      'dist/agent/main.js',
      'dist/agent/index.js',
      'dist/agent/index.d.ts',
      'dist/agent/browser/index.js',
      'dist/agent/browser/index.d.ts',
    ]) {
      expect(files).toContain(wanted);
    }
    expect(files.filter((path) => path.endsWith('.lua'))).not.toEqual([]);
    expect(files).toContain('dist/dashboards/page/index.html');
    expect(files).toContain('LICENSE');
    expect(files.filter((path) => path.startsWith('dist/test/'))).toEqual([]);
  });

  it('has what its pages refer to: every relative link of every page resolves inside it', {
    timeout: 120_000,
  }, () => {
    const files = packed();
    const has = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`));
    const pages = files.filter((path) => path.endsWith('.md'));
    expect(pages).toEqual(
      expect.arrayContaining([
        'README.md',
        'CHANGELOG.md',
        'agent/REFERENCE.md',
        'agent/docs/http.md',
        'server/API.md',
        'server/OPERATIONS.md',
        'server/config/REFERENCE.md',
      ]),
    );
    const dead = pages.flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8');
      const links = [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)/g)].map((match) => match[1]!);
      return links
        .filter((link) => !has(posix.join(posix.dirname(page), link)))
        .map((link) => `${page}: ${link}`);
    });
    expect(dead).toEqual([]);
  });

  it('has the files that an operator is told to install', { timeout: 120_000 }, () => {
    const files = packed();
    for (const wanted of [
      'agent/kubernetes/sidecar.yaml',
      'agent/systemd/agent.yaml',
      'agent/systemd/roomwatch-agent.service',
      'alerts/prometheus/month.rules.yml',
      'alerts/prometheus/watcher.rules.yml',
      'dashboards/generated/month.json',
      'dashboards/generated/health.json',
      'dashboards/generated/fleet.json',
      'dashboards/kubernetes/daemon.yaml',
      'dashboards/provisioning/dashboards/roomwatch.yaml',
      'dashboards/provisioning/datasources/roomwatch.yaml',
      'server/systemd/roomwatch.service',
      'server/systemd/roomwatch.yaml',
    ]) {
      expect(files).toContain(wanted);
    }
    // Nothing of a checkout that a package cannot use.
    expect(files.filter((path) => /^(test|scripts)\/|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  it('gives pages the beacon as roomwatch/browser: one script, and types for a strict compiler', () => {
    const folder = temporaryFolder();
    execFileSync('mkdir', ['node_modules'], { cwd: folder });
    symlinkSync(root, join(folder, 'node_modules', 'roomwatch'));
    writeFileSync(
      join(folder, 'page.ts'),
      `import { type Beacon, createBeacon } from 'roomwatch/browser';
const beacon: Beacon = createBeacon({ url: '/v1/outcomes', onDrop: ({ count }) => void count });
export const enter: (room: number) => Promise<string> = beacon.watch(async (room: number) => String(room));
// @ts-expect-error an option that does not exist
createBeacon({ url: '/v1/outcomes', interval: 5 });
`,
    );
    const options = ['--strict', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022'];
    const compiled = spawnSync(
      join(root, 'node_modules', '.bin', 'tsc'),
      [...options, '--lib', 'es2022,dom', '--types', '', 'page.ts'],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(compiled.stdout).toBe('');
    // Servers that render pages load it too: there it has nothing to do and does no harm.
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(folder, 'server.js'),
      `import { createBeacon } from 'roomwatch/browser';
import { enter } from './page.js';
// One for each page that is rendered.
for (let i = 0; i < 20_000; i++) createBeacon({ url: 'https://agent.example.com/v1/outcomes' });
console.log(await enter(7));
`,
    );
    const run = spawnSync(process.execPath, ['server.js'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(run.stdout, run.stderr).toBe('7\n');
  });

  it('has declarations of which none names a .ts file: TypeScript 4 refuses that', () => {
    const declarations = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.d.ts'),
    );
    expect(declarations).toContain(join('agent', 'browser', 'index.d.ts'));
    const naming = declarations.filter((path) =>
      /['"]\.[^'"]*\.ts['"]/.test(readFileSync(join(root, 'dist', path), 'utf8')),
    );
    expect(naming).toEqual([]);
  });

  it('gives applications the library as roomwatch/agent', () => {
    const folder = temporaryFolder();
    execFileSync('mkdir', ['node_modules'], { cwd: folder });
    symlinkSync(root, join(folder, 'node_modules', 'roomwatch'));
    writeFileSync(
      join(folder, 'application.mjs'),
      "import { createAgent } from 'roomwatch/agent';\nconsole.log(typeof createAgent);\n",
    );
    expect(execFileSync(process.execPath, ['application.mjs'], { cwd: folder, encoding: 'utf8' })).toBe(
      'function\n',
    );
  });
});
