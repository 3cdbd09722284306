import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codingFor, isHeld, PACK_FROM_BYTES } from '../../server/http/coding.ts';
import { type Past, writeBooks } from '../dashboards/books.ts';
import { bootDaemon, type TestDaemon } from '../support/daemon.ts';

const NOW_MS = Date.parse('2026-07-15T04:02:30.000Z');
const PAST: Past = {
  service: 'acme',
  fromMinute: Math.floor(NOW_MS / 60_000) - 2_000,
  toMinute: Math.floor(NOW_MS / 60_000),
  minute: (minute) => ({ attempts: 100 + (minute % 7) }),
};
const WINDOWS = '/api/v1/services/acme/months/2026-07/windows';
const RECORDS = '/api/v1/services/acme/windows?from=2026-07-14T00:00:00Z';
const STATEMENT = '/api/v1/services/acme/statement?month=2026-07&format=csv';

let daemon: TestDaemon;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-coding-'));
  await writeBooks(join(folder, 'books'), [PAST]);
  daemon = await bootDaemon({ folder, nowMs: () => NOW_MS });
});
afterAll(async () => {
  await daemon?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** As it crosses the wire: fetch would unpack it. */
function raw(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: daemon.daemon.port, path, method, headers };
    const asked = httpRequest({ ...options, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces),
        }),
      );
    });
    asked.on('error', reject).end();
  });
}
const gzip = { 'accept-encoding': 'gzip' };

describe('what a client takes', () => {
  it.each([
    ['', null],
    ['identity', null],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0, br;q=0', null],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['*;q=0', null],
    ['identity, gzip;q=0.5', null],
    ['gzip;q=nonsense', null],
    ['deflate', null],
  ] as const)('"%s" is answered with %s', (header, coding) => {
    expect(codingFor(header, ['br', 'gzip'])).toBe(coding);
  });

  it('and what it holds is known by any of its tags, weak ones too', () => {
    expect(isHeld('"a"', '"a"')).toBe(true);
    expect(isHeld('"b", W/"a"', '"a"')).toBe(true);
    expect(isHeld('*', '"a"')).toBe(true);
    expect(isHeld('', '"a"')).toBe(false);
    expect(isHeld('"a-br"', '"a"')).toBe(false);
  });
});

describe('a file of the page', () => {
  it('comes in the form that the client takes, each with a tag of its own', async () => {
    const plain = await raw('/style.css');
    const zipped = await raw('/style.css', gzip);
    const brotli = await raw('/style.css', { 'accept-encoding': 'gzip, deflate, br' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(brotli.headers['content-encoding']).toBe('br');
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
    expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
    expect(brotli.body.length).toBeLessThan(plain.body.length / 3);
    const answers = [plain, zipped, brotli];
    expect(new Set(answers.map(({ headers }) => headers.etag)).size).toBe(3);
    for (const { headers, body } of answers) {
      expect(headers.vary).toBe('accept-encoding');
      expect(headers['content-length']).toBe(String(body.length));
    }
  });

  it('is sent again only in a form that the client does not hold', async () => {
    const { headers } = await raw('/main.js', gzip);
    const etag = String(headers.etag);
    const held = await raw('/main.js', { ...gzip, 'if-none-match': `"other", W/${etag}` });
    expect(held.status).toBe(304);
    expect(held.body).toHaveLength(0);
    expect(held.headers).toMatchObject({ etag, vary: 'accept-encoding' });
    expect(held.headers['content-length']).toBeUndefined();
    expect((await raw('/main.js', { 'if-none-match': etag })).status).toBe(200);
  });
});

describe('an answer of the API', () => {
  it.each([WINDOWS, STATEMENT, `${STATEMENT.replace('csv', 'html')}`])(
    '%s is packed for who takes it, and says how long it is',
    async (path) => {
      const plain = await raw(path);
      const packed = await raw(path, gzip);
      expect(plain.body.length).toBeGreaterThan(PACK_FROM_BYTES);
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(packed.headers['content-encoding']).toBe('gzip');
      for (const { headers, body } of [plain, packed]) {
        expect(headers.vary).toBe('accept-encoding');
        expect(headers['content-length']).toBe(String(body.length));
      }
      expect(gunzipSync(packed.body).toString()).toBe(plain.body.toString());
      expect(packed.body.length).toBeLessThan(plain.body.length / 4);
      expect(packed.headers['content-disposition']).toBe(plain.headers['content-disposition']);
    },
  );

  it('in pieces is packed as it is sent', async () => {
    for (const path of [RECORDS, '/metrics']) {
      const packed = await raw(path, gzip);
      expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
      expect(packed.headers['content-length']).toBeUndefined();
      const text = gunzipSync(packed.body).toString();
      if (path === RECORDS) expect(text).toBe((await raw(path)).body.toString());
      else expect(text).toContain('# TYPE roomwatch_build_info gauge\n');
    }
  });

  it('is left as it is when it is short', async () => {
    const { headers } = await raw('/healthz', gzip);
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers.vary).toBeUndefined();
  });

  it.each([{}, gzip])('has the same headers for HEAD as for GET, asked for with %o', async (accepted) => {
    for (const path of ['/', '/main.js', WINDOWS, STATEMENT, RECORDS]) {
      const { date: _, ...get } = (await raw(path, accepted)).headers;
      const head = await raw(path, accepted, 'HEAD');
      const { date: __, ...headers } = head.headers;
      // A body of unknown length says how it is framed; without a body there is nothing to frame.
      delete get['transfer-encoding'];
      delete headers['transfer-encoding'];
      expect(headers, path).toEqual(get);
      expect(head.body).toHaveLength(0);
    }
  });

  it('ends with its reader: half of a packed answer leaves the daemon well', async () => {
    await new Promise<void>((resolve) => {
      const options = { host: '127.0.0.1', port: daemon.daemon.port, path: RECORDS, headers: gzip };
      const asked = httpRequest({ ...options, agent: false }, (response) =>
        response.once('data', () => {
          response.destroy();
          resolve();
        }),
      );
      asked.on('error', () => {}).end();
    });
    expect((await raw('/healthz')).status).toBe(200);
    expect(daemon.log()).not.toContain('could not be written');
  });
});

it('a stream of events is never packed, and asks those on the way to leave it alone', async () => {
  const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: daemon.daemon.port, path: '/api/v1/events', headers: gzip };
    const asked = httpRequest({ ...options, agent: false }, (response) => {
      response.once('data', (first: Buffer) => {
        expect(first.toString()).toContain(': readings as they are made');
        response.destroy();
        resolve(response.headers);
      });
    });
    asked.on('error', reject).end();
  });
  expect(headers['content-encoding']).toBeUndefined();
  expect(headers['cache-control']).toContain('no-transform');
  expect(headers['x-accel-buffering']).toBe('no');
});
