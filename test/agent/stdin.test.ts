import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { readOutcomeStream } from '../../agent/intake/stdin.ts';
import { silentLog } from '../../agent/log.ts';
import { LIMITS } from '../../protocol/limits.ts';
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
    disk,
  });
});

afterEach(async () => {
  await agent.stop(100);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

function read(input: AsyncIterable<Buffer | string>) {
  const { receiver, spool, metrics } = agent;
  const { signal } = new AbortController();
  return readOutcomeStream(input, { receiver, spool, metrics, clock: systemClock, log: silentLog, signal });
}

/** So many different records that they need several commit groups. */
const distinct = Array.from({ length: 1_500 }, (_, code) => JSON.stringify({ result: 'failed', code }));
const poison = JSON.stringify({ result: 'failed', platform: 'poison' });

describe('outcomes from a stream', () => {
  it('count once each when the disk takes some of their commit groups and refuses others', async () => {
    const input = new PassThrough();
    disk.failures = 2;
    input.end([...distinct, poison, ''].join('\n'));
    expect(await read(input)).toMatchObject({ lines: 1_501, rejected: 0 });
    expect(disk.failures).toBe(0);
    // Not those a second time that were taken again.
    expect(agent.metrics.total('outcomesAccepted')).toBe(1_501);
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals()).toEqual({ ok: 0, failed: 1_501, lost: 0 });
  });

  it('with ids count once each when the disk takes the first of them and refuses the others', async () => {
    const withIds = Array.from({ length: 30_000 }, (_, n) => `{"result":"failed","id":"${n}"}`);
    withIds.push('{"result":"failed","platform":"poison","id":"last"}');
    const input = new PassThrough();
    disk.failures = 2;
    const reading = read(input);
    // At once, so that they are one portion.
    input.end(withIds.join('\n'));
    await reading;
    expect(disk.failures).toBe(0);
    expect(agent.metrics.total('outcomesAccepted')).toBe(30_001);
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals()).toEqual({ ok: 0, failed: 30_001, lost: 0 });
  });

  it('count once for each id, the first line of it, whether it is read at byte level or in full', async () => {
    const input = new PassThrough();
    const at = new Date().toISOString();
    const lines = [
      `{"at":"${at}","result":"ok","id":"a","count":5}`,
      `{"at":"${at}","result":"\\u006fk","id":"a","count":70}`,
      `{"at":"${at}","result":"\\u006fk","id":"b","count":100}`,
      `{"at":"${at}","result":"ok","id":"b","count":2000}`,
      `{"at":"${at}","result":"ok","id":"b","service":"globex","count":30000}`,
    ];
    input.end(lines.join('\n'));
    expect(await read(input)).toEqual({ lines: 5, rejected: 0, endedInLine: true });
    // And what came another way with the same id.
    expect(agent.receiver.receive({ result: 'ok', id: 'a' }, 'http').status).toBe('repeated');
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().ok).toBe(30_105);
  });

  it('are refused line by line, each with its number, and the others count', async () => {
    const said: object[] = [];
    const log = { ...silentLog, warn: (fields: object) => void said.push(fields) };
    const { receiver, spool, metrics } = agent;
    const { signal } = new AbortController();
    const good = `{"at":${Date.now()},"result":"ok"}`;
    const text = [
      good,
      '{"result":"maybe"}',
      '',
      good,
      'x'.repeat(70_000),
      good,
      '{"service":"no name!","result":"ok"}',
      '',
    ];
    const options = { receiver, spool, metrics, clock: systemClock, log, signal };
    // The long line comes in a piece of its own, so that its end is not seen with its beginning.
    const [before = '', long = '', after = ''] = text.join('\n').split(/(x{70000})/);
    const input = PassThrough.from([before, long, after]);
    expect(await readOutcomeStream(input, options)).toEqual({ lines: 7, rejected: 3, endedInLine: false });
    expect(said).toMatchObject([{ place: 'line 2' }, { place: 'line 5' }, { place: 'line 7' }]);
    await spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().ok).toBe(3);
  });

  it('of a service for which there is no place are refused line by line, whatever they count', async () => {
    for (let i = 1; i < LIMITS.servicesPerAgent; i += 1) agent.spool.admits(`service-${i}`);
    const line = `{"at":${Date.now()},"result":"ok","service":"one-more","count":500}\n`;
    const input = PassThrough.from([line.repeat(1_000)]);
    expect(await read(input)).toEqual({ lines: 1_000, rejected: 1_000, endedInLine: false });
    expect(agent.metrics.render()).toContain(
      'outcomes_rejected_total{code="OUTCOME_TOO_MANY_SERVICES"} 1000\n',
    );
  });

  it('of a service that the token does not cover are refused line by line, and others taken', async () => {
    await waitFor('the welcome', () => agent.isConnected);
    agent.forbidden.replace(['acne']);
    const lines = ['acne', 'acme', 'acne'].flatMap((service) => [
      JSON.stringify({ at: Date.now(), result: 'ok', service, count: 500 }),
      JSON.stringify({ at: Date.now(), result: 'ok', service, id: `${service}-1` }),
    ]);
    const input = PassThrough.from([`${lines.join('\n')}\n`]);
    expect(await read(input)).toMatchObject({ lines: 6, rejected: 4 });
    expect(agent.metrics.render()).toContain('outcomes_rejected_total{code="OUTCOME_SERVICE_FORBIDDEN"} 4\n');
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().ok).toBe(501);
  });

  it('are refused when they are not UTF-8, so that no two ids become one; a byte order mark is passed over', async () => {
    const said: object[] = [];
    const log = { ...silentLog, warn: (fields: object) => void said.push(fields) };
    const { receiver, spool, metrics } = agent;
    const { signal } = new AbortController();
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    const input = PassThrough.from([
      Buffer.from('\uFEFF{"result":"ok"}\n'),
      latin1('{"result":"ok","id":"\xe9"}\n{"result":"ok","id":"\xe8"}\n'),
      Buffer.from('{"result":"ok","id":"é"}\n'),
    ]);
    const options = { receiver, spool, metrics, clock: systemClock, log, signal };
    expect(await readOutcomeStream(input, options)).toEqual({ lines: 4, rejected: 2, endedInLine: false });
    const fault = { code: 'OUTCOME_NOT_JSON', message: expect.stringMatching(/not UTF-8/) };
    expect(said).toMatchObject([
      { place: 'line 2', ...fault },
      { place: 'line 3', ...fault },
    ]);
    expect(agent.metrics.total('outcomesRejected')).toBe(2);
    await spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().ok).toBe(2);
  });

  it('that are given up are all named, those under way and those not yet handed over', async () => {
    const { receiver, spool, metrics } = agent;
    const giveUp = new AbortController();
    disk.failures = Number.POSITIVE_INFINITY;
    const input = PassThrough.from(Array.from({ length: 6 }, () => `${`${poison}\n`.repeat(10_000)}`));
    const reading = readOutcomeStream(input, {
      receiver,
      spool,
      metrics,
      clock: systemClock,
      log: { ...silentLog, error: () => giveUp.abort() },
      signal: giveUp.signal,
    });
    await expect(reading).rejects.toThrow(/stopped with up to [3-6]0000 lines/);
    disk.failures = 0;
  });

  it('are taken as far as they were read when the stream breaks off before its portion is full', async () => {
    async function* broken() {
      yield `${distinct[0]}\n${distinct[1]}\n{"result":`;
      throw new Error('the pipe is broken');
    }
    await expect(read(broken())).rejects.toThrow('the pipe is broken');
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().failed).toBe(2);
  });

  it('do not end the process when the stream breaks off while they are written', async () => {
    const unseen: unknown[] = [];
    const see = (reason: unknown) => void unseen.push(reason);
    process.on('unhandledRejection', see);
    // A full portion is written without another look at the stream.
    const chunks = [`${poison}\n`.repeat(10_000)];
    const broken: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          const value = chunks.shift();
          if (value !== undefined) return Promise.resolve({ done: false, value });
          return new Promise((_, reject) => {
            disk.onWrite = () => reject(new Error('the pipe is broken'));
          });
        },
      }),
    };
    await expect(read(broken)).rejects.toThrow('the pipe is broken');
    process.off('unhandledRejection', see);
    expect(unseen).toEqual([]);
    await agent.spool.seal();
    expect(await agent.flush(5_000)).toBe(true);
    expect(peer.totals().failed).toBe(10_000);
  });
});
