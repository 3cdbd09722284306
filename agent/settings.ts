import { z } from 'zod';
import { CAUSES } from '../sla/cause.ts';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { quote } from '../sla/text.ts';
import { CALLBACK_KEY } from './callback-key.ts';
import { SPOOL_DEFAULTS } from './spool/limits.ts';

export const DEFAULT_SERVER = 'ws://127.0.0.1:9470';
export const DEFAULT_LISTEN = { host: '127.0.0.1', port: 9471 } as const;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const service = z.string().regex(SERVICE_PATTERN, {
  error: ({ input }) =>
    `is ${quote(input)}; a service is 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit`,
});

const server = z.string().refine(isServerUrl, {
  error: ({ input }) =>
    `is ${quote(input)}; write a URL such as ${DEFAULT_SERVER} or wss://roomwatch.example.com`,
});

const bytes = (least: number) =>
  z
    .int()
    .min(least)
    .max(2 ** 50);

/** A row of the operator's own for the cause of a code; it wins over the vendor's table. */
const causeRow = z.strictObject({
  platform: z.string().min(1).max(64),
  code: z.int(),
  extraCode: z.int().optional(),
  name: z.string().max(200).default(''),
  attribution: z.enum(CAUSES),
  clause: z.string().max(32).default(''),
});

/** An application at the vendor whose room callbacks come to this agent. */
const trtcCallback = z
  .strictObject({
    sdkAppId: z
      .union([z.int().min(1), z.string().regex(/^[1-9]\d{0,19}$/)])
      .transform(String)
      .describe("The application's id at the vendor."),
    service: service.describe('Whose callbacks they are.'),
    key: z
      .string()
      .regex(CALLBACK_KEY, { error: 'is not 1 to 32 letters and digits' })
      .optional()
      .describe(
        "The callback key of the vendor's console; without it and keyFile, ROOMWATCH_TRTC_CALLBACK_KEY.",
      ),
    keyFile: z.string().min(1).optional().describe('A file that holds it; relative to this file.'),
  })
  .refine((app) => app.key === undefined || app.keyFile === undefined, {
    path: ['keyFile'],
    error: 'is given beside key; delete one of them',
  });

/** The agent's configuration file as it may be written; see `load-settings.ts` for what needs more than itself. */
export const settingsSchema = z.strictObject({
  server: server.default(DEFAULT_SERVER),
  token: z.string().min(1).max(512).optional(),
  tokenFile: z.string().min(1).optional(),
  agentId: z.string().min(1).max(128).optional(),
  /** Alive from the start, even if nobody calls. */
  services: z.array(service).max(1_000).default([]),
  /** For records that name none; by default the only one of `services`. */
  service: service.optional(),
  listen: z
    .union([
      z.strictObject({
        host: z.string().min(1).max(253).default(DEFAULT_LISTEN.host),
        port: z.int().min(0).max(65_535).default(DEFAULT_LISTEN.port),
      }),
      z.literal(false),
    ])
    .default(DEFAULT_LISTEN),
  /** Origins of web pages that may report. */
  origins: z
    .array(z.string().regex(/^https?:\/\/[^/]+$/))
    .max(100)
    .default([]),
  trtcCallbacks: z
    .array(trtcCallback)
    .max(100)
    .superRefine((apps, context) => {
      for (const [i, { sdkAppId }] of apps.entries()) {
        if (apps.findIndex((other) => other.sdkAppId === sdkAppId) === i) continue;
        const message = `is ${sdkAppId} once more; an application belongs to one service`;
        context.addIssue({ code: 'custom', path: [i, 'sdkAppId'], message });
      }
    })
    .default([])
    .describe('Applications whose room callbacks the vendor sends to /v1/trtc/callback.'),
  follow: z.array(z.string().min(1)).max(16).default([]),
  spool: z
    .strictObject({
      directory: z.string().min(1).default('data/spool'),
      maxBytes: bytes(1024 * 1024).default(SPOOL_DEFAULTS.maxBytes),
      minFreeBytes: bytes(0).default(SPOOL_DEFAULTS.minFreeBytes),
      maxAgeDays: z
        .number()
        .min(0.01)
        .max(400)
        .default(SPOOL_DEFAULTS.maxAgeMs / 86_400_000),
      /** Names the machine when its own id will not do, e.g. in containers that get a new name each time. */
      hostId: z.string().min(1).max(128).optional(),
    })
    .prefault({}),
  causes: z.array(causeRow).max(10_000).default([]),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
});

export type SettingsFile = z.output<typeof settingsSchema>;

export function isServerUrl(text: string): boolean {
  try {
    const { protocol, username, password, hash } = new URL(text);
    // Credentials in a URL end in logs.
    return (protocol === 'ws:' || protocol === 'wss:') && username === '' && password === '' && hash === '';
  } catch {
    return false;
  }
}
