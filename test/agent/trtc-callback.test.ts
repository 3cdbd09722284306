import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { readCallbackKey } from '../../agent/callback-key.ts';
import { signatureOf } from '../../agent/intake/callback-signer.ts';
import { readTrtcEvent } from '../../agent/intake/trtc-event.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { PoisonedDisk } from './spool/poisoned-disk.ts';
import { Snapshot } from './spool/spool-folder.ts';

/** As the vendor publishes it. */
const VECTOR = {
  key: '123654',
  body: '{\n\t"EventGroupId":\t2,\n\t"EventType":\t204,\n\t"CallbackTs":\t1664209748188,\n\t"EventInfo":\t{\n\t\t"RoomId":\t8489,\n\t\t"EventTs":\t1664209748,\n\t\t"EventMsTs":\t1664209748180,\n\t\t"UserId":\t"user_85034614",\n\t\t"Reason":\t0\n\t}\n}',
  sign: 'kkoFeO3Oh2ZHnjtg8tEAQhtXK16/KI05W3BQff8IvGA=',
};
const APP = '1400000123';

let peer: Peer;
let agent: RunningAgent;
let folder: string;

async function start(options: Partial<AgentOptions> = {}): Promise<RunningAgent> {
  return startAgent({
    server: peer.url,
    token: async () => 'secret-token',
    spoolDirectory: join(folder, 'spool'),
    services: [],
    listen: { host: '127.0.0.1', port: 0 },
    trtcCallbacks: [{ sdkAppId: APP, service: 'acme', key: async () => VECTOR.key }],
    ...options,
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-callbacks-'));
  peer = await startPeer();
  agent = await start();
});

afterEach(async () => {
  await agent.stop(100);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Event {
  readonly type?: number;
  readonly group?: number;
  readonly callbackTs?: number;
  readonly info?: Readonly<Record<string, unknown>>;
}

/** An entry of user `u` into room 7, unless said otherwise. */
function bodyOf({ type = 103, group = 1, callbackTs = 1_800_000_000_000, info = {} }: Event = {}): string {
  return JSON.stringify({
    EventGroupId: group,
    EventType: type,
    CallbackTs: callbackTs,
    EventInfo: { RoomId: 7, UserId: 'u', EventMsTs: Date.now(), EventTs: 1, Role: 20, Reason: 1, ...info },
  });
}

async function post(body: string | Buffer, headers: Readonly<Record<string, string>> = {}) {
  const sign = signatureOf(VECTOR.key, Buffer.from(body));
  const response = await fetch(`http://127.0.0.1:${agent.ports.http}/v1/trtc/callback`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': 'application/json', SdkAppId: APP, Sign: sign, ...headers },
  });
  return { status: response.status, body: await response.json() };
}

async function results(): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${agent.ports.http}/metrics`)).text();
  const found = text.matchAll(/^roomwatch_agent_trtc_callbacks_total\{result="([^"]+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, result, n]) => [result, Number(n)]));
}

describe('a callback of a service that the token does not cover', () => {
  it('is refused for the vendor to send it again, and taken once the token covers it', async () => {
    expect((await post(bodyOf())).status).toBe(200);
    await waitFor('the welcome', () => agent.isConnected);
    agent.forbidden.replace(['acme']);
    const body = bodyOf({ info: { UserId: 'another' } });
    expect(await post(body)).toMatchObject({
      status: 503,
      body: { error: { code: 'CALLBACK_SERVICE_FORBIDDEN', message: expect.stringContaining('acme') } },
    });
    agent.forbidden.replace([]);
    expect((await post(body)).status).toBe(200);
    expect(await results()).toEqual({ entered: 2, CALLBACK_SERVICE_FORBIDDEN: 1 });
  });
});

describe('the signature', () => {
  it('is the one of the published vector', () => {
    expect(signatureOf(VECTOR.key, Buffer.from(VECTOR.body))).toBe(VECTOR.sign);
    const again = createHmac('sha256', VECTOR.key).update(VECTOR.body).digest('base64');
    expect(again).toBe(VECTOR.sign);
  });

  it('of the vector is taken, and the event, which is no entry, is passed over', async () => {
    expect(await post(VECTOR.body, { Sign: VECTOR.sign })).toEqual({ status: 200, body: { code: 0 } });
    expect(await results()).toEqual({ ignored: 1 });
  });

  it('fits no other body: one changed byte, anywhere, is refused', async () => {
    const bytes = Buffer.from(VECTOR.body);
    const change = fc.record({ at: fc.nat(bytes.length - 1), by: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at]! + by) % 256;
        expect(await post(changed, { Sign: VECTOR.sign })).toMatchObject({
          status: 401,
          body: { error: { code: 'CALLBACK_SIGN_WRONG', field: 'Sign' } },
        });
      }),
      { numRuns: 40 },
    );
    expect((await results()).CALLBACK_SIGN_WRONG).toBeGreaterThanOrEqual(40);
  });

  it.each([
    ['missing', { Sign: '' }, 401, 'CALLBACK_SIGN_MISSING'],
    ['of another length', { Sign: 'kkoF' }, 401, 'CALLBACK_SIGN_WRONG'],
    ['cut off', { Sign: VECTOR.sign.slice(0, -1) }, 401, 'CALLBACK_SIGN_WRONG'],
    ['of an unknown application', { SdkAppId: '1400000999' }, 403, 'CALLBACK_APP_UNKNOWN'],
    ['of no application', { SdkAppId: '' }, 403, 'CALLBACK_APP_UNKNOWN'],
  ])('that is %s is refused, and nothing is counted', async (_, headers, status, code) => {
    const answer = await post(bodyOf(), headers);
    expect(answer).toMatchObject({ status, body: { error: { code, message: expect.any(String) } } });
    expect(await results()).toEqual({ [code]: 1 });
    expect(agent.spool.services).toEqual([]);
  });
});

describe('POST /v1/trtc/callback', () => {
  it('counts entries that users asked for, returns from a time-out and exits, and both or neither end of a stay', async () => {
    const told: readonly Event[] = [
      ...[1, 2, 3, 4, undefined].map((Reason) => ({ info: { UserId: `in-${Reason}`, Reason } })),
      ...[1, 2, 3, 4, 5].map((Reason) => ({ type: 104, info: { UserId: `out-${Reason}`, Reason } })),
      ...[101, 102, 105].map((type) => ({ type })),
      { group: 2, type: 103 },
    ];
    for (const event of told) expect(await post(bodyOf(event))).toEqual({ status: 200, body: { code: 0 } });
    expect(await results()).toEqual({ entered: 1, returned: 1, left: 4, ignored: 8 });
    await waitFor('six callbacks', () => Object.values(peer.callbacks()).reduce((sum, n) => sum + n) === 6);
    expect(peer.callbacks()).toEqual({ entered: 1, returned: 1, left: 4 });
    expect(peer.totals()).toEqual({ ok: 0, failed: 0, lost: 0 });
  });

  it('counts what is sent again once, also when it is sent again after a restart', async () => {
    const info = { EventMsTs: Date.now() };
    await post(bodyOf({ info }));
    await post(bodyOf({ info, callbackTs: 1_800_000_010_000 }));
    expect(await results()).toEqual({ entered: 1, repeated: 1 });
    await agent.stop(100);
    agent = await start();
    expect(await post(bodyOf({ info }))).toEqual({ status: 200, body: { code: 0 } });
    expect(await results()).toEqual({ repeated: 1 });
    await post(bodyOf({ info: { EventMsTs: info.EventMsTs + 1 } }));
    await waitFor('two callbacks', () => peer.callbacks().entered === 2);
  });

  it('tells entries apart whose names are longer than any id', async () => {
    const info = { UserId: '用'.repeat(500), RoomId: 'r'.repeat(500) };
    const nowMs = Date.now();
    for (const EventMsTs of [nowMs, nowMs + 1, nowMs]) {
      expect(await post(bodyOf({ info: { ...info, EventMsTs } }))).toMatchObject({ status: 200 });
    }
    expect(await results()).toEqual({ entered: 2, repeated: 1 });
  });

  it.each([
    ['another room', { RoomId: 8 }],
    ['a room whose name is the same number as text', { RoomId: '7' }],
    ['another user', { UserId: 'v' }],
    ['another connection of an older set-up', { UniqueId: 99 }],
  ])('counts %s in the same millisecond as another entry', async (_, change) => {
    const info = { EventMsTs: Date.now() };
    await post(bodyOf({ info }));
    await post(bodyOf({ info: { ...info, ...change } }));
    expect(await results()).toEqual({ entered: 2 });
  });

  it('books a callback in the minute of the event, by seconds where that is all it says', async () => {
    const atMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
    await post(bodyOf({ info: { EventMsTs: atMs + 59_999 } }));
    await post(bodyOf({ info: { EventMsTs: undefined, EventTs: atMs / 1_000 + 60 } }));
    await waitFor('two callbacks', () => peer.callbacks().entered === 2);
    const cells = [...peer.books.values()].flat().flatMap((one) => (one.type === 'batch' ? one.cells : []));
    expect(cells.map((cell) => cell.minute * 60_000)).toEqual([atMs, atMs + 60_000]);
  });

  it('answers when the callback is on disk: an agent that dies with its answer has not lost it', async () => {
    await agent.stop(100);
    // Nobody listens there, so that only the next agent delivers.
    agent = await start({ server: 'ws://127.0.0.1:9' });
    const body = bodyOf();
    expect((await post(body)).status).toBe(200);
    const died = Snapshot.take(join(folder, 'spool'));
    await agent.stop(0);
    died.restore();
    agent = await start();
    await waitFor('the callback', () => peer.callbacks().entered === 1);
    expect((await post(body)).status).toBe(200);
    expect(await results()).toEqual({ repeated: 1 });
  });

  it('answers 503 when the disk refuses it, and counts it when it is sent again', async () => {
    await agent.stop(100);
    // What a journal row of an entry has and nothing else: the batch that each minute begins with must not meet it.
    const disk = new PoisonedDisk('"","",-2,"",1]');
    agent = await start({ disk });
    disk.failures = 2;
    const body = bodyOf();
    expect(await post(body)).toMatchObject({ status: 503, body: { error: { code: 'SPOOL_WRITE_FAILED' } } });
    expect((await post(body)).status).toBe(200);
    expect(await results()).toEqual({ SPOOL_WRITE_FAILED: 1, entered: 1 });
    await waitFor('the callback', () => peer.callbacks().entered === 1);
  });

  it.each([
    ['no JSON', '{"EventGroupId":1', 'CALLBACK_NOT_JSON', ''],
    ['no object', '[]', 'CALLBACK_INVALID', ''],
    ['without a type', '{"EventGroupId":1}', 'CALLBACK_INVALID', 'EventType'],
    ['an entry of nobody', bodyOf({ info: { UserId: undefined } }), 'CALLBACK_INVALID', 'EventInfo.UserId'],
    ['an entry into no room', bodyOf({ info: { RoomId: null } }), 'CALLBACK_INVALID', 'EventInfo.RoomId'],
    [
      'an entry at no time',
      bodyOf({ info: { EventMsTs: undefined, EventTs: undefined } }),
      'CALLBACK_INVALID',
      'EventInfo.EventMsTs',
    ],
    [
      'an entry at a time before all',
      bodyOf({ info: { EventMsTs: -1 } }),
      'CALLBACK_INVALID',
      'EventInfo.EventMsTs',
    ],
  ])('refuses a signed body that is %s', async (_, body, code, field) => {
    expect(await post(body)).toMatchObject({ status: 400, body: { error: { code, field } } });
  });

  it('takes a body of 64 KiB and refuses one byte more', async () => {
    const padded = (bytes: number) => {
      const body = bodyOf({ info: { note: '' } });
      return body.replace('"note":""', `"note":"${'x'.repeat(bytes - body.length)}"`);
    };
    expect((await post(padded(64 * 1024))).status).toBe(200);
    expect(await post(padded(64 * 1024 + 1))).toMatchObject({
      status: 413,
      body: { error: { code: 'BODY_TOO_LARGE' } },
    });
  });

  it('refuses other methods, and pages of browsers', async () => {
    const url = `http://127.0.0.1:${agent.ports.http}/v1/trtc/callback`;
    expect((await fetch(url)).status).toBe(405);
    expect(await post(bodyOf(), { Origin: 'https://elsewhere.example' })).toMatchObject({
      status: 403,
      body: { error: { code: 'ORIGIN_REFUSED' } },
    });
  });

  it('says what to configure where no application is', async () => {
    await agent.stop(100);
    agent = await start({ trtcCallbacks: [] });
    expect(await post(bodyOf())).toMatchObject({
      status: 404,
      body: { error: { code: 'CALLBACKS_NOT_CONFIGURED' } },
    });
  });

  it('refuses when the agent stops, and the vendor sends it again', async () => {
    const { port } = new URL(`http://127.0.0.1:${agent.ports.http}`);
    const body = Buffer.from(bodyOf());
    const answered = new Promise<number>((resolve, reject) => {
      const headers = { SdkAppId: APP, Sign: signatureOf(VECTOR.key, body), 'content-length': body.length };
      const sent = request({ port, method: 'POST', path: '/v1/trtc/callback', headers }, (response) => {
        resolve(response.statusCode ?? 0);
        response.resume();
      });
      sent.on('error', reject);
      sent.write(body.subarray(0, 10));
      // The rest comes when the spool is closed.
      void agent.spool.close().then(() => sent.end(body.subarray(10)));
    });
    expect(await answered).toBe(503);
  });
});

describe('the key', () => {
  it('is found anew when its file changes, without a restart', async () => {
    await agent.stop(100);
    const keyFile = join(folder, 'key');
    await writeFile(keyFile, 'formerKey\n');
    agent = await start({
      trtcCallbacks: [
        { sdkAppId: APP, service: 'acme', key: () => readCallbackKey({ sdkAppId: APP, keyFile }) },
      ],
    });
    expect((await post(bodyOf())).status).toBe(401);
    await writeFile(keyFile, `${VECTOR.key}\n`);
    await waitFor('the new key', async () => (await post(bodyOf())).status === 200);
  });

  it.each([
    [
      'has a file that is not there',
      { keyFile: '/nowhere/key' },
      'cannot be read from /nowhere/key (ENOENT)',
    ],
    ['is nowhere', {}, 'has no callback key; give trtcCallbacks a keyFile'],
    ['is longer than the vendor allows', { key: 'x'.repeat(33) }, 'is not 1 to 32 letters and digits'],
    ['has other characters', { key: 'abc def' }, 'is not 1 to 32 letters and digits'],
  ])('ends the start with what to do when it %s, and is not shown', async (_, places, message) => {
    await agent.stop(100);
    const key = () => readCallbackKey({ sdkAppId: APP, ...places });
    const failed = start({ trtcCallbacks: [{ sdkAppId: APP, service: 'acme', key }] });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.not.toThrow('abc def');
    // The spool was let go: the next start has it.
    agent = await start();
  });
});

describe('an event', () => {
  const measureOf = (type: number, Reason?: number) => {
    const event = readTrtcEvent(bodyOf({ type, info: { Reason } }), APP);
    return event.kind === 'counted' ? event.measure : event.kind;
  };

  it.each([
    ['an entry by the user', 103, 1, 'entered'],
    ['an entry on another network, which no exit went before', 103, 2, 'ignored'],
    ['an entry after a time-out', 103, 3, 'returned'],
    ['an entry from another room', 103, 4, 'ignored'],
    ['an entry for a reason not known yet', 103, 5, 'ignored'],
    ['an entry for no reason', 103, undefined, 'ignored'],
    ['an exit by the user', 104, 1, 'left'],
    ['an exit by a time-out', 104, 2, 'left'],
    ['an exit of a user who was removed', 104, 3, 'left'],
    ['an exit from another room, whose entry was passed over', 104, 4, 'ignored'],
    ['an exit of a user who was killed', 104, 5, 'left'],
    ['an exit for a reason not known yet', 104, 6, 'left'],
    ['an exit for no reason', 104, undefined, 'left'],
  ])('that is %s is read by its reason', (_, type, reason, expected) => {
    expect(measureOf(type, reason)).toBe(expected);
  });

  it('of every stay changes the number of users by nothing, whichever way it began and ended', () => {
    // What the vendor tells of one stay: how it begins, what happens while it lasts, how it ends.
    const change = { entered: 1, returned: 1, left: -1, ignored: 0, fault: Number.NaN };
    const timedOutAndBack = [
      [104, 2],
      [103, 3],
    ] as const;
    const during = fc.array(fc.constantFrom([], [[103, 2]] as const, timedOutAndBack), { maxLength: 5 });
    const stay = fc.oneof(
      fc
        .tuple(during, fc.constantFrom(1, 2, 3, 5))
        .map(([events, end]) => [[103, 1], ...events.flat(), [104, end]] as const),
      fc.constant([
        [103, 4],
        [104, 4],
      ] as const),
    );
    fc.assert(
      fc.property(stay, (events) => {
        const changes = events.map(([type, reason]) => change[measureOf(type, reason)]);
        expect(changes.reduce((sum, n) => sum + n, 0)).toBe(0);
      }),
    );
  });

  it('is told from every other by what the vendor says of it, and only by that', () => {
    const info = fc.record({
      RoomId: fc.oneof(fc.nat(3), fc.constantFrom('0', '1', 'a","b')),
      UserId: fc.constantFrom('', 'a', 'a","b', '1'),
      EventMsTs: fc.nat(3),
    });
    const idOf = (given: object, callbackTs: number) => {
      const event = readTrtcEvent(bodyOf({ info: given as Event['info'] & object, callbackTs }), APP);
      if (event.kind !== 'counted') throw new Error(event.kind);
      return event.id;
    };
    fc.assert(
      fc.property(info, info, fc.nat(), (one, other, callbackTs) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(idOf(one, callbackTs) === idOf(other, 0)).toBe(isSame);
      }),
    );
  });
});
