import { z } from 'zod';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { isPlainText, quote } from '../sla/text.ts';
import { SEVERITIES, STEPS } from './alert.ts';
import { PAGERDUTY_URL } from './notify/pagerduty.ts';

/** The receivers of a configuration, each type with what its contract needs. No fault repeats a secret. */

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
  error: ({ input }) => `is ${quote(input)}; a name is 1 to 64 letters, digits, dashes or underscores`,
});
const line = z
  .string()
  .min(1)
  .max(998)
  .refine((text) => isPlainText(text, 998), 'must be one line of text');
const secret = z
  .string()
  .max(1_024)
  .refine((text) => isPlainText(text, 1_024), 'must be one line of text');
export const httpUrl = z
  .string()
  .max(2_048)
  .refine(isHttpUrl, 'must be an http:// or https:// address without a user or password in it');
/** One address, without a display name. */
const address = z
  .string()
  .max(254)
  .regex(/^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$/, {
    error: ({ input }) => `is ${quote(input)}; write one address such as ops@example.org`,
  });
const sender = z
  .string()
  .max(320)
  .regex(/^(?:[^\r\n<>"]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/, {
    error: ({ input }) => `is ${quote(input)}; write alerts@example.org or Name <alerts@example.org>`,
  });

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
}

const common = {
  name: name.describe('Unique; `roomwatch test-notify --receiver NAME` tries it.'),
  minSeverity: z.enum(SEVERITIES).default('notice').describe('The least that it is told.'),
  steps: z.array(z.enum(STEPS)).min(1).nullable().default(null).describe('Only these; null = all.'),
  services: z
    .array(z.string().regex(SERVICE_PATTERN))
    .min(1)
    .max(10_000)
    .nullable()
    .default(null)
    .describe('Only these; null = all.'),
};
const message = {
  ...common,
  fallback: name.nullable().default(null).describe('The receiver that is told when this one refuses.'),
  messagesPerMinute: z
    .int()
    .min(1)
    .max(6_000)
    .default(30)
    .describe('More wait for their turn; none is dropped.'),
};

const reminders = z.boolean().default(true).describe('Whether reminders are sent too.');

const emailSchema = z
  .strictObject({
    ...message,
    type: z.literal('email').describe('E-mail by SMTP.'),
    host: line.describe('The mail server.'),
    port: z.int().min(1).max(65_535).default(587).describe('465 goes with tls: implicit.'),
    tls: z
      .enum(['starttls', 'implicit', 'none'])
      .default('starttls')
      .describe('How it is encrypted; a server that will not is refused.'),
    ca: z.string().max(100_000).default('').describe('Certificate to trust, PEM.'),
    user: line.or(z.literal('')).default('').describe('To log in with.'),
    password: secret.default('').describe('Its password.'),
    from: sender.describe('alerts@example.org or Name <alerts@example.org>.'),
    to: z.array(address).min(1).max(50).describe('One address each.'),
    subject: z
      .enum(['status', 'stable'])
      .default('status')
      .describe('status says firing or resolved; stable stays the same, for readers that thread by subject.'),
    reminders,
  })
  .refine((it) => it.tls !== 'none' || it.user === '' || isLoopback(it.host), {
    path: ['tls'],
    message: 'is none, which would send the password in the clear; use starttls or implicit',
  })
  .refine((it) => (it.user === '') === (it.password === ''), {
    path: ['password'],
    message: 'needs user, and user needs it; give both or neither',
  });

const webhookSchema = z.strictObject({
  ...message,
  type: z.literal('webhook').describe("JSON in the shape of Alertmanager's webhook, version 4."),
  url: httpUrl.describe('Where it is posted.'),
  token: secret.default('').describe('Sent as "Authorization: Bearer TOKEN".'),
  secret: secret.default('').describe('Signs the body, HMAC-SHA256.'),
  reminders,
});

const slackSchema = z.strictObject({
  ...message,
  type: z.literal('slack').describe('An incoming webhook of Slack.'),
  url: httpUrl.describe('Its address, which is a secret.'),
  reminders,
});

const pagerDutySchema = z.strictObject({
  ...message,
  type: z.literal('pagerduty').describe('Events API v2 of PagerDuty.'),
  routingKey: z
    .string()
    .regex(/^[A-Za-z0-9]{32}$/, { error: 'must be the 32 characters of an integration key' })
    .describe('The integration key.'),
  url: httpUrl.default(PAGERDUTY_URL).describe('Of another region, or of a proxy.'),
  // An incident reminds by itself.
  reminders: z.boolean().default(false).describe('Whether reminders are sent too.'),
});

const alertmanagerSchema = z
  .strictObject({
    ...common,
    type: z.literal('alertmanager').describe('Alertmanager, by its API version 2.'),
    urls: z.array(httpUrl).min(1).max(10).describe('Every replica, never a load balancer before them.'),
    user: line.or(z.literal('')).default('').describe('For basic authentication.'),
    password: secret.default('').describe('Its password.'),
    token: secret.default('').describe('Sent as "Authorization: Bearer TOKEN", instead of user.'),
  })
  .refine((it) => it.token === '' || it.user === '', {
    path: ['token'],
    message: 'is given together with user; keep one of them',
  });

export const receiverSchema = z.discriminatedUnion('type', [
  emailSchema,
  webhookSchema,
  slackSchema,
  pagerDutySchema,
  alertmanagerSchema,
]);
export type ReceiverConfig = z.output<typeof receiverSchema>;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
