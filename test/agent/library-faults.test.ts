import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, createAgent, type LibraryOptions, type OutcomeReport } from '../../agent/index.ts';
import { type Disk, realDisk } from '../../agent/spool/disk.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let agent: Agent;
let unhandled: unknown[];
const see = (reason: unknown) => void unhandled.push(reason);

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
  unhandled = [];
  process.on('unhandledRejection', see);
});

afterEach(async () => {
  await agent.close();
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
  process.off('unhandledRejection', see);
  expect(unhandled).toEqual([]);
});

function create(options: Partial<LibraryOptions> = {}): void {
  const spoolDirectory = join(folder, 'spool');
  agent = createAgent({ services: ['acme'], server: peer.url, token: 'token', spoolDirectory, ...options });
}

/** Not what the types say, as it comes from JavaScript. */
const record = (outcome: unknown) => agent.record(outcome as OutcomeReport);
const ids = (n: number) => Array.from({ length: n }, (_, i) => ({ result: 'ok', id: `id-${i}` }));
const counted = (n: number) =>
  waitFor(`${n} outcomes`, async () => (await agent.flush(500)) && peer.totals().ok === n);

describe('createAgent', () => {
  /** Not what the types say, as it comes from JavaScript. */
  const creating = (options: unknown) => () => createAgent(options as LibraryOptions);

  it.each([
    ['nothing', undefined, "the options are missing; write an object such as { services: ['acme'] }"],
    ['no services', {}, 'services is missing; give it'],
    ['a text of services', { services: 'acme' }, 'services is "acme"; write a list, in brackets'],
    ['a name that is none', { services: ['a b'] }, 'services[0] is "a b"; a service is 1 to 64 letters'],
    [
      'a server without its scheme',
      { services: ['acme'], server: '127.0.0.1:9470' },
      'server is "127.0.0.1:9470"; write a URL such as ws://127.0.0.1:9470',
    ],
    [
      'a slip',
      { services: [], service: 'acme' },
      'service is not a known key; delete it or correct its name',
    ],
    ['an empty token', { services: [], token: '' }, 'token is empty; write it, or leave it out'],
    ['a token that is none', { services: [], token: 12345 }, 'token is not what it must be; write a text'],
    ['an empty directory', { services: [], spoolDirectory: '' }, 'spoolDirectory is empty; write it'],
    [
      'a wrong default',
      { services: [], agent: { defaultService: 'a b' } },
      'agent.defaultService is "a b"; a service is',
    ],
  ])('refuses %s with a sentence that names the field, its value and the fix', (_, options, sentence) => {
    create();
    expect(creating(options)).toThrow(`AGENT_OPTIONS_INVALID: ${sentence}`);
    expect(creating(options)).toThrow(expect.objectContaining({ code: 'AGENT_OPTIONS_INVALID' }));
    expect(creating(options)).not.toThrow(/12345/);
  });

  it('names all faults at once', () => {
    create();
    expect(creating({ services: ['-'], server: 'http://x' })).toThrow(
      /services\[0\] is "-".*server is "http:/,
    );
  });
});

describe('record', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'ok'],
    ['a number', 7],
    ['a function', () => {}],
    ['an array', [{ result: 'ok' }]],
    ['an empty object', {}],
    ['fields of other types', { result: ['ok'], at: {}, count: 'many', id: 5, platform: null, code: {} }],
    ['times that are none', { result: 'ok', at: Number.NaN }],
    ['counts beyond the bound', { result: 'ok', count: 1e9 }],
    ['a service that is none', { result: 'ok', service: '../../etc' }],
    ['a symbol and a big integer', { result: Symbol('ok'), code: 5n }],
    ['an object without a prototype', Object.assign(Object.create(null), { result: 'maybe' })],
  ])('takes %s without throwing, and loses nothing else for it', async (_, bad) => {
    create();
    record({ result: 'ok' });
    expect(() => record(bad)).not.toThrow();
    record({ result: 'ok', id: 'b' });
    await counted(2);
  });

  it('does not pass on what a getter or a proxy throws, and counts the report as dropped', async () => {
    create();
    const trap = () => {
      throw new Error('the application is at fault');
    };
    const reports = [
      Object.defineProperty({}, 'result', { get: trap, enumerable: true }),
      Object.defineProperty({ result: 'ok' }, 'at', { get: trap, enumerable: true }),
      Object.defineProperty({ result: 'ok' }, 'id', { get: trap, enumerable: true }),
      new Proxy({ result: 'ok' }, { get: trap, ownKeys: trap, has: trap }),
    ];
    for (const report of reports) expect(() => record(report)).not.toThrow();
    record({ result: 'ok' });
    await counted(1);
    expect(agent.dropped).toBe(reports.length);
  });

  it('takes a report as it was when it was made, whatever becomes of it', async () => {
    create();
    const report = { result: 'ok', id: 'one', count: 1 };
    record(report);
    report.count = 1_000;
    report.result = 'failed';
    await counted(1);
    expect(peer.totals().failed).toBe(0);
  });

  it('counts an id once, whether it came before the agent had started or later', async () => {
    create();
    record({ result: 'ok', id: 'one' });
    await counted(1);
    for (const id of ['one', 'two', 'two', 'zürich']) record({ result: 'ok', id, at: new Date() });
    record({ result: 'ok', id: 'three', at: new Date().toISOString(), count: 10 });
    await counted(13);
    expect(agent.dropped + agent.rejected).toBe(0);
  });

  it('does not pass on what the application’s log throws', async () => {
    const fail = () => {
      throw new Error('the log is at fault');
    };
    create({ log: { debug: fail, info: fail, warn: fail, error: fail } });
    record({ result: 'maybe' });
    record({ result: 'ok' });
    await counted(1);
    await agent.close();
    expect(() => record({ result: 'ok' })).not.toThrow();
    expect(agent.dropped).toBe(1);
  });
});

describe('a disk that is full', () => {
  it('holds reports in memory, drops and counts what is beyond the buffer, and delivers the rest', async () => {
    let freeBytes = 0;
    const disk: Disk = { ...realDisk, space: async () => ({ freeBytes, totalBytes: 1e12 }) };
    create({ agent: { disk } });
    // The spool must have found out, or it still takes what comes at once.
    await waitFor('the spool to refuse', async () => {
      record({ result: 'ok', id: 'same' });
      return !(await agent.flush(200));
    });
    const before = agent.dropped;
    const reports = 2 ** 18 + 100;
    for (const report of ids(reports)) record(report);
    expect(agent.dropped - before).toBeGreaterThanOrEqual(100);
    const kept = reports - (agent.dropped - before);
    freeBytes = 1e12;
    await waitFor('the rest', async () => (await agent.flush(1_000)) && peer.totals().ok >= kept);
    // And the one that was counted on the way to fullness, whichever it was.
    expect(peer.totals().ok).toBe(kept + 1);
  });

  it.each([
    ['before the agent has started', 0],
    ['once it runs', 1],
  ])('while it is written %s is tried again, and each report counts once', async (_, first) => {
    let failures = first === 0 ? 4 : 0;
    const disk: Disk = {
      ...realDisk,
      create: async (path) => {
        const file = await realDisk.create(path);
        return {
          write: async (bytes) => {
            if (path.includes('intake') && failures-- > 0)
              throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
            await file.write(bytes);
          },
          datasync: () => file.datasync(),
          close: () => file.close(),
        };
      },
    };
    create({ agent: { disk } });
    if (first > 0) {
      record({ result: 'ok', id: 'id-0' });
      await counted(1);
      failures = 4;
    }
    // Enough for several portions, of which one hears of the other's failure.
    for (const report of ids(70_000)) record(report);
    for (let i = 0; i < 300; i++) record({ result: 'ok' });
    await counted(70_300);
    expect(failures).toBeLessThanOrEqual(0);
    expect(agent.dropped).toBe(0);
  });
});

describe('a directory that cannot be written', () => {
  it('is tried again until it can be', async () => {
    const blocked = join(folder, 'blocked');
    await writeFile(blocked, 'a file where a folder should be');
    create({ spoolDirectory: join(blocked, 'spool') });
    record({ result: 'ok' });
    expect(await agent.flush(300)).toBe(false);
    await rm(blocked);
    await counted(1);
  });

  it('does not hold up close, which counts what is lost with the process', async () => {
    const blocked = join(folder, 'blocked');
    await writeFile(blocked, 'a file where a folder should be');
    create({ spoolDirectory: join(blocked, 'spool') });
    for (const report of ids(3)) record(report);
    const startedAtMs = performance.now();
    await agent.close();
    expect(performance.now() - startedAtMs).toBeLessThan(9_000);
    expect(agent.dropped).toBe(3);
  });
});

describe('close', () => {
  it('during record loses nothing silently: each report is counted or dropped', async () => {
    create();
    let recorded = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++) {
        record({ result: 'ok', ...(i % 2 === 0 ? { id: `id-${recorded}` } : {}) });
        recorded += 1;
      }
    }, 1);
    await waitFor('some to be counted', () => peer.totals().ok > 100);
    await agent.close();
    clearInterval(timer);
    expect(peer.totals().ok + agent.dropped).toBe(recorded);
    expect(agent.dropped).toBeGreaterThanOrEqual(0);
  });

  it('twice, at once and after one another, is the same as once', async () => {
    create();
    record({ result: 'ok' });
    await Promise.all([agent.close(), agent.close()]);
    await agent.close();
    expect(peer.totals().ok).toBe(1);
  });

  it('at once after createAgent lets go of the directory', async () => {
    create();
    await agent.close();
    create();
    record({ result: 'ok' });
    await counted(1);
  });

  it('leaves record and flush harmless', async () => {
    create();
    await agent.close();
    expect(() => record({ result: 'ok' })).not.toThrow();
    await expect(agent.flush(200)).resolves.toBeDefined();
    expect(agent.dropped).toBe(1);
  });
});
