import { inflateSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../alerts/alert.ts';
import type { Item } from '../../alerts/message.ts';
import { type EmailOptions, openEmail } from '../../alerts/notify/email.ts';
import type { SendOutcome } from '../../alerts/notify/notifier.ts';
import { type MailSink, type MailSinkOptions, startMailSink } from '../support/mail-sink.ts';
import { startTcpServer } from '../support/tcp-server.ts';
import { alertOf } from './samples.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function sinkWith(options: MailSinkOptions = {}): Promise<MailSink> {
  const sink = await startMailSink(options);
  closers.push(() => sink.stop());
  return sink;
}

function mailer(sink: { port: number; ca?: string }, wishes: Partial<EmailOptions> = {}) {
  const notifier = openEmail({
    host: '127.0.0.1',
    port: sink.port,
    tls: 'none',
    ca: sink.ca ?? '',
    user: '',
    password: '',
    from: 'roomwatch <alerts@example.org>',
    to: ['ops@example.org', 'lead@example.org'],
    recipient: 'ops@example.org',
    subject: 'status',
    externalUrl: 'https://roomwatch.example.org',
    runbookUrl: '',
    ...wishes,
  });
  closers.push(() => notifier.close());
  return (items: readonly Item[], { nowMs = NOW_MS, timeoutMs = 5_000 } = {}): Promise<SendOutcome> =>
    notifier.send(items, { nowMs, signal: AbortSignal.timeout(timeoutMs) });
}

const NOW_MS = Date.parse('2026-11-23T06:23:00Z');

function item(alert: Partial<Alert> = {}, wasUndelivered = false): Item {
  return { alert: alertOf(alert), wasUndelivered, insteadOf: null };
}

describe('a mail', () => {
  it('is text first, then HTML with the month as a picture, and says that no person wrote it', async () => {
    const sink = await sinkWith();
    expect(await mailer(sink)([item()])).toEqual({ status: 'sent' });
    const [received] = sink.mails;
    const { mail, raw, to } = received!;
    expect(to).toEqual(['ops@example.org']);
    expect(mail.subject).toBe('[critical] acme: room entry is failing');
    expect(mail.text?.split('\n')[0]).toBe(
      'If this continues, 99.9 % is lost at 14:35 UTC+8 (in 12 minutes): 2 of 8 windows left.',
    );
    expect(raw.indexOf('text/plain')).toBeLessThan(raw.indexOf('text/html'));
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
    expect(String(mail.headers.get('list'))).toBeTruthy();
    expect(raw).toMatch(/^List-Id: roomwatch alerts <roomwatch\.example\.org>\r?$/im);
    expect(mail.date).toEqual(new Date(NOW_MS));
    const [picture] = mail.attachments;
    expect(picture).toMatchObject({ contentType: 'image/png', related: true });
    expect(pixelsOf(picture!.content)).toMatchObject({ depth: 8, colourType: 3 });
    expect(mail.html).toContain('<img src="data:image/png;base64,');
  });

  it('of high priority is only the firing of a critical alert', async () => {
    const sink = await sinkWith();
    const send = mailer(sink);
    await send([item()]);
    await send([item({ severity: 'warning', step: 'near', line: '99.9' })]);
    await send([item({ kind: 'reminder', reminder: 1 })]);
    await send([resolved()]);
    const urgent = sink.mails.map(({ raw }) => /^(X-Priority: 1|Importance: high)/im.test(raw));
    expect(urgent).toEqual([true, false, false, false]);
  });

  it('of one episode joins one thread: the first id follows from the episode, later ones are new', async () => {
    const sink = await sinkWith();
    const send = mailer(sink);
    await send([item()]);
    await send([item({ kind: 'reminder', reminder: 1 })]);
    await send([resolved()]);
    // Another process, another time: the same first id.
    await mailer(sink)([item()], { nowMs: NOW_MS + 60_000 });
    const [first, reminder, end, again] = sink.mails.map(({ mail }) => mail);
    expect(first?.messageId).toMatch(/^<roomwatch\.[0-9a-f]{40}@example\.org>$/);
    expect(first?.inReplyTo).toBeUndefined();
    expect(again?.messageId).toBe(first?.messageId);
    for (const later of [reminder, end]) {
      expect(later?.inReplyTo).toBe(first?.messageId);
      expect(later?.references).toBe(first?.messageId);
    }
    expect(new Set([first, reminder, end].map((mail) => mail?.messageId)).size).toBe(3);
  });

  it('about many services is one mail that belongs to all of their threads', async () => {
    const sink = await sinkWith();
    const send = mailer(sink);
    const items = ['a', 'b', 'c'].map((service) => item({ service, key: `${service}:-:entry-failing:-:1` }));
    await send(items);
    await send([items[1]!]);
    const [group, alone] = sink.mails.map(({ mail }) => mail);
    expect(group?.subject).toBe('[3 firing] 3 services: room entry is failing');
    expect(group?.references).toContain(alone?.messageId);
    expect(group?.references).toHaveLength(3);
  });

  it('survives hostile names: nothing breaks out of a header, of the text or of the HTML', async () => {
    const sink = await sinkWith();
    const hostile = 'eu\r\nBcc: thief@example.org\u202e<script>alert(1)</script>';
    await mailer(sink)([
      item({
        where: {
          sinceMs: NOW_MS,
          failures: 10,
          regions: [{ name: hostile, failures: 10 }],
          platforms: [],
          causes: [],
          codes: [],
        },
        acknowledgedBy: hostile,
      }),
    ]);
    const { mail, raw } = sink.mails[0]!;
    expect(mail.html).not.toContain('<script');
    expect(mail.html).toContain('&lt;script&gt;');
    // A line that quoted-printable broke softly goes on in the next one.
    expect(raw.replace(/=\r?\n/g, '')).not.toMatch(/^bcc:/im);
    expect(mail.headers.has('bcc')).toBe(false);
    expect(mail.text).not.toContain('\u202e');
  });

  it('whose address holds a line break is refused before anything is sent', async () => {
    const sink = await sinkWith();
    const send = mailer(sink, { to: ['ops@example.org\r\nBcc: thief@example.org'] });
    expect(await send([item()])).toMatchObject({ status: 'refused', reason: 'rejected' });
    expect(sink.attempts).toEqual([]);
  });

  it('with a stable subject keeps it through an episode', async () => {
    const sink = await sinkWith();
    const send = mailer(sink, { subject: 'stable' });
    await send([item()]);
    await send([resolved()]);
    expect(new Set(sink.mails.map(({ mail }) => mail.subject))).toEqual(
      new Set(['roomwatch acme: entry-failing']),
    );
  });
});

describe('the way to the server', () => {
  const auth = { user: 'roomwatch', password: 'correct horse battery' };

  for (const tls of ['starttls', 'implicit'] as const) {
    it(`${tls} with a known certificate and a password delivers`, async () => {
      const sink = await sinkWith({ tls, auth });
      const send = mailer(sink, { tls, user: auth.user, password: auth.password });
      expect(await send([item()])).toEqual({ status: 'sent' });
      expect(sink.mails[0]).toMatchObject({ isSecure: true, user: 'roomwatch' });
    });

    it(`${tls} with a certificate that nobody vouches for does not`, async () => {
      const sink = await sinkWith({ tls });
      const outcome = await mailer({ port: sink.port }, { tls })([item()]);
      expect(outcome).toMatchObject({ status: 'retryable', reason: 'network' });
      expect(sink.mails).toEqual([]);
    });
  }

  it('a server that offers no TLS is not spoken to in the clear', async () => {
    const sink = await sinkWith({ tls: 'none' });
    expect(await mailer(sink, { tls: 'starttls' })([item()])).toMatchObject({ status: 'retryable' });
    expect(sink.mails).toEqual([]);
  });

  it('a wrong password is refused, and not repeated in the result', async () => {
    const sink = await sinkWith({ tls: 'starttls', auth });
    const outcome = await mailer(sink, { tls: 'starttls', user: 'roomwatch', password: 'wrong-secret' })([
      item(),
    ]);
    expect(outcome).toMatchObject({ status: 'refused', reason: 'unauthorized' });
    expect(JSON.stringify(outcome)).not.toContain('wrong-secret');
  });

  for (const [code, expected] of [
    [450, { status: 'retryable', reason: 'unavailable' }],
    [452, { status: 'retryable', reason: 'unavailable' }],
    [550, { status: 'refused', reason: 'rejected' }],
    [554, { status: 'refused', reason: 'rejected' }],
  ] as const) {
    it(`a ${code} for the recipient is ${expected.status}`, async () => {
      const sink = await sinkWith();
      sink.replies.set('ops@example.org', { code, text: 'scripted' });
      expect(await mailer(sink)([item()])).toMatchObject(expected);
    });
  }

  it('a server that does not answer is given up at the deadline and may be tried again', async () => {
    const sink = await sinkWith();
    sink.delayMs = 2_000;
    expect(await mailer(sink)([item()], { timeoutMs: 200 })).toMatchObject({
      status: 'retryable',
      reason: 'timeout',
    });
  });

  it('a server that hangs up, or is not there, may be tried again', async () => {
    const server = await startTcpServer((socket) => socket.destroy());
    closers.push(server.stop);
    expect(await mailer({ port: server.port })([item()])).toMatchObject({
      status: 'retryable',
      reason: 'network',
    });
    await server.stop();
    expect(await mailer({ port: server.port })([item()])).toMatchObject({
      status: 'retryable',
      reason: 'network',
    });
  });
});

function resolved(): Item {
  return item({
    kind: 'resolved',
    resolvedAtMs: NOW_MS,
    resolvedBecause: 'cleared',
    entry: null,
    fall: null,
  });
}

/** Reads a PNG back: the header, and that the pixels are as many as it promises. */
function pixelsOf(png: Buffer) {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const start = png.indexOf('IDAT');
  const data = inflateSync(png.subarray(start + 4, start + 4 + png.readUInt32BE(start - 4)));
  expect(data.length).toBe((width + 1) * height);
  return { width, height, depth: png[24], colourType: png[25] };
}
