import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { AGENT_TOKEN, bootDaemon } from '../support/daemon.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const BATCHES_BEHIND = 500;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

it(`a Redis replica ${BATCHES_BEHIND} batches behind that takes over has every total exact again`, {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-promoted-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const primary = await startRedis({ aof: true });
  undo.push(() => primary.stop());
  const replica = await startRedis({ aof: true, replicaOf: primary.port });
  undo.push(() => replica.stop());
  // One URL for both, as a service name or a virtual address is.
  const address = await startCutProxy({ targetPort: primary.port });
  undo.push(() => address.stop());
  const daemon = await bootDaemon({
    folder,
    config: { store: { url: `redis://127.0.0.1:${address.port}` } },
  });
  undo.push(() => daemon.stop());

  // One agent of one service, and one of two, whose batches the store holds per service.
  const agents: RunningAgent[] = [];
  for (const services of [['acme'], ['acme', 'globex']]) {
    const agent = await startAgent({
      server: daemon.url.replace('http', 'ws'),
      token: async () => AGENT_TOKEN,
      spoolDirectory: join(folder, `spool-${services.length}`),
      services,
      connection: { replayBatchesPerSecond: 100_000 },
    });
    undo.push(() => agent.stop(0));
    agents.push(agent);
  }
  const reported: Record<string, number> = { acme: 0, globex: 0 };
  const report = async (batches: number) => {
    for (let batch = 0; batch < batches; batch += 1) {
      await Promise.all(
        agents.map(async (agent) => {
          for (const service of agent.services) {
            const count = 1 + (batch % 7);
            agent.receiver.receive({ service, result: 'ok', count }, 'library');
            reported[service]! += count;
          }
          await agent.spool.commit();
          await agent.spool.seal();
        }),
      );
    }
    for (const agent of agents) expect(await agent.flush(60_000)).toBe(true);
  };
  const attempts = async (service: string) => {
    const month = new Date().toISOString().slice(0, 7);
    const reading = await daemon.getJson<{ attempts: number }>(`/api/v1/services/${service}/months/${month}`);
    return reading.attempts;
  };

  await report(50);
  await waitFor('the replica to be level', async () => {
    const offsets = await Promise.all(
      [primary, replica].map((server) => server.command('INFO', 'replication')),
    );
    const [master, slave] = offsets.map(
      (info) => /(?:master|slave)_repl_offset:(\d+)/.exec(String(info))?.[1],
    );
    return master !== undefined && master === slave;
  });
  // From here on the replica hears of nothing, and what the primary acknowledges is on the primary alone.
  await replica.command('REPLICAOF', 'NO', 'ONE');
  const before = { ...reported };
  await report(BATCHES_BEHIND);
  const sealed = agents.map((agent) => agent.spool.lastSealed);
  await primary.kill9();
  address.retarget(replica.port);
  address.cut();

  await waitFor(
    'the agents to be asked again',
    () => agents.every((agent) => agent.spool.acked < agent.spool.lastSealed),
    {
      withinMs: 30_000,
      everyMs: 2,
    },
  );
  for (const agent of agents) expect(await agent.flush(60_000)).toBe(true);
  for (const service of ['acme', 'globex']) {
    await waitFor(`the total of ${service}`, async () => (await attempts(service)) === reported[service], {
      withinMs: 30_000,
    });
    expect(reported[service]).toBeGreaterThan(before[service]! + BATCHES_BEHIND);
  }
  // And it goes on, and counts nothing twice.
  await report(5);
  for (const service of ['acme', 'globex']) {
    await waitFor(`the total of ${service}`, async () => (await attempts(service)) >= reported[service]!);
    expect(await attempts(service)).toBe(reported[service]);
  }
  expect(agents.map((agent) => agent.metrics.total('outcomesLost'))).toEqual([0, 0]);
  expect(agents.every((agent, at) => agent.spool.lastSealed > sealed[at]!)).toBe(true);
});
