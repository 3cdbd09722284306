import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
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
