import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { signatureOf } from '../../agent/intake/callback-signer.ts';
import { MINUTE_MS } from '../../sla/facts.ts';
import { monthAt } from '../../sla/month.ts';
import type { Reading } from '../../sla/reading.ts';
import { presetTerms } from '../../sla/terms.ts';
import { freePort } from '../support/free-port.ts';
import { startProgram } from '../support/program.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const APP = '1400000123';
const KEY = '123654';
const TOKEN = 'callbacks-token-callbacks-token-callb';
const WITHIN = { withinMs: 30_000 };
/** Contract terms in whose zone no month begins or ends while this runs. */
const TERMS = ['+08:00', '-04:00']
  .map((timeZone) => ({ ...presetTerms('trtc'), timeZone }))
  .find(
    (terms) => monthAt(Date.now() - 10 * MINUTE_MS, terms) === monthAt(Date.now() + 10 * MINUTE_MS, terms),
  )!;

let folder: string;
const undo: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomwatch-callbacks-'));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await rm(folder, { recursive: true, force: true });
});

interface System {
  readonly agent: string;
  readonly daemon: string;
  /** kill -9, and started again. */
  crash(which: 'agent' | 'daemon'): Promise<void>;
}

/** A daemon and an agent as users start them: two processes, two configuration files, a file with the key. */
async function startSystem(store: object, watched: readonly string[]): Promise<System> {
  const ports = { agent: await freePort(), daemon: await freePort() };
  const address = { agent: `127.0.0.1:${ports.agent}`, daemon: `127.0.0.1:${ports.daemon}` };
  await writeFile(join(folder, 'trtc.key'), `${KEY}\n`);
  await writeFile(
    join(folder, 'roomwatch.json'),
    JSON.stringify({
      listen: { port: ports.daemon },
      store,
      terms: { preset: 'trtc', timeZone: TERMS.timeZone },
      tokens: [{ name: 'edge', token: TOKEN, role: 'agent' }],
    }),
  );
  await writeFile(
    join(folder, 'agent.json'),
    JSON.stringify({
      server: `ws://${address.daemon}`,
      token: TOKEN,
      listen: { port: ports.agent },
      services: watched,
      trtcCallbacks: [{ sdkAppId: Number(APP), service: 'acme', keyFile: 'trtc.key' }],
    }),
  );
  const start = {
    agent: () => startProgram('agent', ['--config', 'agent.json'], { cwd: folder }),
    daemon: () => startProgram('daemon', ['serve', '--config', 'roomwatch.json'], { cwd: folder }),
  };
  const running = { daemon: start.daemon(), agent: start.agent() };
  undo.push(
    () => running.daemon.kill('SIGKILL'),
    () => running.agent.kill('SIGKILL'),
  );
  const urls = { agent: `http://${address.agent}`, daemon: `http://${address.daemon}` };
  for (const which of ['agent', 'daemon'] as const) {
    await waitFor(
      `the ${which}`,
      async () => {
        if (!running[which].isRunning()) throw new Error(running[which].log());
        return (await fetch(`${urls[which]}/healthz`).catch(() => undefined))?.ok === true;
      },
      WITHIN,
    );
  }
  return {
    ...urls,
    crash: async (which) => {
      await running[which].kill('SIGKILL');
      running[which] = start[which]();
    },
  };
}

/** As the vendor sends it: again until it is answered 200, with another CallbackTs each time. */
async function tell(
  agent: string,
  type: 103 | 104,
  user: number,
  { times = 1, reason = 1 } = {},
): Promise<void> {
  const atMs = Date.now() - 60_000 + user;
  const info = { RoomId: 8489, UserId: `user_${user}`, EventMsTs: atMs, Reason: reason };
  const untilMs = Date.now() + WITHIN.withinMs;
  for (let told = 0; told < times; ) {
    const event = { EventGroupId: 1, EventType: type, CallbackTs: Date.now(), EventInfo: info };
    const body = JSON.stringify(event, null, '\t');
    const headers = { SdkAppId: APP, Sign: signatureOf(KEY, Buffer.from(body)) };
    const response = await fetch(`${agent}/v1/trtc/callback`, { method: 'POST', body, headers }).catch(
      () => undefined,
    );
    if (response?.status === 200) told += 1;
    else if (Date.now() > untilMs) throw new Error(`callback ${user} is not taken: ${response?.status}`);
    else await sleep(50);
  }
}

async function timeOutAndReturn(agent: string, user: number): Promise<void> {
  await tell(agent, 104, user, { reason: 2 });
  // A user does one thing in a millisecond; the entry may have been told in this one.
  await sleep(2);
  await tell(agent, 103, user, { reason: 3 });
}

/** Successful entries, in the minute of the callback about this user: between the first one's and the last one's. */
async function report(agent: string, user: number, count: number): Promise<void> {
  const body = JSON.stringify({ result: 'ok', count, at: Date.now() - 60_000 + user, id: 'once' });
  const send = () => fetch(`${agent}/v1/outcomes`, { method: 'POST', body }).catch(() => undefined);
  await waitFor('the report', async () => (await send())?.status === 202, WITHIN);
}

async function readMonth(daemon: string): Promise<Reading | undefined> {
  const url = `${daemon}/api/v1/services/acme/months/${monthAt(Date.now(), TERMS)}`;
  const response = await fetch(url).catch(() => undefined);
  return response?.ok ? ((await response.json()) as Reading) : undefined;
}

const stores = {
  embedded: async () => ({ directory: 'books' }),
  Redis: async () => {
    const redis = await startRedis({ aof: 'always' });
    undo.push(() => redis.stop());
    return { url: redis.url };
  },
};

it.each(Object.entries(stores))(
  'every callback is counted once on %s, though agent and daemon are killed and the vendor repeats itself',
  { timeout: 120_000 },
  async (_, open) => {
    const system = await startSystem(await open(), ['acme']);
    const told = { entered: 120, left: 30, reported: 114 };
    for (let user = 0; user < told.entered; user += 1) {
      if (user % 60 === 20) await system.crash('agent');
      if (user % 60 === 50) await system.crash('daemon');
      await tell(system.agent, 103, user, { times: user % 10 === 0 ? 2 : 1 });
      if (user % 10 === 5) await timeOutAndReturn(system.agent, user);
      if (user % 4 === 0) await tell(system.agent, 104, user);
      if (user === 60) await report(system.agent, user, told.reported);
    }
    const isWhole = async () => {
      const month = await readMonth(system.daemon);
      return month?.callbacks?.rise === told.entered - told.left && month.attempts === told.reported;
    };
    await waitFor('every callback', isWhole, WITHIN);
    // What was sent again and not yet counted would come now.
    await waitFor('an empty spool', async () => {
      const text = await (await fetch(`${system.agent}/metrics`)).text();
      return /^roomwatch_agent_spool_batches 0$/m.test(text);
    });
    const { callbacks } = (await readMonth(system.daemon))!;
    expect(callbacks).toMatchObject({ entered: 120, reported: 114, coverage: 0.95, rise: 90, surges: [] });
    const shown = await (await fetch(`${system.daemon}/metrics`)).text();
    expect(shown).toContain('roomwatch_month_callback_coverage_ratio{service="acme"} 0.95\n');
    expect(shown).toContain('roomwatch_callback_concurrency_rise{service="acme"} 90\n');
    expect(shown).toContain('roomwatch_month_surges{service="acme"} 0\n');
  },
);

it('3,000 users on top are no surge and 3,001 are one, which changes nothing: nobody watched, and nobody seems to', {
  timeout: 120_000,
}, async () => {
  const system = await startSystem({ directory: 'books' }, []);
  const enter = async (from: number, to: number) => {
    const users = Array.from({ length: to - from }, (_, i) => from + i);
    const senders = Array.from({ length: 50 }, async () => {
      for (let user = users.pop(); user !== undefined; user = users.pop())
        await tell(system.agent, 103, user);
    });
    await Promise.all(senders);
  };
  const readAt = async (entered: number) => {
    const isThere = async () => (await readMonth(system.daemon))?.callbacks?.entered === entered;
    await waitFor(`${entered} entries`, isThere, WITHIN);
    return (await readMonth(system.daemon))!;
  };
  await enter(0, 3_000);
  const before = await readAt(3_000);
  expect(before.callbacks).toMatchObject({ rise: 3_000, surges: [] });
  await timeOutAndReturn(system.agent, 0);
  await enter(3_000, 3_001);
  const after = await readAt(3_001);
  expect(after.callbacks?.surges).toEqual([
    { from: expect.any(String), to: expect.any(String), rise: 3_001, entered: 3_001, returned: 1 },
  ]);
  const unchanged = ['attempts', 'failures', 'lostWindows', 'figures', 'budget', 'downtimeMinutes'] as const;
  for (const field of unchanged) expect(after[field]).toEqual(before[field]);
  const { remaining, unmeasured, ...others } = after.windows;
  expect(remaining + unmeasured).toBe(after.period.windows);
  expect(Object.values(others).every((windows) => windows === 0)).toBe(true);
  const shown = async () => (await fetch(`${system.daemon}/metrics`)).text();
  await waitFor('the gauge', async () =>
    (await shown()).includes('roomwatch_month_surges{service="acme"} 1\n'),
  );
});
