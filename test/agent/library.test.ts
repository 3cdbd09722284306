import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, createAgent } from '../../agent/index.ts';
import { silentLog } from '../../agent/log.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { startEdge } from '../support/daemon-edge.ts';
import { booksOf } from '../support/edges.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { openSpool, temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let agent: Agent;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
});

afterEach(async () => {
  await agent.close();
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

function create(): void {
  const spoolDirectory = join(folder, 'spool');
  agent = createAgent({ services: ['acme', 'globex'], server: peer.url, token: 'token', spoolDirectory });
}

describe('an agent inside an application', () => {
  it('delivers what was recorded, from the first moment on', async () => {
    create();
    agent.record({ result: 'ok' });
    agent.record({ result: 'failed', platform: 'web-v5', code: 5400, service: 'globex' });
    expect(await agent.flush()).toBe(true);
    expect(peer.totals()).toMatchObject({ ok: 1, failed: 1 });
  });

  it('returns at once, also for ten thousand records', async () => {
    create();
    const startedAtMs = performance.now();
    for (let i = 0; i < 10_000; i++) agent.record({ result: 'ok' });
    expect(performance.now() - startedAtMs).toBeLessThan(100);
    expect(await agent.flush()).toBe(true);
    expect(peer.totals().ok).toBe(10_000);
  });

  it('does not throw for a bad record, and loses nothing else for it', async () => {
    create();
    agent.record({ result: 'maybe' } as never);
    agent.record({ result: 'ok' });
    expect(await agent.flush()).toBe(true);
    expect(peer.totals().ok).toBe(1);
  });

  it('delivers what the token covers when it does not cover all of its services', async () => {
    const edge = await startEdge({
      tokens: [{ token: 'token', grant: { agentLabel: 'app', services: new Set(['acme']) } }],
    });
    const spoolDirectory = join(folder, 'spool');
    const server = `ws://127.0.0.1:${edge.port}`;
    const warned: unknown[] = [];
    const log = { ...silentLog, warn: (...said: unknown[]) => warned.push(said[0]) };
    agent = createAgent({ services: ['acme', 'globex'], server, token: 'token', spoolDirectory, log });
    const record = () => {
      agent.record({ result: 'ok' });
      agent.record({ result: 'ok', service: 'globex' });
    };
    let recorded = 0;
    await waitFor('refusals', async () => {
      record();
      recorded += 1;
      expect(await agent.flush()).toBe(true);
      return JSON.stringify(warned).includes('"OUTCOME_SERVICE_FORBIDDEN"');
    });
    expect((await booksOf(edge, 'acme')).tallies[0]).toBe(recorded);
    expect(await edge.store.facts.services()).toEqual(['acme']);
    // Also those that were accepted before the daemon had said so.
    expect(agent.rejected).toBe(recorded);
    await agent.close();
    await edge.stop();
  });

  it('counts the records that it refuses, and logs the first and each tenfold', async () => {
    const said: object[] = [];
    const log = { ...silentLog, warn: (fields: object) => void ('field' in fields && said.push(fields)) };
    const spoolDirectory = join(folder, 'spool');
    agent = createAgent({ services: ['acme'], server: peer.url, token: 'token', spoolDirectory, log });
    expect(agent.rejected).toBe(0);
    for (let i = 0; i < 12; i++) agent.record({ result: 'maybe' } as never);
    agent.record({ result: 'ok' });
    expect(await agent.flush()).toBe(true);
    expect(agent).toMatchObject({ rejected: 12, dropped: 0 });
    const fault = { code: 'OUTCOME_FIELD_INVALID', field: 'result' };
    expect(said).toMatchObject([
      { ...fault, rejected: 1 },
      { ...fault, rejected: 10 },
    ]);
  });

  it('counts each of the folded records that it refuses, as when it has no place for a service', async () => {
    create();
    // Each is folded first: only the spool knows how many services there are.
    const service = (i: number) => `service-${i}`;
    for (let i = 0; i < LIMITS.servicesPerAgent; i++) agent.record({ result: 'ok', service: service(i) });
    expect(await agent.flush()).toBe(true);
    const before = agent.rejected;
    for (let i = 0; i < 5; i++) agent.record({ result: 'ok', service: 'one-more', count: 7 });
    await agent.flush();
    expect(before).toBeGreaterThan(0);
    expect(agent.rejected - before).toBe(35);
  });

  it('takes a time as a Date, and refuses one that is none', async () => {
    create();
    const at = new Date(Date.now() - 600_000);
    agent.record({ result: 'ok', at });
    agent.record({ result: 'ok', at, id: 'a' });
    agent.record({ result: 'ok', at: new Date('soon') });
    expect(await agent.flush()).toBe(true);
    expect(agent.rejected).toBe(1);
    const batches = [...peer.books.values()].flat().filter((frame) => frame.type === 'batch');
    const minutes = batches.flatMap(({ cells }) => cells.map(({ minute }) => minute));
    expect(peer.totals().ok).toBe(2);
    expect(new Set(minutes)).toEqual(new Set([Math.floor(at.getTime() / 60_000)]));
  });

  it('holds records while its spool is taken, and delivers them when it is free', async () => {
    const other = await openSpool(join(folder, 'spool'));
    create();
    agent.record({ result: 'ok' });
    expect(await agent.flush(300)).toBe(false);
    await other.close();
    await waitFor('the record', async () => (await agent.flush(500)) && peer.totals().ok === 1);
  });

  it('drops what is beyond its buffer, and counts it', async () => {
    const other = await openSpool(join(folder, 'spool'));
    create();
    // With ids, as others need no place in it.
    for (let i = 0; i < 100_003; i++) agent.record({ result: 'ok', id: String(i) });
    expect(agent.dropped).toBe(3);
    await other.close();
  });

  it('waits for as long as it is told, also for longer than a timer can', async () => {
    create();
    for (const withinMs of [Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 40]) {
      // Its spool or its daemon is not there at once.
      agent.record({ result: 'ok', id: String(withinMs) });
      expect(await agent.flush(withinMs)).toBe(true);
    }
    expect(peer.totals().ok).toBe(3);
  });

  it('takes nothing after it was closed, and says so by the count', async () => {
    create();
    agent.record({ result: 'ok' });
    await agent.close();
    agent.record({ result: 'ok' });
    expect(peer.totals().ok).toBe(1);
    expect(agent.dropped).toBe(1);
    expect(await agent.flush(50)).toBe(false);
  });
});
