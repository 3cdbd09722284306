import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runAgent } from '../../agent/cli.ts';
import { type Agent, createAgent } from '../../agent/index.ts';
import { type Disk, realDisk } from '../../agent/spool/disk.ts';
import { Spool } from '../../agent/spool/spool.ts';
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

/** @returns a spool whose syncs of files of one kind wait from now on until they are let go */
async function openHolding(kind: 'intake' | 'batch'): Promise<{ held: Spool; letGo: () => void }> {
  let isHeld = false;
  let letGo = () => {};
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const disk: Disk = {
    ...realDisk,
    create: async (path) => {
      const file = await realDisk.create(path);
      const datasync = async () => {
        await file.datasync();
        if (path.includes(kind) && isHeld) await free;
      };
      return { write: (bytes) => file.write(bytes), datasync, close: () => file.close() };
    },
  };
  const held = await Spool.open({
    ...{ directory: spool, disk, settings: {}, services: ['acme'] },
    ...{ nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  });
  isHeld = true;
  return { held, letGo };
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
    // Refused, or the connection was closed first.
    expect([503, 'no answer']).toContain(await answer);
    expect(started.log()).toMatch(
      /the spool \S+ was taken over by process 1 on .*; let only one agent have it/,
    );
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

  it('confirms nothing that it was writing then', async () => {
    const { held, letGo } = await openHolding('intake');
    const labels = { region: '', platform: '', cause: '', code: '' } as const;
    held.accept({ service: 'acme', ...labels, result: 'ok', n: 1 }, Date.now());
    const durable = held.commit().then(
      () => 'durable',
      (error: Error) => error.name,
    );
    await takeOver();
    // The lock is looked at beside the write.
    await sleep(3_000);
    letGo();
    expect(await durable).toBe('SpoolTakenError');
    expect(held.refusal()).toBe('closed');
    await held.close();
  }, 20_000);

  it('leaves the batch that it was writing then to whoever has read it', async () => {
    const { held, letGo } = await openHolding('batch');
    const sealed = held.seal().catch((error: Error) => error.name);
    const batches = async () => Object.keys(await contentOf()).filter((path) => path.includes('batch'));
    await waitFor('the batch', async () => (await batches()).length === 1);
    await takeOver();
    await sleep(3_000);
    letGo();
    expect(await sealed).toBe('SpoolTakenError');
    expect(await batches()).toHaveLength(1);
    await held.close();
  }, 20_000);

  it('ends a simulation with 1', async () => {
    const stderr = new PassThrough();
    const ended = runAgent(['simulate', '--live', '--rate', '5', '--spool', spool, '--server', peer.url], {
      ...{ stdin: new PassThrough(), stderr, stdout: new PassThrough(), cwd: folder },
      env: { ROOMWATCH_TOKEN: 'token' },
      signal: new AbortController().signal,
    });
    let log = '';
    stderr.on('data', (text) => {
      log += text;
    });
    await waitFor('it to begin', () => log.includes('simulating'));
    await takeOver();
    expect(await ended).toBe(1);
    expect(log).toContain('was taken over');
  }, 20_000);

  describe('inside an application', () => {
    let told: string[];
    let library: Agent;

    beforeEach(() => {
      told = [];
      const tell = (...words: readonly unknown[]) => void told.push(words.join(' '));
      const log = { debug: tell, info: tell, warn: tell, error: tell };
      library = createAgent({
        services: ['acme'],
        server: peer.url,
        token: 'token',
        spoolDirectory: spool,
        log,
      });
    });

    afterEach(() => library.close());

    const isTrying = () => told.some((message) => message.includes('trying again'));

    it('goes on once the other one has gone, with what came meanwhile and with services it had not named', async () => {
      library.record({ result: 'ok' });
      expect(await library.flush()).toBe(true);
      await takeOver();
      await waitFor('it to know', () => told.some((message) => message.includes('was taken over')));
      library.record({ result: 'ok' });
      library.record({ result: 'ok', id: 'one', service: 'globex' });
      library.record({ result: 'ok', id: 'one', service: 'globex' });
      expect(await library.flush(500)).toBe(false);
      expect(peer.totals().ok).toBe(1);
      await waitFor('it to try again', isTrying);
      await rm(join(spool, 'lock'));
      await waitFor('the outcomes', async () => (await library.flush(500)) && peer.totals().ok === 3);
      expect(library.dropped).toBe(0);
    });

    it('says that it cannot go on once, and tenfold', async () => {
      expect(await library.flush()).toBe(true);
      await takeOver();
      await waitFor('it to try again', isTrying);
      await sleep(2_500);
      expect(told.filter((message) => message.includes('trying again'))).toHaveLength(1);
    });

    it('is closed when it is told to, and does not begin anew', async () => {
      expect(await library.flush()).toBe(true);
      const closing = library.close();
      await takeOver();
      await closing;
      const lock = await readFile(join(spool, 'lock'), 'utf8').catch(() => 'gone');
      await rm(join(spool, 'lock'), { force: true });
      await library.flush(300);
      await sleep(1_500);
      expect(await readFile(join(spool, 'lock'), 'utf8').catch(() => 'gone')).toBe('gone');
      expect(lock).not.toContain(`"pid":${process.pid},`);
    });
  });
});
