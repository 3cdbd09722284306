import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const demo = fileURLToPath(new URL('../../dist/test/demo/main.js', import.meta.url));

let running: ChildProcess | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roomwatch-demo-test-'));
});
afterEach(() => {
  running?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function startDemo(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [demo, '--plain', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, TMPDIR: folder, ...env },
  });
  running = child;
  const output = { out: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output.out += chunk;
  });
  const err = text(child.stderr);
  const code = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { child, output, err, code };
}

/** The programs that a process has started and that still run. */
function childrenOf(pid: number): number[] {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const rows = table
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === pid).map(([child]) => child!);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('the demo mails before the month is lost, ends by itself and leaves nothing behind', {
  timeout: 150_000,
}, async () => {
  const { output, err, code } = startDemo(['--duration', '60']);
  expect(await code, await err).toBe(0);
  const last = output.out.trim().split('\n').at(-1) ?? '';
  expect(last).toMatch(/[01] of \d windows left, 99\.9\d\d% observed/);
  expect(last).toMatch(/[1-9] mails, last: \[(critical|warning)\] acme: /);
  expect(readdirSync(folder)).toEqual([]);
});

it('Ctrl-C ends every program of the demo, on Redis too, and sweeps its keys', {
  timeout: 120_000,
}, async () => {
  const redis = await startRedis();
  try {
    const { child, output, code } = startDemo([], { REDIS_URL: `redis://127.0.0.1:${redis.port}` });
    await waitFor('traffic', () => /[1-9][\d,]* entries, 3 agents/.test(output.out), { withinMs: 60_000 });
    const programs = childrenOf(child.pid!);
    expect(programs).toHaveLength(4);
    expect(await redis.command('DBSIZE')).not.toBe('0');
    child.kill('SIGINT');
    expect(await code).toBe(0);
    expect(programs.filter(isAlive)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    expect(Number(await redis.command('DBSIZE'))).toBe(0);
  } finally {
    await redis.stop();
  }
});
