import { afterEach, describe, expect, it } from 'vitest';
import { openAlertmanager } from '../../alerts/notify/alertmanager.ts';
import type { Store } from '../../server/store/store.ts';
import { type RunningAlertmanager, startAlertmanager } from '../support/alertmanager.ts';
import { freePort } from '../support/free-port.ts';
import { type HttpPeer, startHttpPeer } from '../support/http-peer.ts';
import { waitFor } from '../support/wait-for.ts';
import { rigOf, STORES } from './rig.ts';
import { alertOf } from './samples.ts';
import { MINUTE_MS, Scene } from './scene.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function peers(): Promise<{ hook: HttpPeer; manager: RunningAlertmanager }> {
  const hook = await startHttpPeer();
  closers.push(hook.stop);
  const manager = await startAlertmanager({ webhookUrl: hook.url });
  closers.push(manager.stop);
  return { hook, manager };
}

async function storeOf(): Promise<Store> {
  const { store, close } = await STORES.lmdb!();
  closers.push(close);
  return store;
}

const LINKS = {
  externalUrl: 'https://roomwatch.example.org',
  runbookUrl: '',
  user: '',
  password: '',
  token: '',
};
const how = (nowMs: number) => ({ nowMs, signal: AbortSignal.timeout(5_000) });

describe("Debian's Alertmanager", () => {
  it('takes an alert, keeps it one while its numbers change, and ends it when told', async () => {
    const { hook, manager } = await peers();
    const mirror = openAlertmanager({ ...LINKS, url: manager.url });
    const nowMs = Date.now();
    const alert = alertOf({ firedAtMs: nowMs - 60_000, sinceMs: nowMs - 120_000, decidedAtMs: nowMs });
    const { figures } = alert;
    expect(await mirror.show([alert], how(nowMs))).toEqual({ status: 'sent' });
    expect(await mirror.show([{ ...alert, figures: { ...figures!, left: 1, lost: 7 } }], how(nowMs))).toEqual(
      {
        status: 'sent',
      },
    );
    const shown = await manager.query();
    expect(shown).toHaveLength(1);
    expect(shown[0]).toMatchObject({
      labels: { alertname: 'RoomwatchEntryFailing', service: 'acme', severity: 'critical' },
      annotations: { windows_left: '1', windows_lost: '7' },
      startsAt: new Date(nowMs - 60_000).toISOString(),
      endsAt: new Date(nowMs + 4 * MINUTE_MS).toISOString(),
    });
    await waitFor('its notification', () => hook.requests.length > 0);

    const endMs = Date.now();
    await mirror.show(
      [{ ...alert, kind: 'resolved', resolvedAtMs: endMs, resolvedBecause: 'cleared' }],
      how(endMs),
    );
    await waitFor('the end', () => JSON.parse(hook.requests.at(-1)!.body).status === 'resolved');
    expect(await manager.query()).toEqual([]);
    expect(hook.requests.map(({ body }) => JSON.parse(body).status)).toEqual(['firing', 'resolved']);
  });

  it('takes more alerts than one request carries', async () => {
    const { manager } = await peers();
    const mirror = openAlertmanager({ ...LINKS, url: manager.url });
    const alerts = Array.from({ length: 300 }, (_, i) =>
      alertOf({ service: `site-${i}`, firedAtMs: Date.now() }),
    );
    expect(await mirror.show(alerts, how(Date.now()))).toEqual({ status: 'sent' });
    expect(await manager.query()).toHaveLength(300);
  });

  it('is shown every replica what fires, though one of them is dead, again and again, and its end', async () => {
    const { hook, manager } = await peers();
    const dead = `http://127.0.0.1:${await freePort()}`;
    const store = await storeOf();
    const scene = new Scene().lose(1_000, 6);
    const startMs = scene.windowAt(4_000);
    scene.fail(startMs, startMs + 10 * MINUTE_MS, { attempts: 100, failures: 60 });
    const rig = rigOf(
      store,
      {
        steps: { 'entry-failing': { clearForMs: 0 } },
        receivers: [
          { name: 'am', type: 'alertmanager', urls: [dead, manager.url], steps: ['entry-failing'] },
        ],
      },
      { nowMs: () => Date.now(), timing: { resendMs: 300 } },
    );
    rig.alerting.start();
    closers.push(() => rig.alerting.stop());
    // Alertmanager lives in real time: what the scene was like then is told as if it were now.
    const moved = (atMs: number) => shifted(scene.at(atMs), Date.now() - atMs);

    await rig.alerting.consider('acme', moved(startMs + 20_000));
    await waitFor('the alert', async () => (await manager.query()).length === 1);
    const [first] = await manager.query();
    await waitFor('another showing', async () => (await manager.query())[0]!.endsAt > first!.endsAt);
    expect(rig.counted.filter((line) => line === 'sent am').length).toBeGreaterThan(1);
    expect(rig.counted).toContain('failed am network');
    expect(hook.requests.map(({ body }) => JSON.parse(body).status)).toEqual(['firing']);
    expect(await store.ledger.backlog('acme')).toMatchObject({ depth: 0 });

    await rig.alerting.consider('acme', moved(startMs + 25 * MINUTE_MS));
    await waitFor('its end', async () => (await manager.query()).length === 0);
    await waitFor('that it is said', () => hook.requests.length === 2);
    expect(JSON.parse(hook.requests[1]!.body).status).toBe('resolved');
  });
});

/** The same circumstances, every instant moved. */
function shifted<T>(value: T, byMs: number): T {
  return JSON.parse(JSON.stringify(value), (_, inner: unknown) => {
    if (typeof inner === 'number' && inner > 1e12) return inner + byMs;
    if (typeof inner === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(inner)) {
      return new Date(Date.parse(inner) + byMs).toISOString();
    }
    return inner;
  }) as T;
}
