import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { RawAgent } from '../support/raw-agent.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

let folder: string;
const undo: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roomwatch-process-'));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly program: RunningProgram;
  readonly port: number;
  readonly url: string;
  configure(parts: object): void;
}

async function serve(parts: object = {}): Promise<Running> {
  const port = await freePort();
  const configure = (more: object) =>
    writeFileSync(join(folder, 'roomwatch.yaml'), JSON.stringify({ listen: { port }, ...more }));
  configure(parts);
  const program = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml'], { cwd: folder });
  undo.push(() => program.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  await waitFor('readiness', async () => {
    if (!program.isRunning()) throw new Error(program.log());
    return (await fetch(`${url}/readyz`)).ok;
  });
  return { program, port, url, configure };
}

it('a first start makes a token that only its owner may read, never logs it, and an agent connects with it', async () => {
  const { program, port } = await serve();
  const file = join(folder, 'data', 'agent-token');
  const token = readFileSync(file, 'utf8').trim();
  expect(token).toMatch(/^[0-9a-f]{48}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(program.log()).toContain(file);
  expect(program.log()).not.toContain(token);
  const { agent, welcome } = await RawAgent.greet(port, { services: ['acme'] }, token);
  expect(welcome.applied).toBe(0);
  await agent.end();
});

it('SIGTERM turns readiness off, sends the agents away and ends with 0; the next start finds the same token', async () => {
  const first = await serve();
  const token = readFileSync(join(folder, 'data', 'agent-token'), 'utf8').trim();
  const { agent } = await RawAgent.greet(first.port, { services: ['acme'] }, token);
  agent.send(agent.batch(1));
  await agent.acknowledged(1);
  await first.program.kill('SIGTERM');
  expect(await first.program.exited).toEqual({ code: 0, signal: null });
  expect(await agent.closed).toMatchObject({ code: 1012 });
  const second = await serve();
  expect(readFileSync(join(folder, 'data', 'agent-token'), 'utf8').trim()).toBe(token);
  const answer = await (await fetch(`${second.url}/api/v1/services`)).json();
  expect(answer).toMatchObject({ services: [{ service: 'acme' }] });
});

it('SIGHUP takes a good configuration, and keeps the old one over a bad one, saying why', async () => {
  const { program, url, configure } = await serve();
  const reloads = async (result: string) => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`config_reloads_total\\{result="${result}"\\} (\\d+)`).exec(metrics)?.[1]);
  };
  configure({ log: { level: 'loud' } });
  process.kill(program.pid, 'SIGHUP');
  await waitFor('the refusal', async () => (await reloads('refused')) === 1);
  expect(program.log()).toContain('log.level is');
  expect((await fetch(`${url}/readyz`)).ok).toBe(true);

  configure({ retentionDays: 100, terms: { timeZone: 'UTC' } });
  process.kill(program.pid, 'SIGHUP');
  await waitFor('the reload', async () => (await reloads('applied')) === 1);
  expect(program.log()).toContain('"needRestart":["retentionDays"]');
});

it('SIGHUP before the daemon has started is heard once it has', async () => {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  const port = await freePort();
  const config = { listen: { port }, store: { url: redis.url } };
  writeFileSync(join(folder, 'roomwatch.yaml'), JSON.stringify(config));
  redis.freeze();
  const program = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml'], { cwd: folder });
  undo.push(() => program.kill('SIGKILL'));
  await waitFor('the start', () => program.log().includes('a token for agents was made'));
  process.kill(program.pid, 'SIGHUP');
  redis.thaw();
  await waitFor('the reload', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return metrics.includes('config_reloads_total{result="applied"} 1');
  });
  expect(program.isRunning()).toBe(true);
});

it('a port that is taken and a directory in use end with 2 and a sentence', async () => {
  const { port } = await serve();
  const taken = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml'], { cwd: folder });
  expect((await taken.exited).code).toBe(2);
  expect(taken.log()).toMatch(
    /STORE_IN_USE: process \d+ on .* uses .*; stop it, or give this daemon another/,
  );
  writeFileSync(
    join(folder, 'other.yaml'),
    JSON.stringify({ listen: { port }, store: { directory: 'other' } }),
  );
  const other = startProgram('daemon', ['serve', '--config', 'other.yaml'], { cwd: folder });
  expect((await other.exited).code).toBe(2);
  expect(other.log()).toContain(
    `LISTEN_FAILED: 127.0.0.1:${port} is taken; stop what uses it, or set listen.port`,
  );
});

it('killed without warning, it starts again on the same books', async () => {
  const first = await serve();
  const token = readFileSync(join(folder, 'data', 'agent-token'), 'utf8').trim();
  const { agent } = await RawAgent.greet(first.port, { services: ['acme'] }, token);
  agent.send(agent.batch(1));
  await agent.acknowledged(1);
  await first.program.kill('SIGKILL');
  const second = await serve();
  const answer = await (await fetch(`${second.url}/api/v1/services`)).json();
  expect(answer).toMatchObject({ services: [{ service: 'acme' }] });
});
