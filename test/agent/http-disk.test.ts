import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { createAgent } from '../../agent/index.ts';
import { realDisk } from '../../agent/spool/disk.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { PoisonedDisk } from './spool/poisoned-disk.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let disk: PoisonedDisk;
let agent: RunningAgent;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  disk = new PoisonedDisk('poison');
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
    disk,
  });
});

afterEach(async () => {
  await agent.stop(100);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly accepted: number;
  readonly repeatFrom: number;
  readonly rejectedCount: number;
  readonly rejected: readonly object[];
}

async function post(records: readonly object[]) {
  const url = `http://127.0.0.1:${agent.ports.http}/v1/outcomes`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(records) });
  return { status: response.status, body: (await response.json()) as Answer };
}

async function counted(): Promise<number> {
  await agent.spool.seal();
  expect(await agent.flush(5_000)).toBe(true);
  return peer.totals().failed;
}

/** Different records, the last of which the disk can be made to refuse. */
function varied(n: number) {
  const records = Array.from({ length: n - 1 }, (_, code) => ({ result: 'failed', platform: 'p', code }));
  return [...records, { result: 'failed', platform: 'poison' }];
}

describe('a report that the disk refuses', () => {
  it('is refused as a whole, also one of hundreds of different records, so that it can be sent again', async () => {
    const records = varied(700);
    disk.failures = 2;
    expect(await post(records)).toMatchObject({
      status: 503,
      body: { error: { code: 'SPOOL_WRITE_FAILED' } },
    });
    expect(await counted()).toBe(0);
    expect(await post(records)).toMatchObject({ status: 202, body: { accepted: 700, rejectedCount: 0 } });
    expect(await counted()).toBe(700);
  });

  it('in part, as it is too varied to be kept as a whole, is not answered with 503: it says where to go on', async () => {
    const records = varied(2_000);
    disk.failures = 2;
    const { status, body } = await post(records);
    expect(status).toBe(202);
    const { accepted, repeatFrom, rejectedCount } = body;
    expect(accepted).toBeGreaterThan(0);
    expect(repeatFrom).toBe(accepted);
    expect(rejectedCount).toBe(2_000 - accepted);
    expect(body.rejected[0]).toMatchObject({ index: repeatFrom, error: { code: 'SPOOL_WRITE_FAILED' } });
    expect(await post(records.slice(repeatFrom))).toMatchObject({ status: 202, body: { rejectedCount: 0 } });
    expect(await counted()).toBe(2_000);
  });
});

describe('an agent inside an application', () => {
  it('counts each record once when the disk takes some commit groups of a portion and refuses others', async () => {
    const embedded = createAgent({
      services: ['acme'],
      server: peer.url,
      token: 'token',
      spoolDirectory: join(folder, 'embedded'),
      agent: { disk },
    });
    disk.failures = 2;
    // Many groups, as labels are long; one portion.
    const region = 'r'.repeat(60);
    for (let code = 0; code < 450; code++) embedded.record({ result: 'failed', region, code });
    embedded.record({ result: 'failed', platform: 'poison' });
    expect(await embedded.flush()).toBe(true);
    expect(disk.failures).toBe(0);
    expect(peer.totals().failed).toBe(451);
    await embedded.close();
  });
});

describe('an agent that stops', () => {
  it('does not wait for the rest of a body that does not come', async () => {
    const socket = connect(agent.ports.http!, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'POST /v1/outcomes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n[',
    );
    await once(socket, 'data');
    const startedAtMs = performance.now();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await agent.stop(100);
    await closed;
    expect(performance.now() - startedAtMs).toBeLessThan(6_000);
  });
});

it('says in /healthz that a disk without room for a new identity keeps everything from being delivered', async () => {
  await waitFor('the daemon', () => agent.isConnected);
  // Else an acknowledgement would show that it is delivered after all.
  peer.refusal = { status: 503 };
  peer.close(1012);
  await waitFor('the daemon to be away', () => !agent.isConnected);
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${agent.ports.http}/healthz`);
    return { status: response.status, body: await response.json() };
  };
  expect(await health()).toMatchObject({ status: 200, body: { status: 'ok' } });
  disk.space = async () => ({ freeBytes: 0, totalBytes: 1e12 });
  await expect(agent.spool.reidentify(0)).rejects.toMatchObject({ code: 'SPOOL_NO_ROOM' });
  expect(await health()).toMatchObject({
    status: 200,
    body: { status: 'not-delivering', fault: expect.stringContaining('free the disk') },
  });
  disk.space = realDisk.space;
  await agent.spool.reidentify(0);
  expect(await health()).toMatchObject({ status: 200, body: { status: 'ok' } });
});
