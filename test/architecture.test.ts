import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** What each room may import: other rooms, and packages. `test` may import everything. */
const RULES: Record<string, { rooms: readonly string[]; packages: readonly string[]; node: boolean }> = {
  // node:module only, to load the code table that lies beside the code; no clock, no I/O (see below).
  sla: { rooms: [], packages: ['zod', 'chinese-days'], node: false },
  protocol: { rooms: ['sla'], packages: ['zod'], node: false },
  agent: { rooms: ['protocol', 'sla'], packages: ['ws', 'zod', 'yaml', 'pino'], node: true },
  server: {
    rooms: ['protocol', 'sla', 'alerts'],
    packages: ['ws', 'ioredis', 'lmdb', 'prom-client', 'node-cron', 'pino', 'zod', 'yaml'],
    node: true,
  },
  alerts: { rooms: ['sla'], packages: ['nodemailer', 'zod'], node: true },
  dashboards: { rooms: ['protocol', 'sla'], packages: ['@grafana/grafana-foundation-sdk'], node: true },
};

interface Import {
  readonly file: string;
  readonly from: string;
}

function sources(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(room: string): Import[] {
  return sources(room).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    const found = text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g,
    );
    return [...found].map((match) => ({
      file: relative(root, file),
      from: (match[1] ?? match[2]) as string,
    }));
  });
}

/** 'room:sla', 'package:zod' or 'node:fs'. */
function target({ file, from }: Import): string {
  if (from.startsWith('.')) {
    return `room:${relative(root, resolve(root, dirname(file), from)).split('/')[0]}`;
  }
  if (from.startsWith('node:') || builtinModules.includes(from)) return `node:${from.replace('node:', '')}`;
  const parts = from.split('/');
  return `package:${from.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]}`;
}

describe('the rooms', () => {
  for (const [room, rule] of Object.entries(RULES)) {
    it(`${room} imports only what its row of the table allows`, () => {
      const imports = importsOf(room);
      const allowed = new Set([
        `room:${room}`,
        ...rule.rooms.map((name) => `room:${name}`),
        ...rule.packages.map((name) => `package:${name}`),
        ...(room === 'sla' ? ['node:module'] : []),
      ]);
      const offending = imports
        .map((one) => ({ ...one, target: target(one) }))
        .filter((one) => !(rule.node && one.target.startsWith('node:')) && !allowed.has(one.target));
      expect(offending).toEqual([]);
      expect(sources(room).length).toBeGreaterThan(0);
    });
  }

  it('agent and server never meet, and nothing imports test', () => {
    const meetings = Object.keys(RULES)
      .flatMap((room) => importsOf(room).map((one) => `${room} -> ${target(one)}`))
      .filter(
        (pair) =>
          pair.endsWith('room:test') || ['agent -> room:server', 'server -> room:agent'].includes(pair),
      );
    expect(meetings).toEqual([]);
  });

  it('the beacon for browsers imports nothing but its own files', () => {
    const offending = importsOf('agent/browser').filter(({ from }) => !/^\.\/[a-z-]+\.ts$/.test(from));
    expect(offending).toEqual([]);
    expect(importsOf('agent/browser').length).toBeGreaterThan(0);
  });

  it('the contract reads no clock and draws no random number', () => {
    const offending = sources('sla')
      .map((file) => ({ file: relative(root, file), text: readFileSync(file, 'utf8') }))
      .filter(({ text }) => /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(/.test(text))
      .map(({ file }) => file);
    expect(offending).toEqual([]);
  });

  it('metric names are written in protocol/metrics.ts and nowhere else in the code', () => {
    const offending = ['agent', 'server', 'alerts', 'dashboards', 'sla']
      .flatMap((room) => sources(room))
      .filter((file) => /['"`]roomwatch_[a-z]+_[a-z_]+/.test(readFileSync(file, 'utf8')))
      .map((file) => relative(root, file));
    expect(offending).toEqual([]);
  });

  it('every exported file is reached from a program, a test or a script', () => {
    const reached = new Set(
      [...Object.keys(RULES), 'test'].flatMap((room) =>
        importsOf(room)
          .filter((one) => one.from.startsWith('.'))
          .map((one) => relative(root, resolve(root, dirname(one.file), one.from))),
      ),
    );
    // Programs (bins, published entry points) and what the page loads in the browser.
    const programs =
      /^(agent|server)\/main\.ts$|^agent\/(browser\/)?index\.ts$|^dashboards\/(build\.ts|page\/)/;
    const dead = Object.keys(RULES)
      .flatMap((room) => sources(room))
      .map((file) => relative(root, file))
      .filter((file) => !reached.has(file) && !programs.test(file));
    expect(dead).toEqual([]);
  });
});
