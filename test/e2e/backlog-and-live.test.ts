import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from '../../agent/app.ts';
import { openSpool, report, temporaryFolder } from '../agent/spool/spool-folder.ts';
import { TOKEN } from '../support/daemon-edge.ts';
import { booksOf, edgesOfThisFile } from '../support/edges.ts';
import { unsteady } from '../support/unsteady-facts.ts';
import { waitFor } from '../support/wait-for.ts';

const BACKLOG = 2_000;
/** Of replayed batches in a second, and at once at the start; see `CONNECTION`. */
const REPLAY_PER_SECOND = 500;
/** What is reported now is counted so soon, wherever else a backlog is replayed. */
const LIVE_WITHIN_MS = 2_000;
/** And where the backlog is its own: once that is sent. */
const OWN_LIVE_WITHIN_MS = (BACKLOG / REPLAY_PER_SECOND) * 1_000 + 5_000;

const startEdge = edgesOfThisFile();
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

it('a backlog is replayed at a limited rate, and what others report meanwhile is counted within two seconds', {
  timeout: 90_000,
}, async () => {
  const folder = await temporaryFolder();
  undo.push(() => rm(folder, { recursive: true, force: true }));
  // An outage of an hour and more, sealed every second.
  let sealedAtMs = Date.now() - 2 * 3_600_000;
  const spool = await openSpool(join(folder, 'behind'), { services: ['behind'], nowMs: () => sealedAtMs });
  for (let batch = 0; batch < BACKLOG; batch += 1) {
    await report(spool, 1, { service: 'behind' });
    await spool.seal();
    sealedAtMs += 1_000;
  }
  await spool.close();

  // Every call to the store takes its time.
  const edge = await startEdge({ facts: (facts) => unsteady(facts, () => 'slow') });
  const start = async (service: string): Promise<RunningAgent> => {
    const agent = await startAgent({
      server: `ws://127.0.0.1:${edge.port}`,
      token: async () => TOKEN,
      spoolDirectory: join(folder, service),
      services: [service],
    });
    undo.push(() => agent.stop(0));
    return agent;
  };
  const [behind, live] = [await start('behind'), await start('live')];
  await waitFor('both to be connected', () => behind.isConnected && live.isConnected);
  const startedAtMs = performance.now();
  const count = (service: string) => booksOf(edge, service).then(({ tallies }) => tallies[0] ?? 0);

  behind.receiver.receive({ result: 'ok' }, 'library');
  const caughtUp = waitFor(
    'the backlog and what came after it',
    async () => {
      if (behind.spool.acked < BACKLOG || behind.spool.acked < behind.spool.lastSealed) return undefined;
      return performance.now() - startedAtMs;
    },
    { withinMs: 60_000 },
  );
  const latenciesMs: number[] = [];
  let isOver = false;
  const reporting = (async () => {
    while (!isOver) {
      const reportedAtMs = performance.now();
      live.receiver.receive({ result: 'ok' }, 'library');
      await live.spool.commit();
      await waitFor('what was reported now', async () => (await count('live')) > latenciesMs.length, {
        withinMs: 30_000,
      });
      latenciesMs.push(performance.now() - reportedAtMs);
      await sleep(100);
    }
  })();
  const tookMs = await caughtUp;
  isOver = true;
  await reporting;

  // The first second's share goes at once.
  expect(tookMs).toBeGreaterThan((BACKLOG / REPLAY_PER_SECOND - 1) * 1_000 * 0.9);
  expect(tookMs).toBeLessThan(OWN_LIVE_WITHIN_MS + 10_000);
  expect(latenciesMs.length).toBeGreaterThan(1);
  // A second of it is until its batch is sealed.
  expect(Math.max(...latenciesMs)).toBeLessThan(LIVE_WITHIN_MS + 1_000);
  process.stderr.write(
    `backlog of ${BACKLOG} took ${Math.round(tookMs)} ms; ${latenciesMs.length} live outcomes, the slowest ${Math.round(Math.max(...latenciesMs))} ms\n`,
  );
  expect(behind.metrics.total('outcomesLost')).toBe(0);
});
