import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { AGENT_PATH, SUBPROTOCOL } from '../../protocol/limits.ts';
import { createTokenCheck } from '../../server/gateway/tokens.ts';
import { type DaemonEdge, TOKEN } from '../support/daemon-edge.ts';
import { edgesOfThisFile } from '../support/edges.ts';
import { RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';

const start = edgesOfThisFile();

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly error: { readonly code?: string; readonly message?: string };
}

/** Asks for an upgrade; a header given as undefined is left out. */
async function upgrade(
  edge: DaemonEdge,
  { path = AGENT_PATH, ...headers }: Record<string, string | undefined> = {},
): Promise<Answer> {
  const all = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': SUBPROTOCOL,
    authorization: `Bearer ${TOKEN}`,
    ...headers,
  };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new Promise((resolve, reject) => {
    const asked = request({ port: edge.port, host: '127.0.0.1', path, headers: Object.fromEntries(given) });
    asked.on('error', reject);
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: response.headers, error: {} });
    });
    asked.on('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += String(chunk);
      const { error } = JSON.parse(body) as { error: Answer['error'] };
      resolve({ status: response.statusCode ?? 0, headers: response.headers, error });
    });
    asked.end();
  });
}

describe('an upgrade', () => {
  it('with a known token and the subprotocol becomes a WebSocket that speaks it', async () => {
    const answer = await upgrade(await start());
    expect(answer.status).toBe(101);
    expect(answer.headers['sec-websocket-protocol']).toBe(SUBPROTOCOL);
  });

  it('agrees on the subprotocol though the agent offers others first', async () => {
    const answer = await upgrade(await start(), { 'sec-websocket-protocol': `chat, ${SUBPROTOCOL}` });
    expect(answer.headers['sec-websocket-protocol']).toBe(SUBPROTOCOL);
  });

  it('never agrees on compression', async () => {
    const answer = await upgrade(await start(), { 'sec-websocket-extensions': 'permessage-deflate' });
    expect(answer.status).toBe(101);
    expect(answer.headers['sec-websocket-extensions']).toBeUndefined();
  });

  const refusals: readonly {
    readonly name: string;
    readonly headers: Record<string, string | undefined>;
    readonly status: number;
    readonly code: string;
    readonly reason: string;
  }[] = [
    {
      name: 'without a token',
      headers: { authorization: undefined },
      status: 401,
      code: 'UNAUTHENTICATED',
      reason: 'unauthenticated',
    },
    {
      name: 'with an unknown token',
      headers: { authorization: `Bearer ${TOKEN}x` },
      status: 401,
      code: 'UNAUTHENTICATED',
      reason: 'unauthenticated',
    },
    {
      name: 'with the token in another scheme',
      headers: { authorization: `Basic ${TOKEN}` },
      status: 401,
      code: 'UNAUTHENTICATED',
      reason: 'unauthenticated',
    },
    {
      name: 'from a browser, whatever its origin',
      headers: { origin: 'http://127.0.0.1:9470' },
      status: 403,
      code: 'ORIGIN_REFUSED',
      reason: 'origin',
    },
    {
      name: 'without the subprotocol',
      headers: { 'sec-websocket-protocol': undefined },
      status: 400,
      code: 'SUBPROTOCOL_REQUIRED',
      reason: 'subprotocol',
    },
    {
      name: 'with another subprotocol only',
      headers: { 'sec-websocket-protocol': 'roomwatch.v2' },
      status: 400,
      code: 'SUBPROTOCOL_REQUIRED',
      reason: 'subprotocol',
    },
    {
      name: 'on another path',
      headers: { path: '/v1/agents' },
      status: 404,
      code: 'NOT_FOUND',
      reason: 'not-found',
    },
    {
      name: 'with a key that is no key',
      headers: { 'sec-websocket-key': 'short' },
      status: 400,
      code: 'HANDSHAKE_INVALID',
      reason: 'handshake',
    },
  ];
  for (const { name, headers, status, code, reason } of refusals) {
    it(`${name} is refused with ${status} ${code}, and counted`, async () => {
      const edge = await start();
      const answer = await upgrade(edge, headers);
      expect(answer).toMatchObject({ status, error: { code } });
      expect(answer.error.message).toMatch(/\w/);
      expect(edge.counted.refused).toEqual({ [reason]: 1 });
    });
  }

  it('tells a client without a token how to authenticate', async () => {
    const answer = await upgrade(await start(), { authorization: undefined });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('is refused with 503 and Retry-After when all places are taken, and served again when one is free', async () => {
    const edge = await start({ limits: { connections: 1 } });
    const first = await RawAgent.connect(edge.port);
    const answer = await upgrade(edge);
    expect(answer).toMatchObject({ status: 503, error: { code: 'TOO_MANY_CONNECTIONS' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await first.end();
    await waitFor('the place', async () => (await upgrade(edge)).status === 101);
  });

  it('is refused with 429 when its address has its share', async () => {
    const edge = await start({ limits: { connectionsPerAddress: 1 } });
    const first = await RawAgent.connect(edge.port);
    expect(await upgrade(edge)).toMatchObject({ status: 429, error: { code: 'TOO_MANY_PER_ADDRESS' } });
    expect(edge.counted.refused).toEqual({ 'too-many-per-address': 1 });
    await first.end();
  });

  it('is refused with 429 when its token has its share, while another token is served', async () => {
    const tokens = ['one', 'two'].map((token) => ({
      token,
      grant: { agentLabel: token, services: 'all' as const },
    }));
    const edge = await start({ limits: { connectionsPerToken: 1 }, tokens });
    const first = await RawAgent.connect(edge.port, { token: 'one' });
    expect(await upgrade(edge, { authorization: 'Bearer one' })).toMatchObject({
      status: 429,
      error: { code: 'TOO_MANY_PER_TOKEN' },
    });
    expect((await upgrade(edge, { authorization: 'Bearer two' })).status).toBe(101);
    await first.end();
  });

  it('that is cut off in the middle of its refusal disturbs nobody', async () => {
    const edge = await start();
    for (let i = 0; i < 20; i += 1) {
      const socket = connect(edge.port, '127.0.0.1');
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(
        `GET ${AGENT_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      socket.resetAndDestroy();
    }
    const { agent } = await RawAgent.greet(edge.port);
    agent.send(agent.batch(1));
    await agent.acknowledged(1);
  });
});

describe('the token check', () => {
  it('finds what each token grants and nothing for any other text', () => {
    const check = createTokenCheck([
      { token: 'alpha', grant: 1 },
      { token: 'beta', grant: 2 },
    ]);
    expect(check('alpha')).toBe(1);
    expect(check('beta')).toBe(2);
    for (const wrong of ['', 'alph', 'alphaa', 'ALPHA', 'alpha ', 'beta\0']) expect(check(wrong)).toBeNull();
  });
});
