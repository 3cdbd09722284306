import { afterEach, expect, it } from 'vitest';
import { AGENT_TOKEN, bootDaemon, type TestDaemon } from '../support/daemon.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { cell, failedCell, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const NOW_MS = Date.parse('2026-07-15T04:02:30.000Z');
const MINUTE = Math.floor(NOW_MS / 60_000);

interface AlertRecord {
  readonly key: string;
  readonly step: string;
  readonly state: string;
  readonly acknowledgedBy?: string;
}

async function mails() {
  const sink = await startMailSink();
  undo.push(() => sink.stop());
  return sink;
}

function receiver(port: number, parts: object = {}) {
  return {
    name: 'on-call',
    type: 'email',
    host: '127.0.0.1',
    port,
    tls: 'none',
    from: 'roomwatch@example.org',
    to: ['on-call@example.org'],
    ...parts,
  };
}

async function boot(alerting: object): Promise<TestDaemon> {
  const daemon = await bootDaemon({
    nowMs: () => NOW_MS,
    config: { alerting: { groupWaitMs: 0, ...alerting } },
  });
  undo.push(() => daemon.stop());
  return daemon;
}

/** A third of the room entries of this window fail. */
async function failEntries(daemon: TestDaemon): Promise<void> {
  const { agent } = await RawAgent.greet(daemon.daemon.port, { services: ['acme'] }, AGENT_TOKEN);
  undo.push(() => agent.end());
  const cells = [
    cell({ minute: MINUTE, n: 200 }),
    failedCell({ minute: MINUTE, n: 100, region: 'eu-frankfurt' }),
  ];
  agent.send(agent.batch(1, { cells, minute: MINUTE }));
  await agent.acknowledged(1);
}

const firing = async (daemon: TestDaemon) =>
  (await daemon.getJson<{ alerts: AlertRecord[] }>('/api/v1/alerts')).alerts.filter(
    (one) => one.state === 'firing',
  );

it('failing entries are a mail that says where, an alert in the list and a gauge; an acknowledgement is kept', async () => {
  const sink = await mails();
  const daemon = await boot({ receivers: [receiver(sink.port)] });
  await failEntries(daemon);
  await waitFor('the mail', () => sink.mails.length === 1);
  const [mail] = sink.mails;
  expect(mail?.mail.subject).toContain('acme');
  expect(mail?.mail.text).toContain('eu-frankfurt');

  const [alert] = await waitFor('the alert', async () => {
    const alerts = await firing(daemon);
    return alerts.length > 0 && alerts;
  });
  expect(alert).toMatchObject({ step: 'entry-failing', service: 'acme', severity: 'critical' });
  const metrics = await (await daemon.get('/metrics')).text();
  expect(metrics).toContain(
    'roomwatch_alerts_firing{service="acme",step="entry-failing",severity="critical"} 1',
  );
  expect(metrics).toContain('roomwatch_alerts_firing{service="acme",step="blind",severity="warning"} 0');
  expect(metrics).toContain('roomwatch_notifications_total{receiver="on-call"} 1');
  expect(metrics).toContain('roomwatch_notifications_failed_total{receiver="on-call",reason="rejected"} 0');

  const path = `/api/v1/alerts/${encodeURIComponent(alert!.key)}/ack`;
  const acknowledged = await daemon.write('POST', path, { author: 'kim' });
  expect(await acknowledged.json()).toEqual({ key: alert!.key, acknowledgedBy: 'ops (kim)' });
  await waitFor('the list to say so', async () => (await firing(daemon))[0]?.acknowledgedBy === 'ops (kim)');
});

it('a silence made before keeps the mail back, and the alert still shows', async () => {
  const sink = await mails();
  const daemon = await boot({ receivers: [receiver(sink.port)] });
  const silence = { service: 'acme', until: new Date(NOW_MS + 3_600_000).toISOString(), reason: 'drill' };
  expect((await daemon.write('POST', '/api/v1/silences', silence)).status).toBe(201);
  await failEntries(daemon);
  await waitFor('the alert', async () => (await firing(daemon)).length === 1);
  expect(sink.attempts).toEqual([]);
});

it('a reload replaces the receivers', async () => {
  const [first, second] = [await mails(), await mails()];
  const daemon = await boot({ receivers: [receiver(first.port)] });
  const alerting = { groupWaitMs: 0, receivers: [receiver(second.port, { name: 'night-shift' })] };
  expect(daemon.daemon.reload(await daemon.config({ alerting }))).toMatchObject({ status: 'applied' });
  await failEntries(daemon);
  await waitFor('the mail', () => second.mails.length === 1);
  expect(first.attempts).toEqual([]);
});

it('a contract that has ended can still be claimed: its last month says so, and its agents are not missed', async () => {
  const sink = await mails();
  const nowMs = Date.parse('2026-08-20T04:00:00.000Z');
  const daemon = await bootDaemon({
    nowMs: () => nowMs,
    config: {
      terms: { serviceEnd: '2026-07-31' },
      alerting: { groupWaitMs: 0, receivers: [receiver(sink.port)] },
    },
  });
  undo.push(() => daemon.stop());
  const { agent } = await RawAgent.greet(daemon.daemon.port, { services: ['acme'] }, AGENT_TOKEN);
  undo.push(() => agent.end());
  const cells = Array.from({ length: 9 }, (_, i) => failedCell({ minute: MINUTE + i * 5, n: 50 }));
  agent.send(agent.batch(1, { cells, minute: MINUTE }));
  await agent.acknowledged(1);
  const alerts = await waitFor('the claim', async () => {
    const found = await firing(daemon);
    return found.length > 0 && found;
  });
  expect(alerts.map((alert) => alert.step)).toEqual(['claim']);
  await waitFor('the mail', () => sink.mails.some((one) => one.mail.subject?.includes('claim for 2026-07')));
  expect((await daemon.getJson<{ services: object[] }>('/api/v1/services')).services).toEqual([
    { service: 'acme', agentsConnected: 1 },
  ]);
});
