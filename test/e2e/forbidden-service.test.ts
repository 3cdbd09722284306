import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { silentLog } from '../../agent/log.ts';
import { AGENT_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait-for.ts';

let folder: string;
let daemon: TestDaemon;
/** What agents log as errors: fields and sentence. */
let errors: unknown[];
const agents: RunningAgent[] = [];

/** The daemon's configuration when the agents' token covers these services. */
const covering = (...services: string[]) => ({
  tokens: [{ name: 'edge', role: 'agent', token: AGENT_TOKEN, services }],
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-forbidden-'));
  daemon = await bootDaemon({ folder, config: covering('acme') });
  errors = [];
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop(0);
  await daemon.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(name = 'spool'): Promise<RunningAgent> {
  const agent = await startAgent({
    server: daemon.url.replace('http', 'ws'),
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, name),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
    backoff: { baseMs: 20, maxMs: 100, longMs: 300 },
    log: { ...silentLog, error: (...said: unknown[]) => errors.push(said) },
  });
  agents.push(agent);
  await waitFor('a connection', () => agent.isConnected);
  return agent;
}

/** Until nothing is waited for: a service that is new is first said hello for. */
async function delivered(agent: RunningAgent): Promise<void> {
  await agent.spool.commit();
  await agent.spool.seal();
  expect(await agent.flush(5_000)).toBe(true);
}

const sample = async (name: string) => {
  const text = await (await daemon.get('/metrics')).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1) ?? 0,
  );
};
const attempts = async (service: string) => {
  const month = new Date().toISOString().slice(0, 7);
  const response = await daemon.get(`/api/v1/services/${service}/months/${month}`);
  return response.ok ? ((await response.json()) as { attempts: number }).attempts : undefined;
};
const LOST = 'roomwatch_outcomes_lost_total{reason="forbidden"}';

it('a service that the token does not cover costs an agent that service and no other, also after a restart', async () => {
  const agent = await start();
  const take = (service: string, count: number) =>
    agent.receiver.receive({ result: 'ok', service, count }, 'library');
  take('acme', 1);
  // A typo; nothing is known of it yet.
  expect(take('acne', 20)).toEqual({ status: 'accepted' });
  await delivered(agent);
  await waitFor('what is covered', async () => (await attempts('acme')) === 1);
  expect(await sample(LOST)).toBe(20);
  expect(await attempts('acne')).toBeUndefined();

  expect(take('acne', 20)).toMatchObject({
    status: 'rejected',
    fault: {
      code: 'OUTCOME_SERVICE_FORBIDDEN',
      field: 'service',
      message: expect.stringMatching(/acne.*token.*configuration/),
    },
  });
  expect(take('acme', 300)).toEqual({ status: 'accepted' });
  await delivered(agent);
  expect(errors).toEqual([[{ services: ['acne'] }, expect.stringContaining('add them to the token')]]);
  const health = await fetch(`http://127.0.0.1:${agent.ports.http}/healthz`);
  expect(await health.json()).toMatchObject({ status: 'ok', connected: true, forbiddenServices: ['acne'] });
  expect(agent.metrics.render()).toContain('roomwatch_agent_services_forbidden 1\n');
  expect(agent.metrics.render()).toContain('rejected_total{code="OUTCOME_SERVICE_FORBIDDEN"} 1\n');
  expect(daemon.log()).toContain('the token does not cover services of an agent');

  await agent.stop(0);
  const restarted = await start();
  restarted.receiver.receive({ result: 'ok', count: 4_000 }, 'library');
  await delivered(restarted);
  expect(restarted.forbidden.list).toEqual(['acne']);
  await waitFor('all that is covered', async () => (await attempts('acme')) === 4_301);
  expect(await sample(LOST)).toBe(20);
});

it('is taken again once the token covers it, by every agent, and what its agent still keeps is counted then', async () => {
  const [one, two] = [await start('one'), await start('two')];
  for (const agent of [one, two]) {
    agent.receiver.receive({ result: 'ok', service: 'globex', count: 20 }, 'library');
    await delivered(agent);
    await waitFor('the word of it', () => agent.forbidden.has('globex'));
  }
  expect(await sample(LOST)).toBe(40);
  daemon.daemon.reload(await daemon.config(covering('acme', 'globex')));
  for (const agent of [one, two]) {
    await waitFor('its end', () => !agent.forbidden.has('globex'));
    expect(agent.receiver.receive({ result: 'ok', service: 'globex', count: 300 }, 'library')).toEqual({
      status: 'accepted',
    });
    await delivered(agent);
  }
  await waitFor('both kinds', async () => (await attempts('globex')) === 640);
  expect(await sample(LOST)).toBe(40);
});

it('is refused from then on when the token covers it no longer, and the others go on', async () => {
  daemon.daemon.reload(await daemon.config(covering('acme', 'globex')));
  const agent = await start();
  agent.receiver.receive({ result: 'ok', service: 'globex', count: 20 }, 'library');
  await delivered(agent);
  await waitFor('what is covered', async () => (await attempts('globex')) === 20);
  daemon.daemon.reload(await daemon.config(covering('acme')));
  await waitFor('the word of it', () => agent.forbidden.has('globex'));
  agent.receiver.receive({ result: 'ok', count: 300 }, 'library');
  await delivered(agent);
  await waitFor('the other', async () => (await attempts('acme')) === 300);
  expect(await attempts('globex')).toBe(20);
  expect(await sample(LOST)).toBe(0);
});
