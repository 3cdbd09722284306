import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from '../server/cli.ts';
import { runCommand } from './support/run-command.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PAGES = ['README.md', 'server/OPERATIONS.md', 'server/API.md'];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

describe('what users read first', () => {
  it.each(PAGES)('%s links to what is there', (page) => {
    const links = [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => match[1]!);
    const missing = links.filter((link) => !existsSync(join(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it.each(PAGES)('%s names only folders, files and scripts that exist', (page) => {
    const text = textOf(page);
    const paths = [...text.matchAll(/`((?:agent|server|dashboards|alerts|sla|protocol|test)\/[\w./-]*)`/g)];
    expect(paths.map((match) => match[1]!).filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const run = [...text.matchAll(/npm run (?:--silent )?([a-z-]+)/g)].map((match) => match[1]!);
    expect(run.filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  it('README.md names every command of the daemon', async () => {
    const help = await runCommand(
      { name: 'roomwatch', summary: '', usage: '', run: (args, io) => runCli(args, io) },
      ['--help'],
    );
    const known = [...help.stdout.matchAll(/^ {2}([a-z-]+) {3,}\S/gm)].map((match) => match[1]!);
    expect(known.length).toBeGreaterThan(5);
    const named = new Set([
      ...[...textOf('README.md').matchAll(/roomwatch ([a-z][a-z-]+)/g)].map((match) => match[1]!),
      ...[...textOf('README.md').matchAll(/^\| `roomwatch [a-z-]+`, `([a-z-]+)`/gm)].map(
        (match) => match[1]!,
      ),
    ]);
    for (const command of known) expect([...named]).toContain(command);
  });

  it('server/API.md lists every route with its method, and every code of a refusal', () => {
    const folder = join(root, 'server/http/routes');
    const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const routes = sources.flatMap((text) =>
      [...text.matchAll(/method: '(\w+)',\s*pattern: '([^']+)'/g)].map(
        ([, method, path]) => `${method} ${path}`,
      ),
    );
    expect(routes.length).toBeGreaterThan(15);
    const listed = [...textOf('server/API.md').matchAll(/^\| (GET|POST|DELETE) \| `([^`]+)`/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    expect(listed.toSorted()).toEqual(routes.toSorted());
    const refusals = readFileSync(join(root, 'server/http/answer.ts'), 'utf8');
    const codes = [...refusals.matchAll(/^ {2}([A-Z_]+): (\d{3}),$/gm)].map(([, code, status]) => [
      status,
      code,
    ]);
    expect(codes.length).toBeGreaterThan(10);
    for (const [status, code] of codes) {
      expect(textOf('server/API.md')).toMatch(new RegExp(`^\\| ${status} \\|.*\`${code}\``, 'm'));
    }
  });
});
