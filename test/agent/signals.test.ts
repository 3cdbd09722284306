import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { PROGRAMS, type RunningProgram, startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let agent: RunningProgram | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await agent?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

describe('a second signal ends the program at once', () => {
  for (const [name, words] of [
    ['that waits for an absent daemon', ['--service', 'acme', '--listen', '127.0.0.1:0']],
    ['that simulates', ['simulate', '--live', '--rate', '5']],
  ] as const) {
    it(`${name}`, async () => {
      const nobody = `ws://127.0.0.1:${await freePort()}`;
      const started = startProgram('agent', [...words, '--server', nobody], {
        cwd: folder,
        env: { ROOMWATCH_TOKEN: 'token' },
      });
      agent = started;
      await waitFor('the agent', () => /"msg":"(listening|simulating)"/.test(started.log()));
      process.kill(started.pid, 'SIGTERM');
      const firstAtMs = performance.now();
      // Signals that come together are one, so it is told again until it listens.
      await waitFor('the end', () => !started.isRunning() || !process.kill(started.pid, 'SIGTERM'));
      expect(await started.exited).toEqual({ code: 1, signal: null });
      // Far less than the ten seconds for which it would wait for the daemon.
      expect(performance.now() - firstAtMs).toBeLessThan(5_000);
    }, 20_000);
  }
});

describe('a hang-up', () => {
  let peer: Peer;

  beforeEach(async () => {
    peer = await startPeer();
  });

  afterEach(() => peer.stop());

  async function start(env: Record<string, string> = {}): Promise<RunningProgram> {
    const args = ['--service', 'acme', '--listen', '127.0.0.1:0', '--server', peer.url];
    const started = startProgram('agent', args, { cwd: folder, env: { ROOMWATCH_TOKEN: 'token', ...env } });
    agent = started;
    await waitFor('the agent', () => started.log().includes('"msg":"listening"'));
    return started;
  }

  it('stops the agent as SIGTERM does: it delivers what it has, also when it is told twice', async () => {
    const started = await start();
    const url = /"url":"([^"]+)"/.exec(started.log())![1]!;
    expect((await fetch(url, { method: 'POST', body: '{"result":"ok"}' })).status).toBe(202);
    process.kill(started.pid, 'SIGHUP');
    await waitFor('it to stop', () => started.log().includes('"msg":"stopping"'));
    if (started.isRunning()) process.kill(started.pid, 'SIGHUP');
    expect(await started.exited).toEqual({ code: 0, signal: null });
    expect(peer.totals().ok).toBe(1);
  });

  it('is nothing to an agent that was started under nohup', async () => {
    const started = await start({ _: '/usr/bin/nohup' });
    process.kill(started.pid, 'SIGHUP');
    const url = /"url":"([^"]+)"/.exec(started.log())![1]!;
    expect((await fetch(url, { method: 'POST', body: '{"result":"ok"}' })).status).toBe(202);
    process.kill(started.pid, 'SIGTERM');
    expect(await started.exited).toEqual({ code: 0, signal: null });
  });
});

describe('an agent whose log nobody reads any more', () => {
  it('goes on', async () => {
    const port = await freePort();
    const args = ['--service', 'acme', '--listen', `127.0.0.1:${port}`, '--server', 'ws://127.0.0.1:9'];
    const child = spawn(process.execPath, [PROGRAMS.agent, ...args], {
      cwd: folder,
      env: { ROOMWATCH_TOKEN: 'token' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const post = (body: string) =>
        fetch(`http://127.0.0.1:${port}/v1/outcomes`, { method: 'POST', body }).then(({ status }) => status);
      await waitFor('the agent', () => post('{"result":"ok"}').catch(() => undefined));
      child.stderr.destroy();
      // Each is logged, or tried to be.
      for (let i = 0; i < 5; i++) expect(await post('{"result":"maybe"}')).toBe(400);
      expect(await post('{"result":"ok"}')).toBe(202);
      expect(child.exitCode).toBe(null);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
