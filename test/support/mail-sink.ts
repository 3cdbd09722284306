import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { selfSigned } from './certificate.ts';

export interface MailSinkOptions {
  readonly tls?: 'none' | 'starttls' | 'implicit';
  /** Only this user may send. */
  readonly auth?: { readonly user: string; readonly password: string };
  /** 0 = any free one. */
  readonly port?: number;
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** When its last byte had come, before it was answered. */
  readonly atMs: number;
  readonly isSecure: boolean;
  readonly user: string;
  /** As it came over the wire. */
  readonly raw: string;
  readonly mail: ParsedMail;
}

export interface MailSink {
  readonly port: number;
  /** PEM to trust; '' without TLS. */
  readonly ca: string;
  /** In order of arrival. */
  readonly mails: ReceivedMail[];
  /** Recipients that were named, refused ones included. */
  readonly attempts: string[];
  /** Replies to RCPT TO by recipient; others are accepted. Change it while it runs. */
  readonly replies: Map<string, { readonly code: number; readonly text: string }>;
  /** Wait before each answer to RCPT TO. */
  delayMs: number;
  stop(): Promise<void>;
}

/** A real SMTP server on the loopback that keeps every mail, parsed, and refuses whom it is told to refuse. */
export async function startMailSink(options: MailSinkOptions = {}): Promise<MailSink> {
  const tls = options.tls ?? 'none';
  const certificate = tls === 'none' ? undefined : selfSigned();
  const mails: ReceivedMail[] = [];
  const attempts: string[] = [];
  const replies: MailSink['replies'] = new Map();
  const sink = { delayMs: 0 };

  const server = new SMTPServer({
    secure: tls === 'implicit',
    ...(certificate ?? {}),
    disabledCommands: [
      ...(tls === 'starttls' ? [] : ['STARTTLS' as const]),
      ...(options.auth ? [] : ['AUTH' as const]),
    ],
    authOptional: !options.auth,
    // A relay in the clear may still ask for a password; that the client refuses is what a test wants to see.
    allowInsecureAuth: tls === 'none',
    logger: false,
    onAuth(given, _session, done) {
      const isKnown = given.username === options.auth?.user && given.password === options.auth?.password;
      if (isKnown) return done(null, { user: given.username ?? '' });
      done(replied(535, 'authentication failed'));
    },
    onRcptTo({ address }, _session, done) {
      attempts.push(address);
      void sleep(sink.delayMs).then(() => {
        const reply = replies.get(address);
        done(reply ? replied(reply.code, reply.text) : null);
      });
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const atMs = Date.now();
        const raw = Buffer.concat(chunks).toString('utf8');
        simpleParser(raw).then((mail) => {
          const { mailFrom, rcptTo } = session.envelope;
          mails.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            atMs,
            isSecure: session.secure,
            user: typeof session.user === 'string' ? session.user : '',
            raw,
            mail,
          });
          done(null);
        }, done);
      });
    },
  });
  // A client that hangs up in the middle is part of some tests.
  server.on('error', () => {});
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');

  return Object.assign(sink, {
    port: address.port,
    ca: certificate?.cert ?? '',
    mails,
    attempts,
    replies,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
      }),
  });
}

function replied(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
