import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Alert } from '../alert.ts';
import { FULL_ITEMS, type Item, type Message, render } from '../message.ts';
import { monthPicture } from '../picture.ts';
import { type Notifier, refused, retryable, SENT, type SendOutcome } from './notifier.ts';
import { redactor } from './redact.ts';

/** Where mails go out, and what they look like. */
export interface EmailOptions {
  readonly host: string;
  readonly port: number;
  /** 'starttls' and 'implicit' refuse to speak in the clear; 'none' is for a relay on the same machine. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** PEM of the authority that signed the server's certificate; '' = the system's. */
  readonly ca: string;
  /** '' = no authentication */
  readonly user: string;
  readonly password: string;
  readonly from: string;
  /** As shown in the mail; the mail is delivered to `recipient` alone. */
  readonly to: readonly string[];
  /** One address: what happens to one recipient must not repeat or withhold another one's mail. */
  readonly recipient: string;
  /** 'status' puts the state first; 'stable' keeps one subject for an episode, for clients that thread by it. */
  readonly subject: 'status' | 'stable';
  readonly externalUrl: string;
  readonly runbookUrl: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 15_000;
/** Many services at once are one mail; what exceeds this is the next one. */
const ALERTS_PER_MAIL = 500;
const PICTURE_CID = 'month@roomwatch';

/** Mails by SMTP (RFC 5321), one recipient at a time; threaded by episode (RFC 5322, 3.6.4). */
export function openEmail(options: EmailOptions): Notifier {
  const domain = options.from.replace(/^.*@/, '').replace(/>.*$/, '');
  // AUTH PLAIN sends both in one word (RFC 4616), and a server may repeat what it was sent.
  const redact = redactor([options.password, `\0${options.user}\0${options.password}`]);
  const transport = createTransport({
    host: options.host,
    port: options.port,
    secure: options.tls === 'implicit',
    requireTLS: options.tls === 'starttls',
    ignoreTLS: options.tls === 'none',
    tls: options.ca === '' ? {} : { ca: options.ca },
    ...(options.user === '' ? {} : { auth: { user: options.user, pass: options.password } }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    // Nothing of a message may make the mailer read a file or fetch a page.
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  return {
    alertsPerMessage: ALERTS_PER_MAIL,
    async send(items, { nowMs, signal }) {
      const picture = items.length === 1 ? items[0]?.alert.picture : null;
      const message = render(items, { ...options, nowMs, pictureCid: picture ? PICTURE_CID : null });
      const subject = subjectOf(items, message, options.subject);
      const thread = threadOf(items, domain, nowMs);
      const headers = [subject, options.from, options.recipient, ...options.to, thread.messageId];
      if (headers.some((value) => /[\r\n\0]/.test(value))) {
        return refused(
          'rejected',
          'a header would contain a line break; a name or an address is not one line',
        );
      }
      const isUrgent = items.some(
        ({ alert }) => alert.severity === 'critical' && alert.kind === 'firing' && !alert.test,
      );
      try {
        await transport.sendMail({
          from: options.from,
          to: [...options.to],
          envelope: { from: options.from, to: [options.recipient] },
          subject,
          text: message.text,
          html: message.html,
          date: new Date(nowMs),
          ...thread,
          ...(isUrgent ? { priority: 'high' as const } : {}),
          headers: {
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'All',
            'List-Id': `roomwatch alerts <roomwatch.${domain}>`,
          },
          attachments: picture
            ? [
                {
                  filename: 'month.png',
                  content: monthPicture(picture),
                  contentType: 'image/png',
                  cid: PICTURE_CID,
                },
              ]
            : [],
          signal,
        });
        return SENT;
      } catch (error) {
        return outcomeOf(error, redact);
      }
    },
    close: () => transport.close(),
  };
}

interface Thread {
  readonly messageId: string;
  readonly inReplyTo?: string;
  readonly references?: string[];
}

/**
 * The first mail of an episode has an id that follows from the episode; whatever comes later has an id of its
 * own and refers to the first. A mail about several episodes refers to all of them, so that it joins their threads.
 */
function threadOf(items: readonly Item[], domain: string, nowMs: number): Thread {
  const id = (name: string) =>
    `<roomwatch.${createHash('sha256').update(name).digest('hex').slice(0, 40)}@${domain}>`;
  const roots = items.slice(0, FULL_ITEMS).map(({ alert }) => id(alert.key));
  const [only] = items;
  if (only?.alert.test) return { messageId: id(`test ${only.alert.key} ${nowMs}`) };
  if (items.length === 1 && only && isFirst(only)) return { messageId: roots[0]! };
  const name = items.map(({ alert, wasUndelivered }) => `${nameOf(alert)} ${wasUndelivered}`).join('\n');
  return { messageId: id(name), inReplyTo: roots[0]!, references: roots };
}

function isFirst({ alert, wasUndelivered }: Item): boolean {
  return alert.kind === 'firing' || wasUndelivered;
}

function nameOf(alert: Alert): string {
  return `${alert.key} ${alert.kind} ${alert.reminder}`;
}

function subjectOf(items: readonly Item[], message: Message, style: EmailOptions['subject']): string {
  const only = items.length === 1 ? items[0] : undefined;
  if (style === 'status' || !only || only.alert.test) return message.subject;
  const { service, step, month, line } = only.alert;
  return `roomwatch ${service}: ${[step, line && `${line} %`, month].filter(Boolean).join(' ')}`;
}

/** SMTP replies 4xx are temporary and 5xx final (RFC 5321, 4.2.1); without a reply the network is to blame. */
function outcomeOf(error: unknown, redact: (text: string) => string): SendOutcome {
  const { code, responseCode, message } = error as { code?: string; responseCode?: number; message?: string };
  const detail = redact([code, message].filter(Boolean).join(': '));
  // No TLS where TLS is required, whatever the reply: it may come back, and in the clear nothing is sent.
  if (code === 'ETLS') return retryable('network', detail);
  if (responseCode !== undefined && responseCode >= 500) {
    return refused(code === 'EAUTH' ? 'unauthorized' : 'rejected', detail);
  }
  if (responseCode !== undefined && responseCode >= 400) return retryable('unavailable', detail);
  if (code === 'ETIMEDOUT' || code === 'EABORT') return retryable('timeout', detail);
  return retryable('network', detail);
}
