import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { startHttpPeer } from '../support/http-peer.ts';
import { seededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';
import { AlertInbox, WEBHOOK } from './alert-inbox.ts';
import { openAlertStage, Reporter, toldOf } from './alert-stage.ts';
import { alertingOf, brought, LEASE_MS, readiness } from './alerts-chaos.ts';

// A whole minute without Redis: ROOMWATCH_OUTAGE_MS=60000
const OUTAGE_MS = Number(process.env.ROOMWATCH_OUTAGE_MS ?? 8_000);
/** What the loss of the daemon that was sending may add to its lease. */
const BEYOND_LEASE_MS = 5_000;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function open() {
  const inbox = new AlertInbox(WEBHOOK.namesIn, WEBHOOK.success, seededRandom(2));
  const peer = await startHttpPeer(inbox.answer);
  undo.push(() => peer.stop());
  const stage = await openAlertStage({
    daemons: 2,
    alerting: (signature) => alertingOf(signature, { hook: peer.url }),
  });
  undo.push(() => stage.end());
  await readiness(stage.daemons);
  const random = seededRandom(1);
  const over = new AbortController();
  undo.push(async () => over.abort());
  const reporterOf = (service: string) => new Reporter(service, stage.daemons, random.pick);
  const bring = (reporter: Reporter, state: 'failing' | 'working') =>
    brought(reporter, stage, state, over.signal);
  return { peer, inbox, stage, reporterOf, bring, signal: over.signal };
}

it('a daemon that is killed in mid-send delays its message by its lease and five seconds at most', {
  timeout: 120_000,
}, async () => {
  const { peer, inbox, stage, reporterOf, bring } = await open();
  peer.answer = () => 'hang';
  await bring(reporterOf('acme'), 'failing');
  const first = await waitFor('the request', () => peer.requests[0]);
  const holder = stage.daemons.find(({ signature }) => first.headers.authorization?.endsWith(signature));
  await holder?.running.kill('SIGKILL');
  peer.answer = inbox.answer;
  const second = await waitFor('the other daemon to say it', () => peer.requests[1], { withinMs: 60_000 });
  const delayMs = second.atMs - first.atMs;
  process.stdout.write(`lease ${LEASE_MS} ms; said again ${delayMs} ms after the first request\n`);
  expect(second.headers.authorization).not.toBe(first.headers.authorization);
  expect(WEBHOOK.namesIn(second.body)).toEqual(WEBHOOK.namesIn(first.body));
  expect(delayMs).toBeLessThan(LEASE_MS + BEYOND_LEASE_MS);
});

it(`nothing is forgotten while Redis is gone for ${OUTAGE_MS / 1_000} s`, {
  timeout: 120_000 + 2 * OUTAGE_MS,
}, async () => {
  const { peer, inbox, stage, reporterOf, bring, signal } = await open();
  const [before, meanwhile] = [reporterOf('before'), reporterOf('meanwhile')];
  await meanwhile.bring('working', signal);
  peer.answer = () => ({ status: 503 });
  const waiting = toldOf('before', await bring(before, 'failing'));
  await waitFor('a first attempt', () => peer.requests.length > 0);

  await stage.redis.kill9();
  const requests = peer.requests.length;
  const reporting = meanwhile.bring('failing', signal);
  await sleep(OUTAGE_MS);
  expect(stage.daemons.map(({ running }) => running.isRunning())).toEqual([true, true]);
  // What was in the outbox is not lost with it: whoever held it goes on trying.
  const tried = peer.requests.length - requests;
  peer.answer = inbox.answer;
  await stage.redis.restart();
  await reporting;

  const late = toldOf('meanwhile', await bring(meanwhile, 'failing'));
  for (const told of [waiting, late]) {
    await waitFor(`${told.key} to be said`, () => inbox.accepted.has(WEBHOOK.nameOf(told, 'firing')), {
      withinMs: 60_000,
    });
  }
  // The same episodes go on: nobody began anew.
  for (const [reporter, told] of [
    [before, waiting],
    [meanwhile, late],
  ] as const) {
    const ended = await bring(reporter, 'working');
    expect(toldOf(reporter.service, ended)).toEqual(told);
    await waitFor(`the end of ${told.key}`, () => inbox.accepted.has(WEBHOOK.nameOf(told, 'resolved')), {
      withinMs: 60_000,
    });
  }
  await waitFor('empty outboxes', async () => (await stage.waiting(['before', 'meanwhile'])) === 0);
  process.stdout.write(`${tried} attempts while Redis was gone\n`);
});
