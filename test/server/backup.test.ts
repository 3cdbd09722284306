import { cpSync, existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { backupCommand } from '../../server/commands/backup.ts';
import { backUpBooks } from '../../server/store/lmdb/backup.ts';
import type { Reading } from '../../sla/reading.ts';
import { AGENT_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis.ts';
import { runCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

let folder: string;
const undo: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-backup-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function daemonOn(store: string | { readonly url: string }, port = 0): Promise<TestDaemon> {
  const config = { listen: { port }, store: typeof store === 'string' ? { directory: store } : store };
  return bootDaemon({ folder, config });
}

async function agentOf(port: number): Promise<RunningAgent> {
  const agent = await startAgent({
    server: `ws://127.0.0.1:${port}`,
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
  });
  undo.push(() => agent.stop());
  return agent;
}

async function report(agent: RunningAgent, count: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${agent.ports.http}/v1/outcomes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ result: 'ok', count }),
  });
  expect(answer.status).toBe(202);
}

const attemptsOf = async (daemon: TestDaemon): Promise<number> => {
  const { services } = await daemon.getJson<{ services: { service: string; month?: string }[] }>(
    '/api/v1/services',
  );
  const month = services.find(({ service }) => service === 'acme')?.month;
  if (month === undefined) return 0;
  return (await daemon.getJson<Reading>(`/api/v1/services/acme/months/${month}`)).attempts;
};

/** A daemon that has counted 100 outcomes of an agent. */
async function withHundred(store: string | { readonly url: string } = 'books') {
  const port = await freePort();
  const daemon = await daemonOn(store, port);
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) await daemon.stop();
    isStopped = true;
  };
  undo.push(stop);
  const agent = await agentOf(port);
  await report(agent, 100);
  await waitFor('100 to be counted', async () => (await attemptsOf(daemon)) === 100);
  return { port, daemon, agent, stop };
}

describe('a backup of the embedded store', () => {
  it('made while the daemon counts is restored by starting on it, and the agent sends what came after', {
    timeout: 120_000,
  }, async () => {
    const { port, daemon, agent, stop } = await withHundred();
    expect(await backUpBooks(join(folder, 'books'), join(folder, 'backup'))).toBeGreaterThan(4_096);
    expect(await readdir(join(folder, 'backup'))).toEqual(['roomwatch.mdb']);
    await report(agent, 50);
    await waitFor('150 to be counted', async () => (await attemptsOf(daemon)) === 150);
    await stop();

    const restored = await daemonOn('backup', port);
    undo.push(() => restored.stop());
    await waitFor(
      'what the backup lacks to be counted again',
      async () => (await attemptsOf(restored)) === 150,
      {
        withinMs: 60_000,
      },
    );
    await report(agent, 7);
    await waitFor('the next outcomes', async () => (await attemptsOf(restored)) === 157);
  });

  it('belongs to nobody: a daemon starts on it beside the one that it was made of', async () => {
    await withHundred();
    await backUpBooks(join(folder, 'books'), join(folder, 'backup'));
    const second = await daemonOn('backup');
    undo.push(() => second.stop());
    await waitFor('the books', async () => (await attemptsOf(second)) === 100);
  });

  it('is what a plain copy is too, once the daemon has stopped', async () => {
    const { stop } = await withHundred();
    await stop();
    cpSync(join(folder, 'books'), join(folder, 'copied'), { recursive: true });
    const restored = await daemonOn('copied');
    undo.push(() => restored.stop());
    await waitFor('the books', async () => (await attemptsOf(restored)) === 100);
  });
});

describe('a copy of the append-only file of Redis', () => {
  it('made while it runs is restored by putting it back, and the agent sends what came after', {
    timeout: 120_000,
  }, async () => {
    const redis = await startRedis({ aof: true, config: { 'maxmemory-policy': 'noeviction' } });
    undo.push(() => redis.stop());
    const { daemon, agent } = await withHundred({ url: redis.url });
    const live = join(redis.directory, 'appendonlydir');
    const copy = join(folder, 'appendonlydir');
    await redis.command('CONFIG', 'SET', 'auto-aof-rewrite-percentage', '0');
    expect(String(await redis.command('INFO', 'persistence'))).toContain('aof_rewrite_in_progress:0');
    cpSync(live, copy, { recursive: true });
    await report(agent, 50);
    await waitFor('150 to be counted', async () => (await attemptsOf(daemon)) === 150);

    await redis.kill9();
    await rm(live, { recursive: true });
    cpSync(copy, live, { recursive: true });
    await redis.restart();
    await report(agent, 7);
    await waitFor('everything to be counted', async () => (await attemptsOf(daemon)) === 157, {
      withinMs: 60_000,
    });
  });
});

describe('roomwatch backup', () => {
  const run = (...args: string[]) => runCommand(backupCommand, args);
  const config = async (store: object) => {
    const file = join(folder, 'backup.yaml');
    await writeFile(file, JSON.stringify({ store }));
    return file;
  };

  it('copies the store of a configuration, never over other books', async () => {
    const { stop } = await withHundred();
    const file = await config({ directory: 'books' });
    const to = join(folder, 'first');
    const done = await run(to, '--config', file);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toMatch(/^.*first holds the books of .*books: \d+ bytes\n$/);
    const again = await run(to, '--config', file);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('there are books in');
    await stop();
  });

  it('says what to do when there is nothing to copy, or nowhere to put it', async () => {
    const nowhere = await run(join(folder, 'to'), '--config', await config({ directory: 'not-there' }));
    expect(nowhere).toMatchObject({ code: 2, stdout: '' });
    expect(nowhere.stderr).toContain('STORE_MISSING');
    expect(existsSync(join(folder, 'to', 'roomwatch.mdb'))).toBe(false);
    const redis = await run(join(folder, 'to'), '--config', await config({ url: 'redis://127.0.0.1:1' }));
    expect(redis.stderr).toContain('the books are in Redis');
    expect((await run()).stderr).toContain('name one directory');
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    expect((await run(file, '--config', await config({ directory: 'not-there' }))).code).toBe(2);
  });
});
