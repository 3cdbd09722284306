import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import { afterEach, describe, expect, it } from 'vitest';
import { openLmdbStore } from '../../../server/store/lmdb/lmdb-store.ts';
import { TRANSACTION_BOUNDS } from '../../../server/store/lmdb/transactions.ts';
import { StoreUnavailable } from '../../../server/store/store.ts';
import { attemptsIn, attemptsOf, deltaOf, move, NOW_MINUTE, NOW_MS } from '../../contract/deltas.ts';
import { seededRandom } from '../../support/random.ts';
import { waitFor } from '../../support/wait-for.ts';

const CHILD = fileURLToPath(new URL('../../../dist/test/support/lmdb-child.js', import.meta.url));

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function directoryOf(suffix = ''): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'roomwatch-lmdb-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  return join(directory, `books${suffix}`);
}

interface Child {
  readonly process: ChildProcessWithoutNullStreams;
  readonly lines: string[];
  ended(): Promise<unknown>;
}

function startChild(...args: string[]): Child {
  return watch(spawn(process.execPath, [CHILD, ...args]));
}

/** As `startChild`, on a disk that takes no file beyond `kib`, until `prlimit` lifts it. */
function startChildOnSmallDisk(kib: number, ...args: string[]): Child {
  return watch(
    spawn('bash', ['-c', `ulimit -S -f ${kib}; exec "$@"`, 'bash', process.execPath, CHILD, ...args]),
  );
}

function watch(child: ChildProcessWithoutNullStreams): Child {
  const lines: string[] = [];
  const exit = once(child, 'exit');
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (data) => lines.push(`stderr: ${data}`));
  const ended = async () => {
    child.kill('SIGKILL');
    await exit;
  };
  undo.push(ended);
  return { process: child, lines, ended };
}

/** The last seq that a writer said was on the disk, by service. */
function acknowledgedBy(lines: readonly string[]): Map<string, number> {
  const said = lines.map((line) => line.split(' ')).filter(([word]) => word === 'acknowledged');
  return new Map(said.map(([, service = '', seq]) => [service, Number(seq)]));
}

/** Each service holds one attempt for each batch up to its cursor, and its cursor is not behind what was said. */
async function expectExact(directory: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const store = await openLmdbStore({ directory });
  undo.push(() => store.close());
  const services = await store.facts.services();
  const { cursors } = await store.facts.openEpoch({ producerId: 'p', services, nowMs: NOW_MS });
  for (const [service, seq] of acknowledged) {
    const { tallies } = await store.facts.readMinutes(service, NOW_MINUTE - 480_000, NOW_MINUTE + 960);
    const counted = tallies.reduce((sum, n) => sum + n, 0);
    expect(counted).toBe(cursors.get(service)?.seq);
    expect(counted).toBeGreaterThanOrEqual(seq);
  }
  expect(services).toHaveLength(acknowledged.size);
}

describe('a data directory', () => {
  it('belongs to one store in a process, and is free again when that is closed', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    await expect(openLmdbStore({ directory })).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_IN_USE',
        message: expect.stringMatching(new RegExp(`process ${process.pid} .*${directory}; stop it, or give`)),
      }),
    );
    expect(await store.facts.apply(deltaOf('acme', [move('p', 0)]), NOW_MS)).toEqual({
      status: 'applied',
      saturated: 0,
    });
    await store.close();
    await (await openLmdbStore({ directory })).close();
  });

  it('is refused to a second process, and free at once when its owner was killed', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    const refused = startChild('write', directory);
    await waitFor('the refusal', () => refused.lines.includes('refused STORE_IN_USE'));
    await store.close();
    const owner = startChild('write', directory);
    await waitFor('the owner', () => owner.lines.includes('open'));
    await expect(openLmdbStore({ directory })).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_IN_USE' }),
    );
    await owner.ended();
    const startedAtMs = performance.now();
    await (await openLmdbStore({ directory })).close();
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  it('may have a dot in its name, and is made with its parents', async () => {
    const directory = join(await directoryOf('.v1'), 'deep', 'data.d');
    const store = await openLmdbStore({ directory });
    await store.ping();
    await store.close();
  });

  it('that is a file is refused with the reason', async () => {
    const directory = await directoryOf();
    await writeFile(directory, '');
    await expect(openLmdbStore({ directory })).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_UNSUITABLE',
        message: expect.stringMatching(/EEXIST.*give this user/),
      }),
    );
  });

  it('with an empty file for its books is a new one', async () => {
    const directory = await directoryOf();
    await mkdir(directory);
    await writeFile(join(directory, 'roomwatch.mdb'), '');
    await (await openLmdbStore({ directory })).close();
  });

  it('whose books are something else, or were cut short, is refused and left as it is', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    for (let i = 0; i < 40; i += 1) {
      const tallies = new Map(
        Array.from({ length: 500 }, (_, k) => [NOW_MINUTE - k * 480, [70_000, 9, 9, 9, 9]]),
      );
      await store.facts.apply(deltaOf(`filler-${i}`, [move('p', 0)], { tallies }), NOW_MS);
    }
    await store.close();
    const path = join(directory, 'roomwatch.mdb');
    const whole = await readFile(path);
    const others = [
      Buffer.from('hello'),
      Buffer.alloc(20_000, 'x'),
      Buffer.alloc(20_000),
      ...[100, 4_096, 8_192, whole.length / 2].map((bytes) => whole.subarray(0, bytes)),
    ];
    for (const bytes of others) {
      await writeFile(path, bytes);
      for (const readOnly of [false, true])
        await expect(openLmdbStore({ directory, readOnly })).rejects.toThrow(
          expect.objectContaining({
            code: 'STORE_DAMAGED',
            message: expect.stringContaining('restore it from a backup'),
          }),
        );
      expect((await readFile(path)).equals(bytes)).toBe(true);
    }
    await writeFile(path, whole);
    const restored = await openLmdbStore({ directory });
    expect(await attemptsOf(restored, 'filler-39', NOW_MINUTE)).toBe(70_000);
    await restored.close();
  });

  const ownerElsewhere = async (directory: string, touchedAgoMs: number) => {
    await (await openLmdbStore({ directory })).close();
    const raw = open<Buffer, Buffer>({
      path: join(directory, 'roomwatch.mdb'),
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
    });
    const meta = raw.openDB<Buffer, Buffer>({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' });
    const record = {
      pid: 1,
      startTicks: '1',
      bootId: 'other',
      pidNamespace: 'other',
      host: 'pod-2',
      token: 'theirs',
    };
    await meta.put(Buffer.from('owner'), Buffer.from(JSON.stringify(record)));
    await raw.close();
    const touch = async (agoMs: number) => {
      const at = new Date(Date.now() - agoMs);
      await utimes(join(directory, 'owner'), at, at);
    };
    await touch(touchedAgoMs);
    return touch;
  };

  it('of a container that is gone is taken over once its mark is stale', async () => {
    const directory = await directoryOf();
    await ownerElsewhere(directory, 9_000);
    const startedAtMs = performance.now();
    const store = await openLmdbStore({ directory });
    expect(performance.now() - startedAtMs).toBeGreaterThan(500);
    await store.ping();
    await store.close();
  });

  it('of a container that lives is refused', async () => {
    const directory = await directoryOf();
    const touch = await ownerElsewhere(directory, 3_000);
    const opening = openLmdbStore({ directory });
    await touch(0);
    await expect(opening).rejects.toThrow(/process 1 on pod-2 uses/);
  });

  it('that was taken over refuses every write of its former owner', async () => {
    const directory = await directoryOf();
    const child = startChild('write', directory);
    await waitFor('the owner', () => child.lines.includes('open'));
    const raw = open<Buffer, Buffer>({
      path: join(directory, 'roomwatch.mdb'),
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
    });
    const meta = raw.openDB<Buffer, Buffer>({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' });
    await meta.put(
      Buffer.from('owner'),
      Buffer.from(JSON.stringify({ pid: 1, host: 'pod-2', token: 'theirs' })),
    );
    await raw.close();
    await waitFor('the former owner to be refused', () => child.lines.includes('refused STORE_IN_USE'));
  });
});

describe('a store that is killed', () => {
  it('keeps every acknowledged batch, once, through kill -9', { timeout: 60_000 }, async () => {
    const directory = await directoryOf();
    const random = seededRandom(3);
    const acknowledged = new Map<string, number>();
    for (let kill = 0; kill < 8; kill += 1) {
      const child = startChild('write', directory, '6');
      await waitFor('the first batches', () => child.lines.length > 10);
      await sleep(random.integer(0, 60));
      await child.ended();
      expect(child.lines.filter((line) => !/^(open|acknowledged)/.test(line))).toEqual([]);
      for (const [service, seq] of acknowledgedBy(child.lines)) acknowledged.set(service, seq);
    }
    expect(acknowledged.size).toBe(6);
    await expectExact(directory, acknowledged);
  });
});

describe('a store whose disk is full', () => {
  it('says so, loses and doubles nothing, and goes on when there is room', { timeout: 60_000 }, async () => {
    const directory = await directoryOf();
    const child = startChildOnSmallDisk(600, 'spread', directory, '10');
    await waitFor('the full disk', () => child.lines.includes('unavailable'));
    const { size } = acknowledgedBy(child.lines);
    const before = child.lines.length;
    await promisify(execFile)('prlimit', ['--pid', String(child.process.pid), '--fsize=unlimited']);
    const isAcknowledged = (line: string) => line.startsWith('acknowledged');
    await waitFor('room', () => child.lines.slice(before).filter(isAcknowledged).length > 200);
    await child.ended();
    expect(size).toBe(10);
    await expectExact(directory, acknowledgedBy(child.lines));
  });
});

describe('a store opened for reading', () => {
  it('sees what the daemon beside it writes, also while the file grows', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    undo.push(() => store.close());
    await store.facts.apply(deltaOf('service-0', [move('p', 0)], attemptsIn(NOW_MINUTE, 3)), NOW_MS);
    const reader = startChild('read', directory);
    await waitFor('the reader', () => reader.lines.includes('open'));
    const ask = () => reader.process.stdin.write('\n');
    ask();
    await waitFor('the first reading', () => reader.lines.includes('attempts 3'));
    for (let i = 0; i < 300; i += 1) {
      const tallies = new Map(
        Array.from({ length: 200 }, (_, k) => [NOW_MINUTE - k * 480, [70_000 + i, 9, 9, 9, 9]]),
      );
      await store.facts.apply(deltaOf(`filler-${i}`, [move('p', 0)], { tallies }), NOW_MS);
    }
    await store.facts.apply(deltaOf('service-0', [move('p', 1)], attemptsIn(NOW_MINUTE + 1, 4)), NOW_MS);
    ask();
    await waitFor('the second reading', () => reader.lines.includes('attempts 7'));
  });

  it('reads books that were made before there were callbacks', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    await store.facts.apply(deltaOf('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 3)), NOW_MS);
    await store.close();
    const root = open({ path: join(directory, 'roomwatch.mdb'), noSubdir: true, maxDbs: 16 });
    root.openDB({ name: 'callbacks' }).dropSync();
    await root.close();
    const reader = await openLmdbStore({ directory, readOnly: true });
    undo.push(() => reader.close());
    expect(await attemptsOf(reader, 'acme', NOW_MINUTE)).toBe(3);
  });

  it('refuses to write, and to open where there are no books', async () => {
    const directory = await directoryOf();
    await expect(openLmdbStore({ directory, readOnly: true })).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_MISSING',
        message: expect.stringContaining('correct store.directory'),
      }),
    );
    const child = startChild('write', directory);
    await waitFor('some books', () => child.lines.some((line) => line.startsWith('acknowledged')));
    const store = await openLmdbStore({ directory, readOnly: true });
    undo.push(() => store.close());
    expect(await store.facts.services()).toEqual(['service-0']);
    const writes = [
      () => store.facts.apply(deltaOf('acme', [move('p', 0)]), NOW_MS),
      () => store.facts.openEpoch({ producerId: 'p', services: [], nowMs: NOW_MS }),
      () => store.journal.append('t', 1),
      () => store.ledger.commit({ service: 'acme', expectedVersion: 0, state: 1, entries: [] }),
      () => store.ping(),
    ];
    for (const write of writes)
      await expect(write()).rejects.toThrow(expect.objectContaining({ code: 'STORE_READ_ONLY' }));
  });
});

describe('an open store', () => {
  it('rejects every call with StoreUnavailable once it is closed, and keeps what it had taken', async () => {
    const directory = await directoryOf();
    const store = await openLmdbStore({ directory });
    const taken = store.facts.apply(deltaOf('acme', [move('p', 0)], attemptsIn(NOW_MINUTE, 1)), NOW_MS);
    await store.close();
    expect(await taken).toEqual({ status: 'applied', saturated: 0 });
    const calls = [
      () => store.facts.apply(deltaOf('acme', [move('p', 1)]), NOW_MS),
      () => store.facts.services(),
      () => store.facts.readMinutes('acme', NOW_MINUTE, NOW_MINUTE + 5),
      () => store.facts.revisions('acme'),
      () => store.facts.origins('acme', NOW_MINUTE, NOW_MINUTE + 5),
      () => store.journal.read('t'),
      () => store.ledger.load('acme'),
      () => store.ledger.backlog('acme'),
      () => store.storeId(),
      () => store.ping(),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(StoreUnavailable);
    const again = await openLmdbStore({ directory });
    expect(await attemptsOf(again, 'acme', NOW_MINUTE)).toBe(1);
    await again.close();
  });

  it('refuses writes beyond its bound at once, and does those before', async () => {
    const store = await openLmdbStore({ directory: await directoryOf(), commandTimeoutMs: 20_000 });
    undo.push(() => store.close());
    const waiting = Array.from({ length: TRANSACTION_BOUNDS.callsWaiting }, () => store.ping());
    await expect(store.ping()).rejects.toThrow(/20000 calls wait/);
    await Promise.all(waiting);
    await store.ping();
  });

  it('drops pages, revisions and cursors that are past the retention', async () => {
    const store = await openLmdbStore({ directory: await directoryOf(), retentionDays: 30 });
    undo.push(() => store.close());
    const later = (days: number) => NOW_MINUTE + days * 1_440;
    const apply = (days: number, producerId: string) =>
      store.facts.apply(
        deltaOf('acme', [move(producerId, 0)], {
          ...attemptsIn(later(days), 1),
          callbacks: new Map([[later(days), [0, 0, 1]]]),
        }),
        later(days) * 60_000,
      );
    const hasCallbacks = async (days: number) => {
      const { callbacks } = await store.facts.readMinutes('acme', later(days), later(days) + 5);
      return callbacks !== undefined;
    };
    await apply(0, 'first');
    await apply(1, 'edge');
    await apply(30, 'second');
    expect(await attemptsOf(store, 'acme', later(0))).toBe(1);
    expect(await hasCallbacks(0)).toBe(true);
    await apply(31, 'third');
    expect(await attemptsOf(store, 'acme', later(0))).toBe(0);
    expect([await hasCallbacks(0), await hasCallbacks(1)]).toEqual([false, true]);
    expect(await attemptsOf(store, 'acme', later(1))).toBe(1);
    expect(await attemptsOf(store, 'acme', later(30))).toBe(1);
    expect([...(await store.facts.revisions('acme')).keys()]).toEqual(
      [1, 30, 31].map((days) => later(days) / 480),
    );
    const gone = await store.facts.apply(deltaOf('acme', [move('first', 1)]), later(31) * 60_000);
    expect(gone).toEqual({ status: 'moved', cursors: new Map([['first', { seq: 0, digest: '' }]]) });
  });

  it('drops hours of origins six hours after their end', async () => {
    const store = await openLmdbStore({ directory: await directoryOf() });
    undo.push(() => store.close());
    const origin = { slotMinute: NOW_MINUTE, region: 'r', platform: '', cause: 'unknown', code: '' };
    await store.facts.apply(deltaOf('acme', [move('p', 0)], { origins: [{ origin, n: 1 }] }), NOW_MS);
    const read = () => store.facts.origins('acme', NOW_MINUTE, NOW_MINUTE + 60);
    await store.facts.apply(deltaOf('acme', [move('p', 1)]), NOW_MS + 7 * 3_600_000 - 1);
    expect(await read()).toHaveLength(1);
    await store.facts.apply(deltaOf('acme', [move('p', 2)]), NOW_MS + 7 * 3_600_000);
    expect(await read()).toEqual([]);
  });
});
