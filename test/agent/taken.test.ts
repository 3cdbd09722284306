import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runAgent } from '../../agent/cli.ts';
import { createAgent } from '../../agent/index.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let spool: string;
let peer: Peer;
let agent: RunningProgram | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
  spool = join(folder, 'spool');
  peer = await startPeer();
});

afterEach(async () => {
  await agent?.kill('SIGKILL');
  agent = undefined;
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

/** As another one's agent would that found the lock stale: of a process of this machine that is alive. */
async function takeOver(): Promise<void> {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const started = readFileSync('/proc/1/stat', 'utf8').split(') ')[1]!.split(' ')[19];
  const { pidNamespace } = JSON.parse(await readFile(join(spool, 'lock'), 'utf8')) as {
    pidNamespace: string;
  };
  const holder = { pid: 1, startedAt: `${boot} ${started}`, host: hostname(), pidNamespace };
  await writeFile(join(spool, 'lock'), JSON.stringify(holder));
}

async function start(): Promise<RunningProgram> {
  const words = ['--service', 'acme', '--spool', spool, '--server', peer.url, '--listen', '127.0.0.1:0'];
  const started = startProgram('agent', words, { cwd: folder, env: { ROOMWATCH_TOKEN: 'token' } });
  agent = started;
  await waitFor('the agent', () => started.log().includes('"msg":"listening"'));
  return started;
}

/** All of the spool but its lock. */
async function contentOf(): Promise<Record<string, string>> {
  const entries = await readdir(spool, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'lock');
  return Object.fromEntries(
    await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path, (await readFile(path)).toString('latin1')] as const;
      }),
    ),
  );
}

describe('an agent whose spool another process took over while it was suspended', () => {
  it('writes nothing more to it, accepts nothing, and ends with 1 and a sentence', async () => {
    const started = await start();
    const url = /"url":"([^"]+)"/.exec(started.log())![1]!;
    const post = () => fetch(url, { method: 'POST', body: '{"result":"ok"}' });
    expect((await post()).status).toBe(202);
    await waitFor('the batch', () => peer.totals().ok === 1);

    process.kill(started.pid, 'SIGSTOP');
    await takeOver();
    await sleep(5_500);
    const lock = await readFile(join(spool, 'lock'), 'utf8');
    const content = await contentOf();
    const answer = post().then(
      ({ status }) => status,
      () => 'no answer',
    );
    process.kill(started.pid, 'SIGCONT');
    expect(await started.exited).toEqual({ code: 1, signal: null });
    expect([503, 'no answer']).toContain(await answer);
    expect(started.log()).toMatch(/the spool \S+ was taken over by process 1 on .*; stop one of the two/);
    expect(await readFile(join(spool, 'lock'), 'utf8')).toBe(lock);
    expect(await contentOf()).toEqual(content);
  }, 30_000);

  it('gives a stream up, and says how far it came', async () => {
    const stdin = new PassThrough();
    const stderr = new PassThrough();
    const ended = runAgent(['--stdin', '--service', 'acme', '--spool', spool, '--server', peer.url], {
      ...{ stdin, stderr, stdout: new PassThrough(), cwd: folder, env: { ROOMWATCH_TOKEN: 'token' } },
      signal: new AbortController().signal,
    });
    stdin.write('{"result":"ok"}\n');
    await waitFor('the line', () => peer.totals().ok === 1);
    await takeOver();
    expect(await ended).toBe(1);
    expect(String(stderr.read())).toContain('stopped before the end of the input: its first 1 lines');
  }, 30_000);

  it('inside an application goes on once the other one has gone', async () => {
    const told: string[] = [];
    const tell = (...[, message]: readonly unknown[]) => void told.push(String(message));
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const library = createAgent({
      services: ['acme'],
      server: peer.url,
      token: 'token',
      spoolDirectory: spool,
      log,
    });
    try {
      library.record({ result: 'ok' });
      expect(await library.flush()).toBe(true);
      await takeOver();
      await waitFor('it to try again', () => told.some((message) => message.includes('trying again')));
      library.record({ result: 'ok' });
      expect(await library.flush(500)).toBe(false);
      expect(peer.totals().ok).toBe(1);
      await rm(join(spool, 'lock'));
      await waitFor('the outcome', async () => (await library.flush(500)) && peer.totals().ok === 2);
      expect(library.dropped).toBe(0);
    } finally {
      await library.close();
    }
  }, 30_000);
});
