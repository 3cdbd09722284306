import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../alerts/alert.ts';
import type { Item } from '../../alerts/message.ts';
import type { Notifier, SendOutcome } from '../../alerts/notify/notifier.ts';
import { openPagerDuty } from '../../alerts/notify/pagerduty.ts';
import { openSlack } from '../../alerts/notify/slack.ts';
import { openWebhook } from '../../alerts/notify/webhook.ts';
import { type HttpPeer, type PeerRequest, startHttpPeer } from '../support/http-peer.ts';
import { alertOf } from './samples.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const NOW_MS = Date.parse('2026-11-23T06:23:00Z');
const LINKS = { externalUrl: 'https://roomwatch.example.org', runbookUrl: '' };
const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

async function peerWith(answer?: HttpPeer['answer']): Promise<HttpPeer> {
  const peer = await startHttpPeer(answer);
  closers.push(peer.stop);
  return peer;
}

function item(alert: Partial<Alert> = {}, wishes: Partial<Item> = {}): Item {
  return { alert: alertOf(alert), wasUndelivered: false, insteadOf: null, ...wishes };
}

const resolved = (wishes: Partial<Item> = {}): Item =>
  item(
    { kind: 'resolved', resolvedAtMs: NOW_MS, resolvedBecause: 'cleared', entry: null, fall: null },
    wishes,
  );

function send(notifier: Notifier, items: readonly Item[], timeoutMs = 2_000): Promise<SendOutcome> {
  return notifier.send(items, { nowMs: NOW_MS, signal: AbortSignal.timeout(timeoutMs) });
}

/** Answers as PagerDuty does: it looks at the event first, and limits how many it takes. */
function pagerDutyAnswer({ body }: PeerRequest): ReturnType<HttpPeer['answer']> {
  const event = JSON.parse(body);
  const faults = [
    event.routing_key?.length === 32 ? '' : 'routing_key',
    ['trigger', 'acknowledge', 'resolve'].includes(event.event_action) ? '' : 'event_action',
    typeof event.dedup_key === 'string' && event.dedup_key.length <= 255 ? '' : 'dedup_key',
    Buffer.byteLength(body) <= 512 * 1024 ? '' : 'size',
  ];
  if (event.event_action === 'trigger') {
    const { summary, source, severity } = event.payload ?? {};
    faults.push(typeof summary === 'string' && summary.length <= 1_024 ? '' : 'summary');
    faults.push(typeof source === 'string' && source !== '' ? '' : 'source');
    faults.push(['critical', 'error', 'warning', 'info'].includes(severity) ? '' : 'severity');
  }
  const errors = faults.filter(Boolean);
  if (errors.length > 0) return { status: 400, body: JSON.stringify({ status: 'invalid event', errors }) };
  return { status: 202, body: JSON.stringify({ status: 'success', dedup_key: event.dedup_key }) };
}

/** Answers as Slack's incoming webhooks do. */
function slackAnswer({ body, headers }: PeerRequest): ReturnType<HttpPeer['answer']> {
  const { text, blocks } = JSON.parse(body);
  const texts: string[] = (blocks ?? []).map((block: { text: { text: string } }) => block.text.text);
  const isValid =
    headers['content-type'] === 'application/json' &&
    typeof text === 'string' &&
    blocks.length <= 50 &&
    blocks.every((block: { type: string; text: { text: string } }) =>
      block.type === 'header' ? block.text.text.length <= 150 : block.text.text.length <= 3_000,
    ) &&
    texts.every((one) => one.length > 0) &&
    texts.join('').length <= 13_000;
  return isValid ? { status: 200, body: 'ok' } : { status: 400, body: 'invalid_payload' };
}

/** What every HTTP receiver must make of an answer. */
const ANSWERS = [
  [{ status: 400 }, { status: 'refused', reason: 'rejected' }],
  [{ status: 401 }, { status: 'refused', reason: 'unauthorized' }],
  [{ status: 403 }, { status: 'refused', reason: 'unauthorized' }],
  [{ status: 404 }, { status: 'refused', reason: 'rejected' }],
  [{ status: 410 }, { status: 'refused', reason: 'rejected' }],
  [
    { status: 302, headers: { location: '/elsewhere' } },
    { status: 'refused', reason: 'rejected' },
  ],
  [{ status: 408 }, { status: 'retryable', reason: 'timeout' }],
  [{ status: 429 }, { status: 'retryable', reason: 'rate-limited', afterMs: null }],
  [
    { status: 429, headers: { 'retry-after': '7' } },
    { status: 'retryable', reason: 'rate-limited', afterMs: 7_000 },
  ],
  [
    { status: 429, headers: { 'retry-after': 'Mon, 23 Nov 2026 06:23:30 GMT' } },
    { status: 'retryable', reason: 'rate-limited', afterMs: 30_000 },
  ],
  [
    { status: 429, headers: { 'retry-after': '99999999' } },
    { status: 'retryable', reason: 'rate-limited', afterMs: 3_600_000 },
  ],
  [{ status: 500 }, { status: 'retryable', reason: 'unavailable' }],
  [
    { status: 503, headers: { 'retry-after': '2' } },
    { status: 'retryable', reason: 'unavailable', afterMs: 2_000 },
  ],
  ['hang', { status: 'retryable', reason: 'timeout' }],
  ['reset', { status: 'retryable', reason: 'network' }],
] as const;

const RECEIVERS: Record<string, (url: string) => Notifier> = {
  webhook: (url) => openWebhook({ ...LINKS, name: 'hook', url, token: 't0ken-secret', secret: 's3cret' }),
  slack: (url) => openSlack({ ...LINKS, url: `${url}/services/T0/B0/slack-secret` }),
  pagerduty: (url) => openPagerDuty({ ...LINKS, url, routingKey: ROUTING_KEY }),
};

describe.each(Object.keys(RECEIVERS))('%s', (name) => {
  it.each(ANSWERS)('takes the answer %j for %j', async (answer, expected) => {
    const peer = await peerWith(() => (typeof answer === 'string' ? answer : { body: '', ...answer }));
    const timeoutMs = answer === 'hang' ? 300 : 10_000;
    expect(await send(RECEIVERS[name]!(peer.url), [item()], timeoutMs)).toMatchObject(expected);
    expect(peer.requests).toHaveLength(1);
  });

  it('may be tried again when nobody listens', async () => {
    const peer = await startHttpPeer();
    await peer.stop();
    expect(await send(RECEIVERS[name]!(peer.url), [item()])).toMatchObject({
      status: 'retryable',
      reason: 'network',
    });
  });

  it('reads no more of an endless answer than it needs', async () => {
    const peer = await peerWith(() => ({ status: 500, body: 'x'.repeat(5_000_000) }));
    const outcome = await send(RECEIVERS[name]!(peer.url), [item()]);
    expect(outcome.status).toBe('retryable');
    expect(JSON.stringify(outcome).length).toBeLessThan(1_000);
  });
});

describe('webhook', () => {
  it('posts the shape of Alertmanager 4, with measured values in annotations alone', async () => {
    const peer = await peerWith();
    const hook = openWebhook({ ...LINKS, name: 'hook', url: `${peer.url}/in`, token: '', secret: '' });
    await send(hook, [item()]);
    await send(hook, [item({ kind: 'reminder', reminder: 1, decidedAtMs: NOW_MS + 1 })]);
    await send(hook, [resolved()]);
    const [firing, reminder, end] = peer.requests.map(({ body }) => JSON.parse(body));
    expect(firing).toMatchObject({
      version: '4',
      status: 'firing',
      receiver: 'hook',
      truncatedAlerts: 0,
      groupLabels: {},
      externalURL: 'https://roomwatch.example.org',
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'RoomwatchEntryFailing', service: 'acme', severity: 'critical' },
          startsAt: '2026-11-23T06:21:00.000Z',
          endsAt: '0001-01-01T00:00:00Z',
        },
      ],
    });
    expect(firing.alerts[0].annotations).toMatchObject({
      windows_left: '2',
      if_nothing_changes:
        'If this continues, 99.9 % is lost at 14:35 UTC+8 (in 12 minutes): 2 of 8 windows left.',
      regions: 'ap-guangzhou 80 %, ap-shanghai 20 %',
    });
    expect(end.alerts[0]).toMatchObject({ status: 'resolved', endsAt: '2026-11-23T06:23:00.000Z' });
    for (const one of [reminder, end]) {
      expect(one.alerts[0].labels).toEqual(firing.alerts[0].labels);
      expect(one.alerts[0].fingerprint).toBe(firing.alerts[0].fingerprint);
      expect(one.groupKey).toBe(firing.groupKey);
    }
  });

  it('signs what it sends, the time included', async () => {
    const peer = await peerWith();
    await send(openWebhook({ ...LINKS, name: 'hook', url: peer.url, token: 'tk', secret: 'shh' }), [item()]);
    const { headers, body } = peer.requests[0]!;
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers['roomwatch-signature']),
    )!;
    expect(Number(seconds)).toBe(NOW_MS / 1_000);
    expect(signature).toBe(createHmac('sha256', 'shh').update(`${seconds}.${body}`).digest('hex'));
    expect(headers.authorization).toBe('Bearer tk');
  });
});

describe('slack', () => {
  const open = (peer: HttpPeer) => openSlack({ ...LINKS, url: `${peer.url}/services/T0/B0/x` });

  it('leads with what is lost if nothing changes, and cannot be made to shout', async () => {
    const peer = await peerWith(slackAnswer);
    const hostile = '<!channel> & <https://evil.example|click>';
    const where = {
      sinceMs: NOW_MS,
      failures: 5,
      regions: [{ name: hostile, failures: 5 }],
      platforms: [],
      causes: [],
      codes: [],
    };
    expect(await send(open(peer), [item({ where })])).toEqual({ status: 'sent' });
    const { text, blocks } = JSON.parse(peer.requests[0]!.body);
    expect(text).toContain('If this continues, 99.9 % is lost at 14:35 UTC+8 (in 12 minutes)');
    expect(JSON.stringify(blocks)).not.toContain('<!channel>');
    expect(JSON.stringify(blocks)).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;');
  });

  it.each([1, 20, 21, 500])('keeps within its limits with %i services', async (count) => {
    const peer = await peerWith(slackAnswer);
    const items = Array.from({ length: count }, (_, i) => {
      const service = `site-${i}-${'x'.repeat(50)}`;
      return item({ service, key: `${service}:-:entry-failing:-:1` });
    });
    expect(await send(open(peer), items)).toEqual({ status: 'sent' });
    const { blocks } = JSON.parse(peer.requests[0]!.body);
    if (count > 20) expect(blocks.at(-1).text.text).toMatch(/^And \d+ more: /);
  });

  it('is not sent when the answer is 200 but not ok', async () => {
    const peer = await peerWith(() => ({ status: 200, body: '<html>sign in</html>' }));
    expect(await send(open(peer), [item()])).toMatchObject({ status: 'refused', reason: 'rejected' });
  });
});

describe('pagerduty', () => {
  const open = (peer: HttpPeer) => openPagerDuty({ ...LINKS, url: peer.url, routingKey: ROUTING_KEY });
  const events = (peer: HttpPeer) => peer.requests.map(({ body }) => JSON.parse(body));

  it('keeps one dedup key from trigger over reminders and acknowledgement to resolve', async () => {
    const peer = await peerWith(pagerDutyAnswer);
    const pager = open(peer);
    for (const one of [
      item(),
      item({ kind: 'reminder', reminder: 1 }),
      item({ kind: 'reminder', reminder: 2 }),
      item({ kind: 'acknowledged', acknowledgedBy: 'mei' }),
      resolved(),
    ]) {
      expect(await send(pager, [one])).toEqual({ status: 'sent' });
    }
    expect(events(peer).map((event) => event.event_action)).toEqual([
      'trigger',
      'trigger',
      'trigger',
      'acknowledge',
      'resolve',
    ]);
    expect(new Set(events(peer).map((event) => event.dedup_key))).toEqual(
      new Set(['roomwatch:acme:-:entry-failing:-:1']),
    );
    expect(events(peer)[0].payload).toMatchObject({
      severity: 'critical',
      source: 'acme',
      class: 'entry-failing',
    });
  });

  it('opens and closes the incident of an episode that was never delivered', async () => {
    const peer = await peerWith(pagerDutyAnswer);
    await send(open(peer), [resolved({ wasUndelivered: true })]);
    expect(events(peer).map((event) => event.event_action)).toEqual(['trigger', 'resolve']);
  });

  it('cuts a long summary and drops details that are too large', async () => {
    const peer = await peerWith(pagerDutyAnswer);
    const acknowledgedBy = 'x'.repeat(600_000);
    expect(await send(open(peer), [item({ service: 'y'.repeat(64), acknowledgedBy })])).toEqual({
      status: 'sent',
    });
    expect(events(peer)[0].payload.custom_details).toBeUndefined();
  });

  it('names an episode by a hash when its key is too long', async () => {
    const peer = await peerWith(pagerDutyAnswer);
    expect(await send(open(peer), [item({ key: 'k'.repeat(300) })])).toEqual({ status: 'sent' });
  });

  it('maps its three severities', async () => {
    const peer = await peerWith(pagerDutyAnswer);
    for (const severity of ['notice', 'warning', 'critical'] as const)
      await send(open(peer), [item({ severity })]);
    expect(events(peer).map((event) => event.payload.severity)).toEqual(['info', 'warning', 'critical']);
  });
});
