import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runAgent } from '../agent/cli.ts';
import { AGENT_METRICS, METRICS } from '../protocol/metrics.ts';
import { runCli } from '../server/cli.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ROOMS = ['sla', 'protocol', 'agent', 'server', 'alerts', 'dashboards'];

const pages = [
  ...readdirSync(root)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, name)),
  ...ROOMS.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(root, room, name)),
  ),
];
const text = (path: string) => readFileSync(path, 'utf8');
const nameOf = (path: string) => relative(root, path);
/** Everything that a page mentions by a pattern's first group, as `page: mention`. */
const mentions = (paths: readonly string[], pattern: RegExp) =>
  paths.flatMap((path) =>
    [...text(path).matchAll(pattern)].map((match) => ({ page: nameOf(path), what: match[1]! })),
  );

/** As the forges make them of headings. */
function anchors(path: string): string[] {
  const headings = [...text(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

const io = () => {
  const stdout = new PassThrough();
  const signal = new AbortController().signal;
  return {
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
    env: {},
    cwd: root,
    signal,
    now: Date.now,
  };
};

/** What a command says about itself; undefined when there is no such command. */
async function helpOf(program: string, command: string | undefined): Promise<string | undefined> {
  const own = io();
  const args =
    program === 'roomwatch-agent' && command !== 'simulate' ? ['--help'] : [command ?? '', '--help'];
  const code = await (program === 'roomwatch-agent' ? runAgent(args, own) : runCli(args, own));
  return code === 0 ? String(own.stdout.read()) : undefined;
}

describe('the documentation', () => {
  it('is found', () => {
    expect(pages.map(nameOf)).toEqual(
      expect.arrayContaining(['README.md', 'agent/README.md', 'agent/docs/README.md', 'agent/docs/http.md']),
    );
  });

  it('links only to files and headings that are there', () => {
    const dead = mentions(pages, /\]\(([^)\s]+)\)/g).filter(({ page, what }) => {
      if (/^[a-z]+:/.test(what)) return false;
      const [path, anchor] = what.split('#', 2);
      const target = path === '' ? join(root, page) : resolve(root, dirname(page), path!);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  it('calls the programs with flags that they have', async () => {
    const unknown: string[] = [];
    let checked = 0;
    const calls = pages.flatMap((path) =>
      [...text(path).matchAll(/\b(roomwatch-agent|roomwatch)(?: --)? ((?:\\\n|[^\n`|<])*)/g)].map(
        ([, program, rest]) => ({ page: nameOf(path), program: program!, rest: rest! }),
      ),
    );
    for (const { page, program, rest } of calls) {
      const [first] = rest.trim().split(/\s/);
      const flags = rest.match(/(?<=^|\s)--[a-z][a-z-]*/g) ?? [];
      if (flags.length === 0) continue;
      const help = await helpOf(program, first);
      // Prose after the program's name; options come after a command.
      if (help === undefined) continue;
      for (const flag of flags) {
        checked += 1;
        if (!new RegExp(`${flag}(?![a-z-])`).test(help)) unknown.push(`${page}: ${program} ${first} ${flag}`);
      }
    }
    expect(unknown).toEqual([]);
    expect(checked).toBeGreaterThan(20);
  });

  it('of the ways in names only flags of the agent', async () => {
    const help = `${await helpOf('roomwatch-agent', undefined)}${await helpOf('roomwatch-agent', 'simulate')}`;
    const inAgent = pages.filter((path) => nameOf(path).startsWith('agent/'));
    const unknown = mentions(inAgent, /`(--[a-z][a-z-]*)/g).filter(({ what }) => !help.includes(what));
    expect(unknown).toEqual([]);
  });

  it('names only metrics that there are', () => {
    const names = new Set(
      [...Object.values(METRICS), ...Object.values(AGENT_METRICS)].flatMap(({ name }) =>
        ['', '_bucket', '_sum', '_count'].map((suffix) => name + suffix),
      ),
    );
    const unknown = mentions(pages, /\b(roomwatch_[a-z]+_[a-z_]*[a-z])\b/g).filter(
      ({ what }) => !names.has(what),
    );
    expect(unknown).toEqual([]);
  });

  it('explains every code that the agent answers, and no other', () => {
    const names = [
      'intake/http',
      'intake/failure',
      'intake/unreadable',
      'intake/trtc-callback',
      'intake/trtc-event',
      'library-options',
    ];
    const answering = names.map((name) => text(join(root, 'agent', `${name}.ts`)));
    // Node has codes as well.
    const answered = answering.flatMap((source) => [
      ...source.matchAll(/'(?!ERR_|HPE_)([A-Z]+(?:_[A-Z]+)+)'/g),
    ]);
    const known = new Set([
      ...answered.map(([, code]) => code!),
      ...[...text(join(root, 'sla/outcome.ts')).matchAll(/'(OUTCOME_[A-Z_]+)'/g)].map(([, code]) => code!),
      'OUTCOME_TOO_MANY_SERVICES',
      'OUTCOME_SERVICE_FORBIDDEN',
    ]);
    const docs = pages.filter((path) => nameOf(path).startsWith('agent/docs/'));
    const explained = new Set(mentions(docs, /`([A-Z]+(?:_[A-Z]+)+)`/g).map(({ what }) => what));
    // Of the environment and of the beacon.
    const others = /^(ROOMWATCH_|BEACON_)/;
    expect([...known].filter((code) => !explained.has(code))).toEqual([]);
    expect([...explained].filter((code) => !known.has(code) && !others.test(code))).toEqual([]);
  });
});
