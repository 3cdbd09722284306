import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_BOUNDS } from '../../server/http/routes/events.ts';
import type { Explanation } from '../../sla/explain.ts';
import type { Reading } from '../../sla/reading.ts';
import { ADMIN_TOKEN, AGENT_TOKEN, bootDaemon, READER_TOKEN, type TestDaemon } from '../support/daemon.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';

const NOW_MS = Date.parse('2026-07-15T04:02:30.000Z');
const MINUTE = Math.floor(NOW_MS / 60_000);

let daemon: TestDaemon;
let agent: RawAgent;
beforeAll(async () => {
  daemon = await bootDaemon({
    nowMs: () => NOW_MS,
    config: {
      tokens: [
        { name: 'edge', role: 'agent', token: AGENT_TOKEN },
        { name: 'ops', role: 'admin', token: ADMIN_TOKEN },
        { name: 'eyes', role: 'reader', token: READER_TOKEN },
        { name: 'globex-only', role: 'admin', token: 'admin-token-of-globex', services: ['globex'] },
      ],
    },
  });
  agent = (await RawAgent.greet(daemon.daemon.port, { services: ['acme'] }, AGENT_TOKEN)).agent;
  const cells = [
    cell({ minute: MINUTE - 60, n: 990 }),
    failedCell({ minute: MINUTE - 60, n: 10, cause: 'unknown' }),
    cell({ minute: MINUTE - 55, n: 989 }),
    failedCell({ minute: MINUTE - 55, n: 11, cause: 'provider' }),
  ];
  agent.send(agent.batch(1, { cells, minute: MINUTE }));
  await agent.acknowledged(1);
  await waitFor('the reading', async () => {
    const { services } = await daemon.getJson<{ services: Partial<Reading>[] }>('/api/v1/services');
    return services[0]?.budget?.lost === 1;
  });
});
afterAll(async () => {
  await agent.end();
  await daemon.stop();
});

interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request exactly as written: fetch would tidy the path up. */
function raw(
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port: daemon.daemon.port,
        path,
        method,
        headers: { connection: 'close', ...headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

function errorOf({ body }: RawAnswer): { code: string; message: string; field: string } {
  return (JSON.parse(body) as { error: { code: string; message: string; field: string } }).error;
}

const SERVICE = '/api/v1/services/acme';

describe('hostile and mistaken requests are answered with a code, a field and a sentence', () => {
  const cases: readonly [claim: string, path: string, status: number, code: string, field: string][] = [
    [
      'a prototype name is no service',
      '/api/v1/services/__proto__/months/2026-07',
      400,
      'FIELD_INVALID',
      'service',
    ],
    [
      'a constructor is an unknown service',
      '/api/v1/services/constructor/months/2026-07',
      404,
      'NOT_FOUND',
      'service',
    ],
    ['month 13 is no month', `${SERVICE}/months/2026-13`, 400, 'FIELD_INVALID', 'month'],
    ['month 00 is no month', `${SERVICE}/months/2026-00`, 400, 'FIELD_INVALID', 'month'],
    ['a word is no month', `${SERVICE}/months/toString`, 400, 'FIELD_INVALID', 'month'],
    [
      'an encoded slash stays in its segment',
      '/api/v1/services/..%2F..%2Fetc%2Fpasswd/months/2026-07',
      400,
      'FIELD_INVALID',
      'service',
    ],
    ['dots lead nowhere', '/../../etc/passwd', 404, 'NOT_FOUND', ''],
    ['a file beside the page is not served', '/page/../../package.json', 404, 'NOT_FOUND', ''],
    ['a broken escape is told', '/api/v1/services/%zz/months/2026-07', 400, 'PATH_INVALID', ''],
    ['an overlong UTF-8 escape is told', '/api/v1/services/%c0%af/months/2026-07', 400, 'PATH_INVALID', ''],
    ['a path of 10 kB is too long', `/${'a'.repeat(10_000)}`, 414, 'PATH_TOO_LONG', ''],
    ['an unknown path is not found', '/api/v2/services', 404, 'NOT_FOUND', ''],
    [
      'a service that never was is not found',
      '/api/v1/services/initech/windows',
      404,
      'NOT_FOUND',
      'service',
    ],
    [
      'a local time is no instant',
      `${SERVICE}/windows?from=2026-07-15T04:00:00`,
      400,
      'FIELD_INVALID',
      'from',
    ],
    [
      'to before from',
      `${SERVICE}/windows?from=2026-07-15T04:00:00Z&to=2026-07-15T03:00:00Z`,
      400,
      'FIELD_INVALID',
      'to',
    ],
    [
      'more than a month of windows',
      `${SERVICE}/windows?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z`,
      400,
      'FIELD_INVALID',
      'from',
    ],
    ['an explanation of nothing', `${SERVICE}/explain`, 400, 'FIELD_MISSING', 'at'],
    ['an explanation of a word', `${SERVICE}/explain?at=now`, 400, 'FIELD_INVALID', 'at'],
    [
      'a statement in a format that is none',
      `${SERVICE}/statement?month=2026-07&format=pdf`,
      400,
      'FIELD_INVALID',
      'format',
    ],
    ['a statement of no month', `${SERVICE}/statement`, 400, 'FIELD_INVALID', 'month'],
  ];
  for (const [claim, path, status, code, field] of cases) {
    it(claim, async () => {
      const answer = await raw(path);
      expect(answer.status).toBe(status);
      expect(errorOf(answer)).toMatchObject({ code, field });
      expect(errorOf(answer).message.length).toBeGreaterThan(10);
      expect(answer.body).not.toMatch(/\bat .*\.ts:|node_modules/);
    });
  }

  it('a control character in the path comes back escaped', async () => {
    const answer = await raw('/%1b%5b31m%0d%0aset-cookie:x');
    expect(answer.status).toBe(404);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.body).not.toContain('\u001b');
  });

  it('the wrong method is answered with those that are possible', async () => {
    const answer = await raw('/api/v1/exclusions', { method: 'PUT' });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD, POST');
    expect((await raw('/metrics', { method: 'DELETE' })).headers.allow).toBe('GET, HEAD');
  });

  it('bytes that are no HTTP get a 400 and no stack', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(daemon.daemon.port, '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      let text = '';
      socket.on('data', (data: Buffer) => {
        text += data.toString();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('REQUEST_INVALID');
  });

  it('headers beyond 16 KiB are refused with 431', async () => {
    expect((await raw('/healthz', { headers: { 'x-large': 'a'.repeat(20_000) } })).status).toBe(431);
  });
});

describe('bodies', () => {
  const write = (body: string, type = 'application/json') =>
    raw('/api/v1/exclusions', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': type },
      body,
    });

  it('that are not called JSON are refused: a form of another site cannot write', async () => {
    expect((await write('{}', 'text/plain')).status).toBe(415);
    expect((await write('a=b', 'application/x-www-form-urlencoded')).status).toBe(415);
  });

  it('that are not JSON are told so', async () => {
    const answer = await write('{"service":');
    expect(answer.status).toBe(400);
    expect(errorOf(answer).code).toBe('BODY_NOT_JSON');
  });

  it('of 64 KiB are read, and of a byte more refused', async () => {
    const padded = (bytes: number) => `{${' '.repeat(bytes - 2)}}`;
    expect((await write(padded(64 * 1024))).status).toBe(400);
    expect((await write(padded(64 * 1024 + 1))).status).toBe(413);
  });

  it('beyond the bound are refused also when their length was not announced', async () => {
    const answer = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port: daemon.daemon.port,
          path: '/api/v1/exclusions',
          method: 'POST',
          headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      // The daemon closes on us while we still write; that it answered before is what counts.
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (!['EPIPE', 'ECONNRESET'].includes(error.code ?? '')) reject(error);
      });
      for (let i = 0; i < 20; i += 1) request.write(' '.repeat(8_192));
      request.end('{}');
    });
    expect(answer).toBe(413);
  });

  it('of a faulty exclusion name the first field and every fix', async () => {
    const answer = await write('{"service":"acme","from":"x","clause":4.1,"authr":"me"}');
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toMatch(/did you mean author\?/);
    expect(errorOf(answer).message).toMatch(/from is "x"/);
    expect(errorOf(answer).message).toMatch(/clause is 4\.1/);
  });
});

describe('access', () => {
  const status = async (
    path: string,
    token: string | null,
    method = 'GET',
    headers: Record<string, string> = {},
  ) =>
    (
      await raw(path, {
        method,
        headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      })
    ).status;

  it('reading is open on loopback', async () => {
    expect(await status('/api/v1/services', null)).toBe(200);
    expect(await status('/metrics', null)).toBe(200);
  });

  it('but not under a foreign name, which a page in a browser could make its own', async () => {
    expect(await status('/api/v1/services', null, 'GET', { host: 'evil.example:9470' })).toBe(401);
    expect(await status('/metrics', null, 'GET', { host: 'evil.example' })).toBe(401);
    expect(await status('/api/v1/services', READER_TOKEN, 'GET', { host: 'watch.example' })).toBe(200);
    for (const host of ['localhost', '127.0.0.1:9470', '[::1]:9470', '127.8.8.8']) {
      expect(await status('/api/v1/services', null, 'GET', { host })).toBe(200);
    }
  });

  it('writing needs an admin: nobody, a reader and an agent are refused, each with its status', async () => {
    expect(await status('/api/v1/exclusions/x', null, 'DELETE')).toBe(401);
    expect(await status('/api/v1/exclusions/x', 'not-a-token-of-ours', 'DELETE')).toBe(401);
    expect(await status('/api/v1/exclusions/x', READER_TOKEN, 'DELETE')).toBe(403);
    expect(await status('/api/v1/exclusions/x', AGENT_TOKEN, 'DELETE')).toBe(403);
    expect(await status('/api/v1/exclusions/x', ADMIN_TOKEN, 'DELETE')).toBe(404);
  });

  it('a wrong token is refused even where none would be needed', async () => {
    expect(await status('/api/v1/services', 'not-a-token-of-ours')).toBe(401);
    expect(await status('/api/v1/services', AGENT_TOKEN)).toBe(403);
  });

  it('a token for some services sees and changes those alone', async () => {
    const only = 'admin-token-of-globex';
    expect(await status(`${SERVICE}/months/2026-07`, only)).toBe(403);
    expect(await status('/metrics', only)).toBe(403);
    const list = await raw('/api/v1/services', { headers: { authorization: `Bearer ${only}` } });
    expect(JSON.parse(list.body)).toEqual({ services: [] });
    const exclusion = {
      service: 'acme',
      from: '2026-07-03T10:02:00Z',
      to: '2026-07-03T10:04:00Z',
      clause: '4.1',
      author: 'me',
      reason: 'x',
    };
    expect((await daemon.write('POST', '/api/v1/exclusions', exclusion, only)).status).toBe(403);
    const silence = { until: '2026-07-15T05:00:00Z', reason: 'x' };
    expect((await daemon.write('POST', '/api/v1/silences', silence, only)).status).toBe(403);
  });

  it('says how to authenticate', async () => {
    const answer = await raw('/api/v1/exclusions/x', { method: 'DELETE' });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="roomwatch"');
  });

  it('health needs nothing, wherever it is asked from', async () => {
    expect(await status('/healthz', null, 'GET', { host: 'watch.example' })).toBe(200);
    expect(await status('/readyz', null, 'GET', { host: 'watch.example' })).toBe(200);
  });

  it('off loopback reading needs a token, and the metrics too unless they are open', async () => {
    const open = await bootDaemon({
      config: { listen: { host: '0.0.0.0', port: 0 }, metrics: { open: true } },
    });
    const closed = await bootDaemon({ config: { listen: { host: '0.0.0.0', port: 0 } } });
    try {
      const at = (one: TestDaemon, path: string, token?: string) =>
        fetch(`http://127.0.0.1:${one.daemon.port}${path}`, {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        }).then((response) => response.status);
      expect(await at(closed, '/api/v1/services')).toBe(401);
      expect(await at(closed, '/api/v1/services', READER_TOKEN)).toBe(200);
      expect(await at(closed, '/metrics')).toBe(401);
      expect(await at(closed, '/metrics', READER_TOKEN)).toBe(200);
      expect(await at(closed, '/healthz')).toBe(200);
      expect(await at(open, '/metrics')).toBe(200);
      expect(await at(open, '/api/v1/services')).toBe(401);
    } finally {
      await open.stop();
      await closed.stop();
    }
  });
});

describe('answers', () => {
  it('HEAD has the headers of GET and no body', async () => {
    const get = await raw('/api/v1/services');
    const head = await raw('/api/v1/services', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  it('of the API are kept nowhere, framed nowhere and guessed by nobody', async () => {
    const { headers } = await raw('/api/v1/services');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('the page allows nothing inline and nothing from elsewhere, and is not sent twice', async () => {
    const page = await raw('/');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    const again = await raw('/', { headers: { 'if-none-match': String(page.headers.etag) } });
    expect(again.status).toBe(304);
    expect(again.body).toBe('');
  });

  it('every file that the page names is served with its type', async () => {
    const page = await raw('/');
    const names = [...page.body.matchAll(/(?:src|href)="([a-z-]+\.(?:js|css|svg))"/g)].map(
      (match) => match[1]!,
    );
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const file = await raw(`/${name}`);
      expect(file.status).toBe(200);
      expect(file.headers['content-type']).toMatch(/javascript|css|svg/);
    }
  });

  it('windows hold what they counted, in order, and the lost one is down', async () => {
    const from = new Date(NOW_MS - 3_600_000 - 150_000).toISOString();
    const answer = await daemon.getJson<{ windows: Record<string, unknown>[] }>(
      `${SERVICE}/windows?from=${from}`,
    );
    expect(answer.windows).toHaveLength(13);
    expect(answer.windows[0]).toMatchObject({
      start: '2026-07-15T03:00:00.000Z',
      end: '2026-07-15T03:05:00.000Z',
      verdict: 'up',
      attempts: 1_000,
      failures: 10,
      failuresByCause: { provider: 0, unknown: 10, customer: 0, network: 0 },
      lowVolume: false,
    });
    expect(answer.windows[1]).toMatchObject({ verdict: 'down', attempts: 1_000, failures: 11 });
    expect(answer.windows.at(-1)).toMatchObject({ start: '2026-07-15T04:00:00.000Z', verdict: 'remaining' });
  });

  it('a whole month of windows is one answer', async () => {
    const path = `${SERVICE}/windows?from=2026-06-30T16:00:00Z&to=2026-07-31T16:00:00Z`;
    const answer = await daemon.getJson<{ windows: unknown[] }>(path);
    expect(answer.windows).toHaveLength(8_928);
  });

  it('an explanation says what would have changed the verdict', async () => {
    const up = await daemon.getJson<Explanation>(`${SERVICE}/explain?at=2026-07-15T03:02:00Z`);
    expect(up.window.verdict).toBe('up');
    expect(up.change).toEqual({ kind: 'to-down', failures: 1 });
    const down = await daemon.getJson<Explanation>(`${SERVICE}/explain?at=2026-07-15T03:05:00Z`);
    expect(down.window.verdict).toBe('down');
    expect(down.change).toMatchObject({ kind: 'to-up', successes: 100 });
  });

  it('a statement is the same bytes twice, in every format', async () => {
    for (const [format, type] of [
      ['json', 'application/json'],
      ['csv', 'text/csv'],
      ['text', 'text/plain'],
      ['html', 'text/html'],
    ] as const) {
      const path = `${SERVICE}/statement?month=2026-07&format=${format}`;
      const first = await raw(path);
      expect(first.status, daemon.log().slice(-1500)).toBe(200);
      expect(first.headers['content-type']).toContain(type);
      expect((await raw(path)).body).toBe(first.body);
    }
  });

  it('a month that has passed unseen is read as unmeasured, not as up', async () => {
    const reading = await daemon.getJson<Reading>(`${SERVICE}/months/2026-05`);
    expect(reading.coverage).toBe(0);
    expect(reading.windows.unmeasured).toBe(reading.period.windows);
  });
});

describe('alerts and silences', () => {
  it('a silence is recorded with its author, listed, and ended', async () => {
    const until = new Date(NOW_MS + 3_600_000).toISOString();
    const made = await daemon.write('POST', '/api/v1/silences', { service: 'acme', until, reason: 'drill' });
    expect(made.status).toBe(201);
    const silence = (await made.json()) as { id: string };
    expect(silence).toMatchObject({ service: 'acme', step: '*', by: 'ops', author: 'ops', until });
    expect(await daemon.getJson('/api/v1/silences')).toEqual({ silences: [silence] });
    expect((await daemon.write('DELETE', `/api/v1/silences/${silence.id}`)).status).toBe(200);
    expect(await daemon.getJson('/api/v1/silences')).toEqual({ silences: [] });
    expect((await daemon.write('DELETE', `/api/v1/silences/${silence.id}`)).status).toBe(404);
  });

  it('a silence whose author is somebody else still says whose token made it', async () => {
    const until = new Date(NOW_MS + 3_600_000).toISOString();
    const forged = { service: 'acme', until, reason: 'drill', author: 'ceo' };
    const made = await daemon.write('POST', '/api/v1/silences', forged);
    const silence = (await made.json()) as { id: string };
    expect(silence).toMatchObject({ by: 'ops', author: 'ceo' });
    expect((await daemon.write('DELETE', `/api/v1/silences/${silence.id}`)).status).toBe(200);
    const refused = await daemon.write('POST', '/api/v1/silences', { ...forged, by: 'ceo' });
    expect(refused.status).toBe(400);
  });

  it('a silence into the past names its field and the fix', async () => {
    const body = { until: new Date(NOW_MS - 1).toISOString(), reason: 'x' };
    const answer = await daemon.write('POST', '/api/v1/silences', body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { field: 'until', code: 'FIELD_INVALID' } });
  });

  it('an alert that does not fire cannot be acknowledged', async () => {
    const answer = await daemon.write('POST', '/api/v1/alerts/none%3A1/ack', {});
    expect(answer.status).toBe(404);
  });
});

describe('events', () => {
  /** The text of a stream as it comes. */
  async function listen(): Promise<{ text: () => string; close: () => void }> {
    const abort = new AbortController();
    const response = await fetch(`${daemon.url}/api/v1/events`, { signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    let text = '';
    const decoder = new TextDecoder();
    const read = async () => {
      for await (const piece of response.body ?? []) text += decoder.decode(piece, { stream: true });
    };
    read().catch(() => {});
    return { text: () => text, close: () => abort.abort() };
  }

  it('tell a page of every new reading, and those who leave make room', async () => {
    const { text, close } = await listen();
    await waitFor('the greeting', () => text().startsWith(': '));
    agent.send(agent.batch(2, { cells: [cell({ minute: MINUTE, n: 1 })], minute: MINUTE }));
    await waitFor('the event', () =>
      text().includes('event: reading\ndata: {"service":"acme","month":"2026-07"}\n\n'),
    );
    close();
    for (let i = 0; i < EVENT_BOUNDS.listeners + 5; i += 1) {
      const one = await listen();
      one.close();
    }
    const all = await waitFor('room for all', async () => {
      const listeners: Awaited<ReturnType<typeof listen>>[] = [];
      try {
        for (let i = 0; i < EVENT_BOUNDS.listeners; i += 1) listeners.push(await listen());
        return listeners;
      } catch (error) {
        for (const one of listeners) one.close();
        throw error;
      }
    });
    const refused = await raw('/api/v1/events');
    expect(refused.status).toBe(503);
    expect(errorOf(refused).code).toBe('BUSY');
    for (const one of all) one.close();
  });

  it('a HEAD request listens to nothing', async () => {
    expect((await raw('/api/v1/events', { method: 'HEAD' })).status).toBe(200);
  });
});
