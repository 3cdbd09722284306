import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { MEASURE_COUNT, MEASURE_INDEX } from '../../sla/facts.ts';
import { AGENT_TOKEN, bootDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';

const HOUR_MS = 3_600_000;
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Attempts by minute, as the books have them in the two hours before and after. */
async function attemptsByMinute(folder: string, aroundMinute: number) {
  const store = await openLmdbStore({ directory: join(folder, 'books') });
  undo.push(() => store.close());
  // The bounds of what is read are multiples of five.
  const from = Math.floor(aroundMinute / 5) * 5 - 180;
  const { tallies } = await store.facts.readMinutes('acme', from, from + 360);
  return Array.from({ length: 360 }, (_, minute) => ({
    minute: from + minute,
    n: tallies[minute * MEASURE_COUNT + MEASURE_INDEX.attempts] ?? 0,
  })).filter(({ n }) => n > 0);
}

it('outcomes count once, and in the true minute, though the agent’s clock jumps an hour ahead and two back', {
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-clock-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const daemon = await bootDaemon({ folder });
  undo.push(() => daemon.stop());
  let aheadMs = 0;
  const agent = await startAgent({
    server: daemon.url.replace('http', 'ws'),
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    clock: { ...systemClock, nowMs: () => Date.now() + aheadMs },
  });
  undo.push(() => agent.stop(0));
  const firstMinute = Math.floor(Date.now() / 60_000);
  let reported = 0;
  for (const nextMs of [0, HOUR_MS, -HOUR_MS, 0]) {
    aheadMs = nextMs;
    // Measured anew within a second or two, not at the next heartbeat.
    await waitFor(
      'the correction',
      () => Math.abs((agent.spool.clockOffsetMs ?? Number.NaN) + nextMs) < 2_000,
      {
        withinMs: 8_000,
      },
    );
    agent.receiver.receive({ result: 'ok', count: 100 }, 'library');
    agent.receiver.receive({ result: 'ok', count: 7, at: Date.now() + nextMs }, 'library');
    await agent.spool.commit();
    await agent.spool.seal();
    reported += 107;
  }
  expect(await agent.flush(10_000)).toBe(true);
  const lastMinute = Math.floor(Date.now() / 60_000);
  for (const step of undo.splice(1).reverse()) await step();
  const attempts = await attemptsByMinute(folder, firstMinute);
  expect(attempts.reduce((sum, { n }) => sum + n, 0)).toBe(reported);
  for (const { minute } of attempts) {
    expect(minute).toBeGreaterThanOrEqual(firstMinute);
    expect(minute).toBeLessThanOrEqual(lastMinute);
  }
});

it('at least 99.9 % of outcomes count in the true minute though the clock jumps while the daemon is away', {
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-clock-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const config = { listen: { port: await freePort() } };
  let daemon = await bootDaemon({ folder, config });
  undo.push(() => daemon.stop());
  let aheadMs = 0;
  const agent = await startAgent({
    server: daemon.url.replace('http', 'ws'),
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    backoff: { baseMs: 20, maxMs: 100 },
    clock: { ...systemClock, nowMs: () => Date.now() + aheadMs },
  });
  undo.push(() => agent.stop(0));
  await waitFor('the clocks to be compared', () => agent.spool.clockOffsetMs !== null);
  const firstMinute = Math.floor(Date.now() / 60_000);
  let reported = 0;
  const take = async (count: number) => {
    agent.receiver.receive({ result: 'ok', count }, 'library');
    agent.receiver.receive({ result: 'ok', count, at: Date.now() + aheadMs }, 'library');
    reported += 2 * count;
    await agent.spool.commit();
  };
  await daemon.stop();
  await waitFor('the outage', () => !agent.isConnected);
  // There and back, ahead and behind, and two hours at once.
  for (const nextMs of [HOUR_MS, 0, -HOUR_MS, HOUR_MS, -HOUR_MS]) {
    aheadMs = nextMs;
    // A hundred a second, some of them before it is noticed, and then as many as in half an hour of it.
    await waitFor(
      'the jump to be noticed',
      async () => {
        await take(1);
        return Math.abs((agent.spool.clockOffsetMs ?? Number.NaN) + nextMs) < 2_000;
      },
      { withinMs: 2_000 },
    );
    await take(100_000);
    await agent.spool.seal();
  }
  expect(agent.isConnected).toBe(false);
  daemon = await bootDaemon({ folder, config });
  expect(await agent.flush(10_000)).toBe(true);
  const lastMinute = Math.floor(Date.now() / 60_000);
  for (const step of undo.splice(1).reverse()) await step();
  const attempts = await attemptsByMinute(folder, firstMinute);
  expect(attempts.reduce((sum, { n }) => sum + n, 0)).toBe(reported);
  const inTime = attempts.filter(({ minute }) => minute >= firstMinute && minute <= lastMinute);
  const share = inTime.reduce((sum, { n }) => sum + n, 0) / reported;
  expect(share).toBeGreaterThanOrEqual(0.999);
});

for (const [name, aheadMs] of [
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
] as const) {
  it(`outcomes of an agent whose clock is an hour ${name} land in the true minute`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'roomwatch-clock-'));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const daemon = await bootDaemon({ folder });
    undo.push(() => daemon.stop());
    const agent = await startAgent({
      server: daemon.url.replace('http', 'ws'),
      token: async () => AGENT_TOKEN,
      spoolDirectory: join(folder, 'spool'),
      services: ['acme'],
      clock: { ...systemClock, nowMs: () => Date.now() + aheadMs },
    });
    undo.push(() => agent.stop(0));
    const firstMinute = Math.floor(Date.now() / 60_000);
    const take = async (count: number, at?: number) => {
      agent.receiver.receive({ result: 'ok', count, ...(at === undefined ? {} : { at }) }, 'library');
      await agent.spool.commit();
    };
    // Sealed before the clocks were compared: the daemon corrects it.
    expect(agent.spool.clockOffsetMs).toBeNull();
    await take(1);
    await agent.spool.seal();
    await waitFor('the clocks to be compared', () => agent.spool.clockOffsetMs !== null);
    expect(Math.abs((agent.spool.clockOffsetMs ?? 0) + aheadMs)).toBeLessThan(2_000);
    await take(20);
    await take(300, Date.now() + aheadMs);
    await agent.spool.seal();
    expect(await agent.flush(10_000)).toBe(true);
    const lastMinute = Math.floor(Date.now() / 60_000);
    for (const step of undo.splice(1).reverse()) await step();

    const attempts = await attemptsByMinute(folder, firstMinute);
    expect(attempts.reduce((sum, { n }) => sum + n, 0)).toBe(321);
    for (const { minute } of attempts) {
      expect(minute).toBeGreaterThanOrEqual(firstMinute);
      expect(minute).toBeLessThanOrEqual(lastMinute);
    }
  });
}
