import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { Agent as KeepAlive, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { type HttpIntake, startHttpIntake } from '../../agent/intake/http.ts';
import { silentLog } from '../../agent/log.ts';
import { type Disk, realDisk } from '../../agent/spool/disk.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let agent: RunningAgent;
let sockets: Socket[];

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await agent.stop(0);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<AgentOptions> = {}): Promise<void> {
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
    ...options,
  });
}

interface Line {
  readonly socket: Socket;
  text(): string;
  readonly closed: Promise<unknown>;
}

function open(port = agent.ports.http!): Line {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes;
  });
  return { socket, text: () => text, closed: once(socket, 'close') };
}

function head(bytes: number, extra = ''): string {
  return `POST /v1/outcomes HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n${extra}\r\n`;
}

const OK = JSON.stringify({ result: 'ok' });
const statuses = (text: string) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));

async function post(body: string | Uint8Array, headers: Record<string, string> = {}) {
  const url = `http://127.0.0.1:${agent.ports.http}/v1/outcomes`;
  const response = await fetch(url, { method: 'POST', body, headers });
  const retryAfter = response.headers.get('retry-after');
  return {
    status: response.status,
    retryAfter,
    body: (await response.json()) as { error?: { code: string } },
  };
}

const accepted = () => agent.metrics.total('outcomesAccepted');

describe('a connection', () => {
  it('serves one request after the other', async () => {
    await start();
    const keepAlive = new KeepAlive({ keepAlive: true, maxSockets: 1 });
    const used = new Set<Socket>();
    for (let i = 0; i < 3; i++) {
      const sent = request({
        port: agent.ports.http,
        path: '/v1/outcomes',
        method: 'POST',
        agent: keepAlive,
      });
      sent.end(OK);
      const [response] = await once(sent, 'response');
      used.add(response.socket);
      response.resume();
      await once(response, 'end');
      expect(response.statusCode).toBe(202);
    }
    expect(used.size).toBe(1);
    keepAlive.destroy();
  });

  it('serves requests that were sent without waiting, in their order', async () => {
    await start();
    const { socket, text } = open();
    const bad = JSON.stringify({ result: 'maybe' });
    socket.write(head(OK.length) + OK + head(bad.length) + bad + head(OK.length) + OK);
    await waitFor('three answers', () => statuses(text()).length === 3);
    expect(statuses(text())).toEqual([202, 400, 202]);
    expect(accepted()).toBe(2);
  });

  it('does not take the body of a refused request for the next request', async () => {
    await start();
    const { socket, text, closed } = open();
    const hidden = head(OK.length) + OK;
    socket.write(head(1024 * 1024 + 1) + hidden);
    await closed;
    expect(statuses(text())).toEqual([413]);
    expect(text().toLowerCase()).toContain('connection: close');
    expect(accepted()).toBe(0);
  });

  it('that breaks off inside a body leaves nothing behind, however often', async () => {
    await start();
    const body = 'x'.repeat(1_000_000);
    // More than may be received at once, if what was broken off were still counted.
    for (let round = 0; round < 10; round++) {
      const lines = Array.from({ length: 5 }, () => open());
      await Promise.all(
        lines.map(
          ({ socket }) =>
            new Promise<void>((resolve) => {
              socket.write(head(1_000_001) + body, () => resolve());
            }),
        ),
      );
      for (const { socket } of lines) socket.destroy();
    }
    await waitFor('an answer', async () => (await post(OK)).status === 202);
    expect(accepted()).toBe(1);
  });

  it('with a header too large or no HTTP at all is answered and closed', async () => {
    await start();
    const large = open();
    large.socket.write(head(OK.length, `X-Filler: ${'x'.repeat(9_000)}\r\n`) + OK);
    const noise = open();
    noise.socket.write('this is no request\r\n\r\n');
    await Promise.all([large.closed, noise.closed]);
    expect(statuses(large.text())).toEqual([431]);
    expect(statuses(noise.text())).toEqual([400]);
    expect((await post(OK)).status).toBe(202);
  });
});

describe('a sender that takes its time', () => {
  let intake: HttpIntake;

  beforeEach(async () => {
    await start();
    const { receiver, spool, metrics } = agent;
    const health = () => ({ isHealthy: true, body: {} });
    const own = { receiver, spool, metrics, health, clock: systemClock, log: silentLog };
    const patience = { headerMs: 200, requestMs: 400, lookMs: 50 };
    intake = await startHttpIntake({ host: '127.0.0.1', port: 0, origins: [], ...own, patience });
  });

  afterEach(() => intake.stop());

  it('over its headers is answered 408 and closed', async () => {
    const { socket, text, closed } = open(intake.port);
    socket.write('POST /v1/outcomes HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(statuses(text())).toEqual([408]);
  });

  it('over its body is answered 408 and closed, and nothing of it counts', async () => {
    const { socket, text, closed } = open(intake.port);
    socket.write(`${head(1_000)}${OK}\n`);
    const drip = setInterval(() => socket.write(' '), 20);
    await closed;
    clearInterval(drip);
    expect(statuses(text())).toEqual([408]);
    expect(accepted()).toBe(0);
  });
});

describe('a body that unpacks to a gigabyte', () => {
  it('is refused without being unpacked', async () => {
    await start();
    const member = gzipSync(Buffer.alloc(10 * 1024 * 1024));
    const bomb = Buffer.concat(Array.from({ length: 100 }, () => member));
    expect(bomb.length).toBeLessThan(1024 * 1024 + 64 * 1024);
    const fitting = bomb.subarray(0, Math.min(bomb.length, 1024 * 1024));
    const before = process.memoryUsage().rss;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(fitting, { 'content-encoding': 'gzip' })),
    );
    for (const { status, body } of answers) {
      expect(status).toBe(413);
      expect(body.error?.code).toBe('BODY_TOO_LARGE');
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });
});

describe('an agent that can take no more', () => {
  /** The real disk, whose writes wait until they are let through. */
  function slowDisk() {
    let isOpen = true;
    const waiting: (() => void)[] = [];
    const disk: Disk = {
      ...realDisk,
      create: async (path) => {
        const file = await realDisk.create(path);
        const write = async (bytes: Buffer) => {
          if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
          await file.write(bytes);
        };
        return { write, datasync: () => file.datasync(), close: () => file.close() };
      },
    };
    const hold = () => {
      isOpen = false;
    };
    const letThrough = () => {
      isOpen = true;
      for (const resolve of waiting.splice(0)) resolve();
    };
    return { disk, hold, letThrough };
  }

  it('because its disk is slow answers 429 with Retry-After, and keeps what it said 202 to', async () => {
    const slow = slowDisk();
    await start({ disk: slow.disk });
    slow.hold();
    const answers: ReturnType<typeof post>[] = [];
    let refused: Awaited<ReturnType<typeof post>> | undefined;
    for (let round = 0; !refused; round++) {
      expect(round).toBeLessThan(500);
      const records = Array.from({ length: 500 }, (_, code) => ({
        result: 'failed',
        region: `${round}-${'r'.repeat(50)}`,
        code,
      }));
      const answer = post(JSON.stringify(records));
      answers.push(answer);
      // Those that are taken are answered only when the disk has them.
      refused = await Promise.race([answer, sleep(20).then(() => undefined)]);
    }
    expect(refused).toMatchObject({ status: 429, retryAfter: '1', body: { error: { code: 'SPOOL_BUSY' } } });
    slow.letThrough();
    const ended = await Promise.all(answers);
    const done = ended.filter(({ status }) => status === 202);
    expect(done.length).toBeGreaterThan(0);
    // One that was sent before the first refusal came may be refused as well.
    expect(ended.filter(({ status }) => status === 429).length).toBe(answers.length - done.length);
    await agent.spool.seal();
    expect(await agent.flush(10_000)).toBe(true);
    expect(peer.totals().failed).toBe(done.length * 500);
  });

  it('because its disk is full answers 503 with Retry-After', async () => {
    let freeBytes = 1e12;
    let skewMs = 0;
    await start({
      disk: { ...realDisk, space: async () => ({ freeBytes, totalBytes: 1e12 }) },
      clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() + skewMs },
    });
    const health = async () => {
      const response = await fetch(`http://127.0.0.1:${agent.ports.http}/healthz`);
      return { code: response.status, ...((await response.json()) as object) };
    };
    expect((await post(OK)).status).toBe(202);
    freeBytes = 0;
    await waitFor('the fault to be seen', async () => (await post(OK)).status === 503);
    expect(await post(OK)).toMatchObject({
      status: 503,
      retryAfter: '30',
      body: { error: { code: 'DISK_FULL' } },
    });
    // It may pass, and is told to whoever looks after the agent when it does not.
    expect(await health()).toMatchObject({ code: 200 });
    skewMs = 30_000;
    expect(await health()).toMatchObject({ code: 503, status: 'disk-full' });
    freeBytes = 1e12;
    await waitFor('room', async () => (await post(OK)).status === 202);
    expect(await health()).toMatchObject({ code: 200, status: 'ok' });
  });

  it('because it stops answers 503 with Retry-After on a connection that is still open', async () => {
    await start();
    const { socket, text } = open();
    socket.write(head(OK.length).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'));
    await waitFor('the request to be taken on', () => text().includes('100 Continue'));
    // The spool closes first here, as it would when the body comes late in a stop.
    await agent.spool.close();
    socket.write(OK);
    await waitFor('an answer', () => text().includes('AGENT_STOPPING'));
    expect(statuses(text())).toEqual([100, 503]);
    expect(text().toLowerCase()).toContain('retry-after: 5\r\n');
  });
});

describe('what is refused', () => {
  let said: Record<string, unknown>[];
  const log = { ...silentLog, warn: (fields: object) => void said.push(fields as Record<string, unknown>) };
  const refused = (code: string) =>
    Number(
      new RegExp(`http_requests_refused_total\\{code="${code}"\\} (\\d+)`).exec(
        agent.metrics.render(),
      )?.[1] ?? 0,
    );

  beforeEach(() => {
    said = [];
  });

  it('of a report is logged record by record with its reason, ten a minute, and then how many more', async () => {
    await start({ log });
    const bad = Array.from({ length: 25 }, (_, index) => ({ result: index === 3 ? 'ok' : 'maybe' }));
    expect((await post(JSON.stringify(bad))).status).toBe(202);
    const lines = said.filter(({ code }) => code === 'OUTCOME_FIELD_INVALID');
    expect(lines).toHaveLength(10);
    expect(lines[0]).toEqual({
      place: 'record 0 of POST /v1/outcomes from 127.0.0.1',
      code: 'OUTCOME_FIELD_INVALID',
      field: 'result',
      message: "result is \"maybe\"; write 'ok' or 'failed'",
    });
    expect(lines[3]).toMatchObject({ place: 'record 4 of POST /v1/outcomes from 127.0.0.1' });
    await agent.stop(0);
    expect(said).toContainEqual({ records: 14 });
    expect(agent.metrics.total('requestsRefused')).toBe(0);
  });

  it('as a whole request is counted by its code and logged, ten a minute, and then how many more', async () => {
    await start({ log });
    await post('x', { 'content-type': 'application/xml' });
    await post('x', { origin: 'https://elsewhere.example' });
    await post('x'.repeat(1024 * 1024 + 1));
    for (let i = 0; i < 9; i++) await post('{"result":');
    expect(
      ['CONTENT_TYPE_UNSUPPORTED', 'ORIGIN_REFUSED', 'BODY_TOO_LARGE', 'BODY_NOT_JSON'].map(refused),
    ).toEqual([1, 1, 1, 9]);
    const from = 'POST /v1/outcomes from 127.0.0.1';
    const lines = said.filter(({ place }) => place === from);
    expect(lines).toHaveLength(10);
    expect(lines[0]).toMatchObject({ code: 'CONTENT_TYPE_UNSUPPORTED', field: 'content-type' });
    await agent.stop(0);
    expect(said).toContainEqual({ requests: 2 });
  });

  it('because no request can be read, or not in time, is counted once, and answered with a code', async () => {
    await start({ log });
    const { receiver, spool, metrics } = agent;
    const own = {
      receiver,
      spool,
      metrics,
      log,
      clock: systemClock,
      host: '127.0.0.1',
      port: 0,
      origins: [],
    };
    const health = () => ({ isHealthy: true, body: {} });
    const patience = { headerMs: 200, requestMs: 400, lookMs: 50 };
    const intake = await startHttpIntake({ ...own, health, patience });
    const large = open(intake.port);
    large.socket.write(head(OK.length, `X-Filler: ${'x'.repeat(9_000)}\r\n`) + OK);
    const noise = open(intake.port);
    noise.socket.write('this is no request\r\n\r\n');
    const slow = open(intake.port);
    slow.socket.write(head(1_000) + OK);
    const cutOff = open(intake.port);
    cutOff.socket.end(head(1_000) + OK);
    const unused = open(intake.port);
    await Promise.all([large, noise, slow, cutOff, unused].map(({ closed }) => closed));
    expect(statuses(unused.text())).toEqual([408]);
    const codes = ['HEADERS_TOO_LARGE', 'REQUEST_MALFORMED', 'REQUEST_TIMEOUT', 'BODY_CUT_OFF'];
    await waitFor('all to be counted', () => codes.every((code) => refused(code) === 1));
    for (const [index, { text }] of [large, noise, slow, cutOff].entries()) {
      expect(JSON.parse(text().split('\r\n\r\n')[1]!)).toMatchObject({ error: { code: codes[index] } });
    }
    expect(metrics.total('requestsRefused')).toBe(4);
    expect(said.map(({ code }) => code).toSorted()).toEqual(codes.toSorted());
    await intake.stop();
  });

  it('because too many are connected is counted and logged', async () => {
    await start();
    const { receiver, spool, metrics } = agent;
    const own = {
      receiver,
      spool,
      metrics,
      log,
      clock: systemClock,
      host: '127.0.0.1',
      port: 0,
      origins: [],
    };
    const health = () => ({ isHealthy: true, body: {} });
    const intake = await startHttpIntake({ ...own, health, connections: 2 });
    const held = [open(intake.port), open(intake.port)];
    await Promise.all(held.map(({ socket }) => once(socket, 'connect')));
    await open(intake.port).closed;
    expect(refused('TOO_MANY_CONNECTIONS')).toBe(1);
    expect(said).toMatchObject([{ place: 'a connection from 127.0.0.1', code: 'TOO_MANY_CONNECTIONS' }]);
    for (const { socket } of held) socket.destroy();
    await intake.stop();
  });
});
