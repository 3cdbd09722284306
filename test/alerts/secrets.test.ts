import { afterEach, describe, expect, it } from 'vitest';
import { createDeadMansSwitch } from '../../alerts/dead-mans-switch.ts';
import type { Store } from '../../server/store/store.ts';
import { type HttpPeer, startHttpPeer } from '../support/http-peer.ts';
import { startMailSink } from '../support/mail-sink.ts';
import { startTcpServer } from '../support/tcp-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { rigOf, STORES } from './rig.ts';
import { MINUTE_MS, Scene } from './scene.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Every secret that a configuration can hold, each with a part that is found again in any of its forms. */
const SECRETS = {
  password: 'pässword-4f1c"x\\y',
  token: 'tok-7be2/93+a',
  secret: 'sign-me-55d0',
  routingKey: 'abcdef0123456789abcdef0123456789',
  path: 'T024/B881/kZq9XwSecretPath',
} as const;

const FORMS = Object.values(SECRETS).flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64'),
  Buffer.from(`ops:${secret}`).toString('base64'),
  Buffer.from(`\0ops\0${secret}`).toString('base64'),
]);

function leaksIn(text: string): string[] {
  return FORMS.filter((form) => text.includes(form));
}

/** A peer that repeats all that it was told, as helpful proxies and error pages do. */
function echo(status: number): HttpPeer['answer'] {
  return ({ path, headers, body }) => ({
    status,
    body: `you sent ${path} ${JSON.stringify(headers)} ${body.slice(0, 400)}`,
  });
}

describe('no receiver leaks a secret', () => {
  async function storeOf(): Promise<Store> {
    const { store, close } = await STORES.lmdb!();
    closers.push(close);
    return store;
  }

  /** One of each kind; `url` is where the HTTP ones go, `smtpPort` where mail goes. */
  const receiversTo = (url: string, smtpPort: number) => [
    {
      name: 'mail',
      type: 'email',
      host: '127.0.0.1',
      port: smtpPort,
      tls: 'none',
      user: 'ops',
      password: SECRETS.password,
      from: 'a@example.org',
      to: ['ops@example.org'],
    },
    {
      name: 'hook',
      type: 'webhook',
      url: `${url}/${SECRETS.path}`,
      token: SECRETS.token,
      secret: SECRETS.secret,
    },
    { name: 'chat', type: 'slack', url: `${url}/services/${SECRETS.path}` },
    { name: 'pager', type: 'pagerduty', url, routingKey: SECRETS.routingKey },
    { name: 'am', type: 'alertmanager', urls: [url], user: 'ops', password: SECRETS.password },
    { name: 'am2', type: 'alertmanager', urls: [url], token: SECRETS.token },
  ];
  const NAMES = ['mail', 'hook', 'chat', 'pager', 'am', 'am2'];

  const PEERS: Record<string, () => Promise<{ url: string; smtpPort: number }>> = {
    'that refuse and repeat what they were told': async () => {
      const peer = await startHttpPeer(echo(400));
      const sink = await startMailSink({ auth: { user: 'ops', password: 'another' } });
      closers.push(peer.stop, () => sink.stop());
      return { url: peer.url, smtpPort: sink.port };
    },
    'that fail and repeat what they were told': async () => {
      const peer = await startHttpPeer(echo(503));
      // An SMTP server that asks for a password and answers with what it was sent.
      const smtp = await startTcpServer((socket) => {
        socket.write('220 hello\r\n');
        socket.on('data', (data) => {
          const said = data.toString().trim();
          socket.write(said.startsWith('EHLO') ? '250-hi\r\n250 AUTH PLAIN\r\n' : `454 you said ${said}\r\n`);
        });
      });
      closers.push(peer.stop, smtp.stop);
      return { url: peer.url, smtpPort: smtp.port };
    },
    'that are not there': async () => {
      const gone = await startTcpServer(() => {});
      await gone.stop();
      return { url: `http://127.0.0.1:${gone.port}`, smtpPort: gone.port };
    },
  };

  it.each(Object.keys(PEERS))('to peers %s: in logs, results, counts or the store', async (kind) => {
    const { url, smtpPort } = await PEERS[kind]!();
    const store = await storeOf();
    const scene = new Scene().lose(1_000, 6);
    const startMs = scene.windowAt(4_000);
    scene.fail(startMs, startMs + 10 * MINUTE_MS, { attempts: 100, failures: 60 });
    const rig = rigOf(store, { receivers: receiversTo(url, smtpPort) }, { nowMs: () => startMs + 20_000 });
    rig.alerting.start();
    closers.push(() => rig.alerting.stop());
    await rig.alerting.consider('acme', scene.at(startMs + 20_000));
    await waitFor('every receiver to fail', () =>
      NAMES.every((name) => rig.counted.some((c) => c.includes(name))),
    );
    const results = await rig.alerting.testNotify();
    expect(new Set(results.map(({ receiver }) => receiver))).toEqual(new Set(NAMES));
    expect(results.every(({ outcome }) => outcome.status !== 'sent')).toBe(true);
    const all = [
      ...rig.lines,
      ...rig.counted,
      JSON.stringify(results),
      JSON.stringify(await store.ledger.load('acme')),
      JSON.stringify(await store.ledger.claim({ service: 'acme', nowMs: 1e15, leaseMs: 1, limit: 100 })),
    ].join('\n');
    // What is searched through is there at all.
    expect(all).toContain('entry-failing');
    expect(rig.lines.some((line) => line.includes('detail'))).toBe(true);
    expect(leaksIn(all)).toEqual([]);
  });

  it("nor does the dead man's switch", async () => {
    const peer = await startHttpPeer(echo(404));
    closers.push(peer.stop);
    const lines: string[] = [];
    const write = (fields: object, message: string) => lines.push(JSON.stringify({ ...fields, message }));
    const beat = await createDeadMansSwitch({
      url: `${peer.url}/${SECRETS.path}`,
      intervalMs: 60_000,
      evaluatedAtMs: () => 0,
      pingStore: async () => {},
      outboxAgeMs: async () => 0,
      nowMs: () => 0,
      log: { debug: write, info: write, warn: write, error: write },
    }).beat();
    expect(beat.status).toBe('unheard');
    expect(leaksIn(`${JSON.stringify(beat)}${lines.join()}`)).toEqual([]);
  });
});
