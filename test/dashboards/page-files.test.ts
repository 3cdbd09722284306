import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../dashboards/page/', import.meta.url));
const served = readdirSync(folder).filter((name) => /\.(html|css|js|svg)$/.test(name));
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const scripts = served.filter((name) => name.endsWith('.js'));

describe('the files of the page', () => {
  it('type-check as strictly as the rest', () => {
    const tsc = join(
      dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
      'bin',
      'tsc',
    );
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('import only each other, and every script is reached from index.html', () => {
    const imports = (name: string) =>
      [...text(name).matchAll(/^import [^']*'\.\/([^']+)';/gm)].map((match) => match[1]!);
    const reached = new Set<string>();
    const reach = (name: string) => {
      if (reached.has(name)) return;
      reached.add(name);
      imports(name).forEach(reach);
    };
    for (const [, name] of text('index.html').matchAll(/<script [^>]*src="([^"]+)"/g)) reach(name!);
    expect([...reached].sort()).toEqual([...scripts].sort());
    // Asked for at once: a chain of imports would cost a round trip a link.
    const preloaded = [...text('index.html').matchAll(/<link rel="modulepreload" href="([^"]+)"/g)];
    expect(preloaded.map(([, name]) => name)).toEqual(scripts.filter((name) => name !== 'main.js').sort());
    for (const name of scripts) expect(text(name), name).not.toMatch(/^import [^']*'(?!\.\/)/m);
  });

  it('name nothing outside the daemon that serves them', () => {
    for (const name of served) {
      const foreign = [...text(name).matchAll(/\b(?:https?:)?\/\/[\w.-]+/g)]
        .map(([address]) => address)
        // A namespace, and the address of an agent in the words for a first start.
        .filter((address) => !['http://www.w3.org', 'http://127.0.0.1'].includes(address));
      expect(foreign, name).toEqual([]);
    }
  });

  it('hold no inline script, style or listener, and never turn text into markup', () => {
    expect(text('index.html')).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:/i);
    for (const name of scripts) {
      expect(text(name), name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|setAttribute\('style'/,
      );
    }
  });
});
