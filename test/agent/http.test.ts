import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { readClockGapMs } from '../../agent/intake/sent-at.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';

let peer: Peer;
let agent: RunningAgent;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-agent-'));
  peer = await startPeer();
  agent = await startAgent({
    server: peer.url,
    token: async () => 'secret-token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    listen: { host: '127.0.0.1', port: 0 },
    origins: ['https://app.example.com'],
  });
});

afterEach(async () => {
  await agent.stop(100);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

function url(path: string): string {
  return `http://127.0.0.1:${agent.ports.http}${path}`;
}

async function post(body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(url('/v1/outcomes'), { method: 'POST', body, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}

const ok = { result: 'ok', platform: 'web-v5', region: 'ap-guangzhou' };

describe('POST /v1/outcomes', () => {
  it('takes one object, and it is counted by the daemon', async () => {
    const { status, body } = await post(JSON.stringify({ ...ok, count: 3 }));
    expect(status).toBe(202);
    expect(body).toEqual({ accepted: 1, repeated: 0, rejectedCount: 0, rejected: [] });
    await waitFor('three outcomes', () => peer.totals().ok === 3);
  });

  it('takes an array and NDJSON, named or not, gzipped or not', async () => {
    const lines = `${JSON.stringify(ok)}\n\n${JSON.stringify({ ...ok, result: 'failed', code: 5400 })}\n`;
    expect((await post(JSON.stringify([ok, ok]))).body.accepted).toBe(2);
    expect((await post(lines)).body.accepted).toBe(2);
    expect((await post(lines, { 'content-type': 'application/x-ndjson' })).body.accepted).toBe(2);
    const gzipped = await post(gzipSync(lines), {
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
    });
    expect(gzipped.body.accepted).toBe(2);
    await waitFor('all outcomes', () => peer.totals().ok === 5 && peer.totals().failed === 3);
  });

  it('names each bad record and takes the good ones', async () => {
    const { status, body } = await post(JSON.stringify([ok, { result: 'maybe' }, ok]));
    expect(status).toBe(202);
    expect(body.accepted).toBe(2);
    expect(body.rejected).toEqual([
      { index: 1, error: { code: 'OUTCOME_FIELD_INVALID', field: 'result', message: expect.any(String) } },
    ]);
  });

  it('answers 400 with the first fault when no record is good', async () => {
    const { status, body } = await post(JSON.stringify({ result: 'ok', service: 'not a name' }));
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'OUTCOME_FIELD_INVALID', field: 'service' });
  });

  it('counts an id once, in one report and across reports', async () => {
    expect(
      (
        await post(
          JSON.stringify([
            { ...ok, id: 'a' },
            { ...ok, id: 'a' },
          ]),
        )
      ).body,
    ).toMatchObject({
      accepted: 1,
      repeated: 1,
    });
    expect((await post(JSON.stringify({ ...ok, id: 'a' }))).body).toMatchObject({ accepted: 0, repeated: 1 });
    expect((await post(JSON.stringify({ ...ok, id: 'b' }))).body).toMatchObject({ accepted: 1, repeated: 0 });
    await waitFor('two outcomes', () => peer.totals().ok === 2);
  });

  it('refuses what is no report, with a code', async () => {
    expect(await post('{"result":')).toMatchObject({
      status: 400,
      body: { error: { code: 'BODY_NOT_JSON' } },
    });
    expect(await post('x', { 'content-type': 'application/xml' })).toMatchObject({ status: 415 });
    expect(await post('x', { 'content-encoding': 'br' })).toMatchObject({ status: 415 });
    expect(await post('x', { 'content-encoding': 'gzip' })).toMatchObject({ status: 400 });
    expect((await fetch(url('/v1/outcomes'))).status).toBe(405);
    expect((await fetch(url('/nothing'))).status).toBe(404);
  });

  it('refuses records that are not UTF-8, so that no two ids become one, and no others', async () => {
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    const records = [
      '{"result":"ok","id":"\xe9"}',
      '{"result":"ok","id":"\xe8"}',
      '{"result":"ok","id":"e"}',
    ];
    const refused = {
      rejectedCount: 2,
      rejected: [0, 1].map((index) => ({
        index,
        error: { code: 'OUTCOME_NOT_JSON', message: expect.stringMatching(/not UTF-8/) },
      })),
    };
    const list = latin1(`[${records.join(',')}]`);
    expect((await post(list)).body).toMatchObject({ accepted: 1, repeated: 0, ...refused });
    const lines = latin1(`${records.join('\n')}\n`);
    expect((await post(lines)).body).toMatchObject({ accepted: 0, repeated: 1, ...refused });
    const ndjson = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    expect((await post(gzipSync(lines), ndjson)).body).toMatchObject({
      accepted: 0,
      repeated: 1,
      ...refused,
    });
    expect(await post(latin1(records[0]!))).toMatchObject({
      status: 400,
      body: { error: { code: 'OUTCOME_NOT_JSON' } },
    });
    await waitFor('one outcome', () => peer.totals().ok === 1);
  });

  it('passes over a byte order mark at the beginning', async () => {
    const one = `\uFEFF${JSON.stringify(ok)}`;
    expect((await post(one)).body.accepted).toBe(1);
    expect((await post(`${one}\n${JSON.stringify(ok)}\n`)).body.accepted).toBe(2);
    const type = { 'content-type': 'application/x-ndjson' };
    expect((await post(one, type)).body.accepted).toBe(1);
  });

  it('takes a body of 1 MiB and refuses one byte more, also behind gzip', async () => {
    const filler = (bytes: number) => {
      const frame = JSON.stringify({ ...ok, note: '' });
      return JSON.stringify({ ...ok, note: 'x'.repeat(bytes - frame.length) });
    };
    expect((await post(filler(1024 * 1024))).status).toBe(202);
    expect((await post(filler(1024 * 1024 + 1))).status).toBe(413);
    const bomb = gzipSync(filler(1024 * 1024 + 1));
    expect(await post(bomb, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 413,
      body: {
        error: { code: 'BODY_TOO_LARGE', message: expect.stringMatching(/1 MiB when unpacked; send less/) },
      },
    });
    expect((await post(gzipSync(filler(1024 * 1024)), { 'content-encoding': 'gzip' })).status).toBe(202);
    const cutOff = gzipSync(filler(1_000)).subarray(0, -9);
    expect(await post(cutOff, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 400,
      body: { error: { code: 'BODY_NOT_GZIP' } },
    });
  });

  it('takes a line of 64 KiB and refuses a longer one, as a stream does', async () => {
    const line = (bytes: number, letter = 'x') => {
      const frame = JSON.stringify({ ...ok, note: '' });
      const most = (bytes - frame.length) / Buffer.byteLength(letter);
      return JSON.stringify({ ...ok, note: letter.repeat(most) });
    };
    const lines = [line(64 * 1024), line(64 * 1024 + 1), line(65 * 1024, 'é')];
    const { body } = await post(lines.join('\n'), { 'content-type': 'application/x-ndjson' });
    expect(body).toMatchObject({
      accepted: 1,
      rejected: [
        { index: 1, error: { code: 'OUTCOME_NOT_JSON', message: expect.stringMatching(/65536 bytes/) } },
        { index: 2, error: { code: 'OUTCOME_NOT_JSON' } },
      ],
    });
  });

  it('takes 20,000 records at once and not one more', async () => {
    const list = (n: number) => `[${'1,'.repeat(n - 1)}1]`;
    expect((await post(list(20_000))).body).toMatchObject({ rejectedCount: 20_000, error: { field: '' } });
    expect(await post(list(20_001))).toMatchObject({
      status: 413,
      body: { error: { code: 'TOO_MANY_RECORDS' } },
    });
  });

  it('answers 413 also to a body that does not say how long it is', async () => {
    const chunks = Array.from({ length: 40 }, () => new Uint8Array(64 * 1024).fill(32));
    const body = ReadableStream.from(chunks);
    const response = await fetch(url('/v1/outcomes'), {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect((await post(JSON.stringify(ok))).status).toBe(202);
  });

  it('books an outcome by its own clock when the sender says what the sender’s reads', async () => {
    const hoursMs = 3_600_000;
    const nowMs = Date.now();
    const at = (ms: number) => ({ ...ok, at: ms });
    // Two hours ahead, three behind, and a flat battery: each entered a minute before it reported.
    for (const theirsMs of [nowMs + 2 * hoursMs, nowMs - 3 * hoursMs, 1_000_000]) {
      const [time, text] = [theirsMs - 60_000, new Date(theirsMs - 60_000).toISOString()];
      const body = `${JSON.stringify(at(time))}\n${JSON.stringify({ ...ok, at: text })}\n`;
      const type = 'application/x-ndjson';
      const lines = await fetch(url(`/v1/outcomes?sentAt=${theirsMs}`), {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      expect(await lines.json()).toMatchObject({ accepted: 2 });
    }
    const list = await fetch(url(`/v1/outcomes?sentAt=${nowMs - hoursMs}`), {
      method: 'POST',
      // Without a time of its own it is booked at the agent's, whatever the sender's clock says.
      body: JSON.stringify([at(nowMs - hoursMs - 60_000), ok]),
    });
    expect(await list.json()).toMatchObject({ accepted: 2 });
    await waitFor('eight outcomes', () => peer.totals().ok === 8);
    const frames = [...peer.books.values()]
      .flat()
      .flatMap((frame) => (frame.type === 'batch' ? frame.cells : []));
    const minutes = frames.map((cell) => cell.minute - Math.floor(nowMs / 60_000));
    expect(Math.min(...minutes)).toBe(-1);
    expect(Math.max(...minutes)).toBeLessThanOrEqual(1);
  });

  it('refuses a sender’s clock that is no time, and with it nothing that could be sent again', async () => {
    for (const wrong of ['soon', '1.5', '', '12345678901234567']) {
      const response = await fetch(url(`/v1/outcomes?sentAt=${wrong}`), {
        method: 'POST',
        body: JSON.stringify(ok),
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'SENT_AT_INVALID', field: 'sentAt' } });
    }
  });

  it('corrects from five seconds on', () => {
    const nowMs = 1_790_000_000_000;
    const gap = (sentAtMs: number) => readClockGapMs(`/v1/outcomes?x=1&sentAt=${sentAtMs}`, nowMs);
    expect(gap(nowMs - 4_999)).toBe(0);
    expect(gap(nowMs + 4_999)).toBe(0);
    expect(gap(nowMs - 5_000)).toBe(5_000);
    expect(gap(nowMs + 5_000)).toBe(-5_000);
    expect(gap(-1)).toBe(nowMs + 1);
    expect(readClockGapMs('/v1/outcomes', nowMs)).toBe(0);
    expect(readClockGapMs('/v1/outcomes?sent=5', nowMs)).toBe(0);
  });

  it('lets only the listed pages report', async () => {
    const own = await post(JSON.stringify(ok), { origin: 'https://app.example.com' });
    expect(own.status).toBe(202);
    expect(own.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(own.headers.get('access-control-expose-headers')).toBe('Retry-After');
    expect(await post(JSON.stringify(ok), { origin: 'https://evil.example.com' })).toMatchObject({
      status: 403,
    });
    const preflight = await fetch(url('/v1/outcomes'), {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
  });
});

describe('the agent about itself', () => {
  it('is healthy and says how far it is', async () => {
    await waitFor('a connection', () => agent.isConnected);
    const response = await fetch(url('/healthz'));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'ok', connected: true });
  });

  it('has its figures as Prometheus text', async () => {
    await post(JSON.stringify([ok, { result: 'maybe' }]));
    const text = await (await fetch(url('/metrics'))).text();
    expect(text).toContain('roomwatch_agent_outcomes_accepted_total{source="http"} 1\n');
    expect(text).toContain('roomwatch_agent_outcomes_rejected_total{code="OUTCOME_FIELD_INVALID"} 1\n');
    expect(text).toContain('roomwatch_agent_outcomes_lost_total{reason="disk-full"} 0\n');
  });

  it('has figures that promtool finds nothing wrong with', async () => {
    await post(JSON.stringify([ok, { result: 'maybe' }]));
    const text = await (await fetch(url('/metrics'))).text();
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    if (checked.error) throw new Error('promtool is missing; install it with: apt-get install prometheus');
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });

  it('names the token in the header, and the services in its hello', async () => {
    await waitFor('a hello', () => peer.hellos.length > 0);
    expect(peer.authorizations).toEqual(['Bearer secret-token']);
    expect(peer.hellos[0]?.services).toEqual(['acme']);
  });
});
