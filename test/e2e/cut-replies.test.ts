import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startAgent } from '../../agent/app.ts';
import { temporaryFolder } from '../agent/spool/spool-folder.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { AGENT_TOKEN, bootDaemon } from '../support/daemon.ts';
import { seededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';

/** Set ROOMWATCH_BATCHES=100000 for the long form. */
const BATCHES = Number(process.env.ROOMWATCH_BATCHES ?? 1_500);
const SEED = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);
const LOST_REPLIES = 0.01;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

it(`${BATCHES} batches count once each while one reply in a hundred is cut off (seed ${SEED})`, {
  timeout: 60_000 + BATCHES * 50,
}, async () => {
  const folder = await temporaryFolder();
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const daemon = await bootDaemon({ folder });
  undo.push(() => daemon.stop());
  const proxy = await startCutProxy({ targetPort: Number(new URL(daemon.url).port) });
  undo.push(() => proxy.stop());
  const agent = await startAgent({
    server: `ws://127.0.0.1:${proxy.port}`,
    token: async () => AGENT_TOKEN,
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    backoff: { baseMs: 5, maxMs: 20 },
    connection: { replayBatchesPerSecond: 100_000 },
  });
  undo.push(() => agent.stop(0));
  const random = seededRandom(SEED);
  proxy.dropShare(LOST_REPLIES, random.next);

  let reported = 0;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const count = random.integer(1, 1_000);
    agent.receiver.receive({ result: 'ok', region: `r${batch % 3}`, count }, 'library');
    await agent.spool.commit();
    await agent.spool.seal();
    reported += count;
    // One by one, so that each batch has a reply of its own that may be cut off.
    expect(await agent.flush(30_000)).toBe(true);
  }
  expect(proxy.dropped).toBeGreaterThan(0);

  const month = new Date().toISOString().slice(0, 7);
  const attempts = async () =>
    (await daemon.getJson<{ attempts: number }>(`/api/v1/services/acme/months/${month}`)).attempts;
  await waitFor('a reading with all of it', async () => (await attempts()) >= reported);
  expect(await attempts()).toBe(reported);
  expect(agent.spool.lastSealed).toBeGreaterThanOrEqual(BATCHES);
});
