import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { MEASURE_COUNT, MEASURE_INDEX } from '../../sla/facts.ts';
import { AGENT_TOKEN, bootDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait-for.ts';

const HOUR_MS = 3_600_000;
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
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

    const store = await openLmdbStore({ directory: join(folder, 'books') });
    undo.push(() => store.close());
    // The bounds of what is read are multiples of five.
    const from = Math.floor(firstMinute / 5) * 5 - 120;
    const { tallies } = await store.facts.readMinutes('acme', from, from + 240);
    const attempts = Array.from({ length: 240 }, (_, minute) => ({
      minute: from + minute,
      n: tallies[minute * MEASURE_COUNT + MEASURE_INDEX.attempts] ?? 0,
    })).filter(({ n }) => n > 0);
    expect(attempts.reduce((sum, { n }) => sum + n, 0)).toBe(321);
    for (const { minute } of attempts) {
      expect(minute).toBeGreaterThanOrEqual(firstMinute);
      expect(minute).toBeLessThanOrEqual(lastMinute);
    }
  });
}
