import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { openRedisStore } from '../../server/store/redis/redis-store.ts';
import type { Origin, ServiceDelta, Store } from '../../server/store/store.ts';
import { emptyFacts, MEASURE_COUNT, type MinuteFacts } from '../../sla/facts.ts';
import { seededRandom } from '../support/random.ts';
import { startRedis } from '../support/redis.ts';
import {
  CYCLES,
  isQuick,
  number,
  printMachine,
  printTable,
  ratios,
  show,
  spreadOf,
  TURN_MS,
} from './lib/report.ts';

/**
 * What a busy service-month costs in either store, how long it takes to read, and how many deltas a second are
 * applied; beside the textbook way in the same Redis, a hash for each day with a field for each counter
 * (it keeps neither cursors nor who was alive).
 *
 * Busy: 500 to 6,000 attempts a minute, failures of two causes in nearly every minute, 20 producers, late
 * attempts in one slot of fifty, and 100 origins in each of the last six hours.
 */
const DAYS = isQuick ? 3 : 31;
const SERVICES = ['acme', 'globex', 'initech'];
const PRODUCERS = Array.from({ length: 20 }, (_, i) => `0b9f6c1e-5d0a-4c53-8f5e-0000000000${10 + i}`);
const FIRST_MINUTE = Date.UTC(2026, 6, 1) / 60_000;
const MINUTES = DAYS * 1_440;
/** Minutes in one delta while the month is written. */
const STEP = 5;

const random = seededRandom(1);

function busyMinute(): number[] {
  const isBad = random.next() < 0.0005;
  return [
    random.integer(500, 6_000),
    isBad ? 400 : 0,
    random.integer(0, 3),
    random.integer(0, 9),
    random.integer(0, 1),
  ];
}

function busyOrigins(minute: number): { origin: Origin; n: number }[] {
  if (minute < FIRST_MINUTE + MINUTES - 360) return [];
  return Array.from({ length: 9 }, () => ({
    origin: {
      slotMinute: minute - (minute % 5),
      region: random.pick(['ap-guangzhou', 'ap-beijing', 'eu-frankfurt', 'na-siliconvalley']),
      platform: random.pick(['web-v5', 'native']),
      cause: random.pick(['customer', 'unknown', 'network']),
      code: String(random.integer(-100_030, -100_010)),
    },
    n: random.integer(1, 5),
  }));
}

function busyDelta(service: string, seq: number, minute: number): ServiceDelta {
  const minutes = Array.from({ length: STEP }, (_, i) => minute + i);
  const producerId = PRODUCERS[seq % PRODUCERS.length] ?? '';
  const expectedSeq = Math.floor(seq / PRODUCERS.length);
  return {
    service,
    cursors: [{ producerId, epoch: 1, expectedSeq, seq: expectedSeq + 1, digest: '0123456789abcdef' }],
    tallies: new Map(minutes.map((each) => [each, busyMinute()])),
    alive: new Set(minutes),
    late: random.next() < 0.02 ? new Map([[minute - (minute % 5), 12]]) : new Map(),
    origins: busyOrigins(minute),
  };
}

async function writeMonth(store: Store): Promise<void> {
  for (let seq = 0; seq < MINUTES / STEP; seq += 1) {
    const minute = FIRST_MINUTE + seq * STEP;
    const deltas = SERVICES.map((service) => busyDelta(service, seq, minute));
    const nowMs = (minute + STEP) * 60_000;
    for (const { status } of await Promise.all(deltas.map((delta) => store.facts.apply(delta, nowMs))))
      if (status !== 'applied') throw new Error(`a delta was ${status}`);
  }
}

/** The baseline: `day:<service>:<day>` with fields `<minute of day>:<measure>`. */
async function writeHashes(client: Redis): Promise<void> {
  for (let minute = FIRST_MINUTE; minute < FIRST_MINUTE + MINUTES; minute += STEP) {
    const pipeline = client.pipeline();
    for (const service of SERVICES) {
      for (let each = minute; each < minute + STEP; each += 1) {
        const key = `day:${service}:${Math.floor(each / 1_440)}`;
        for (const [measure, n] of busyMinute().entries())
          if (n > 0) pipeline.hincrby(key, `${each % 1_440}:${measure}`, n);
      }
    }
    await pipeline.exec();
  }
}

async function readHashes(client: Redis, service: string): Promise<MinuteFacts> {
  const facts = emptyFacts(FIRST_MINUTE, MINUTES);
  const days = Array.from({ length: DAYS }, (_, i) => FIRST_MINUTE / 1_440 + i);
  const hashes = await Promise.all(days.map((day) => client.hgetall(`day:${service}:${day}`)));
  for (const [day, hash] of hashes.entries()) {
    for (const field in hash) {
      const colon = field.indexOf(':');
      const at =
        (day * 1_440 + Number(field.slice(0, colon))) * MEASURE_COUNT + Number(field.slice(colon + 1));
      facts.tallies[at] = Number(hash[field]);
    }
  }
  return facts;
}

async function memoryOf(client: Redis, pattern: string): Promise<{ bytes: number; keys: number }> {
  const keys = await client.keys(pattern);
  const sizes = await Promise.all(keys.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)));
  return { bytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0), keys: keys.length };
}

async function timesOf(task: () => Promise<MinuteFacts>): Promise<number> {
  const startedAt = performance.now();
  const { tallies } = await task();
  const tookMs = performance.now() - startedAt;
  if (tallies[0] === 0 || tallies[(MINUTES - 1) * MEASURE_COUNT] === 0)
    throw new Error('the month is not there');
  return tookMs;
}

/** Deltas of one minute a second: each tick one delta for each of `width` services. */
async function ratePerSecond(store: Store, width: number, round: number): Promise<number> {
  const services = Array.from({ length: width }, (_, i) => `rate-${width}-${i}`);
  const startedAt = performance.now();
  let seq = 0;
  while (performance.now() - startedAt < TURN_MS / 2) {
    const deltas = services.map((service): ServiceDelta => {
      const minute = FIRST_MINUTE + (seq % 10_000);
      const move = { producerId: `p${round}`, epoch: 1, expectedSeq: seq, seq: seq + 1, digest: '' };
      const tallies = new Map([[minute, busyMinute()]]);
      return { service, cursors: [move], tallies, alive: new Set([minute]), late: new Map(), origins: [] };
    });
    await Promise.all(deltas.map((delta) => store.facts.apply(delta, FIRST_MINUTE * 60_000)));
    seq += 1;
  }
  return (seq * width) / ((performance.now() - startedAt) / 1_000);
}

/** What the disk asks for one flushed write: the floor under a transaction of LMDB. */
function flushMs(directory: string): number[] {
  const file = openSync(join(directory, 'flush'), 'w');
  const times = Array.from({ length: 50 }, (_, i) => {
    const startedAt = performance.now();
    writeSync(file, Buffer.alloc(4_096), 0, 4_096, i * 4_096);
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  return times;
}

printMachine();
const directory = await mkdtemp(join(tmpdir(), 'roomwatch-bench-'));
const server = await startRedis({ aof: true });
const client = new Redis({ port: server.port, protocol: 2 });
const redis = await openRedisStore({ url: server.url });
const lmdb = await openLmdbStore({ directory });
try {
  const file = join(directory, 'roomwatch.mdb');
  const emptyBytes = (await stat(file)).size;
  const [redisMs, lmdbMs, hashMs] = [
    await elapsed(() => writeMonth(redis)),
    await elapsed(() => writeMonth(lmdb)),
    await elapsed(() => writeHashes(client)),
  ];
  const pages = await memoryOf(client, 'roomwatch:{acme}:*');
  const hashes = await memoryOf(client, 'day:acme:*');
  const lmdbBytes = ((await stat(file)).size - emptyBytes) / SERVICES.length;

  const reads = { redis: [] as number[], lmdb: [] as number[], hashes: [] as number[] };
  for (let cycle = -3; cycle < CYCLES * 3; cycle += 1) {
    const service = SERVICES[(cycle + 3) % SERVICES.length] ?? '';
    const took = {
      redis: await timesOf(() => redis.facts.readMinutes(service, FIRST_MINUTE, FIRST_MINUTE + MINUTES)),
      lmdb: await timesOf(() => lmdb.facts.readMinutes(service, FIRST_MINUTE, FIRST_MINUTE + MINUTES)),
      hashes: await timesOf(() => readHashes(client, service)),
    };
    if (cycle < 0) continue;
    for (const side of ['redis', 'lmdb', 'hashes'] as const) reads[side].push(took[side]);
  }
  const sizeRow = (bytes: number) => [number(bytes), number(hashes.bytes / bytes)];
  printTable([
    [`${DAYS} days of one service`, 'bytes', 'hashes / it', 'read, ms', 'hashes / it', 'written in, s'],
    [
      'pages in Redis',
      ...sizeRow(pages.bytes),
      show(spreadOf(reads.redis)),
      show(ratios(reads.hashes, reads.redis)),
      number(redisMs / 1_000),
    ],
    [
      'pages in LMDB',
      ...sizeRow(lmdbBytes),
      show(spreadOf(reads.lmdb)),
      show(ratios(reads.hashes, reads.lmdb)),
      number(lmdbMs / 1_000),
    ],
    [
      'hash per day in Redis',
      ...sizeRow(hashes.bytes),
      show(spreadOf(reads.hashes)),
      '1',
      number(hashMs / 1_000),
    ],
  ]);
  console.log(
    `\nRedis: ${pages.keys} keys with cursors, revisions and origins. LMDB: growth of the file / ${SERVICES.length} services.`,
  );

  const rows = [['deltas applied a second', 'Redis, AOF every second', 'LMDB, on the disk', 'LMDB / Redis']];
  for (const width of [1, 10, 100]) {
    const rates = { redis: [] as number[], lmdb: [] as number[] };
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      rates.redis.push(await ratePerSecond(redis, width, cycle));
      rates.lmdb.push(await ratePerSecond(lmdb, width, cycle));
    }
    rows.push([
      `${width} service${width === 1 ? '' : 's'} a call`,
      show(spreadOf(rates.redis)),
      show(spreadOf(rates.lmdb)),
      show(ratios(rates.lmdb, rates.redis)),
    ]);
  }
  console.log();
  printTable(rows);
  console.log(
    `\nOne flushed write of 4 KiB takes ${show(spreadOf(flushMs(directory)))} ms; a transaction of LMDB needs two.`,
  );
} finally {
  await redis.close();
  await lmdb.close();
  client.disconnect();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}

async function elapsed(task: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await task();
  return performance.now() - startedAt;
}
