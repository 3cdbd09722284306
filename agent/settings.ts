import { z } from 'zod';
import { CAUSES } from '../sla/cause.ts';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { quote } from '../sla/text.ts';
import { CALLBACK_KEY } from './callback-key.ts';
import { COMPRESSED } from './intake/predecessors.ts';
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

const origin = z
  .string()
  .superRefine((text, context) => {
    const message = originFault(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  // For editors, which cannot ask.
  .meta({ pattern: '^https?:\\/\\/[^/]+$' });

const bytes = (least: number) =>
  z
    .int()
    .min(least)
    .max(2 ** 50);

/** A row of the operator's own for the cause of a code; it wins over the vendor's table. */
const causeRow = z.strictObject({
  platform: z.string().min(1).max(64).describe('As reports name it: web-v5, web-v4, native, or another.'),
  code: z.int().describe('Of the SDK.'),
  extraCode: z.int().optional().describe('The finer code, if the row is for that one alone.'),
  name: z.string().max(200).default('').describe('For people.'),
  attribution: z.enum(CAUSES).describe('The cause that a failure with this code has.'),
  clause: z.string().max(32).default('').describe('Of the contract, for people.'),
});

function sayAppId({ input }: { readonly input?: unknown }): string {
  return input === undefined ? 'is missing; give it' : `is ${quote(input)}; write a number, like 1400000123`;
}

/** An application at the vendor whose room callbacks come to this agent. */
const trtcCallback = z
  .strictObject({
    sdkAppId: z
      .union([z.int().min(1), z.string().regex(/^[1-9]\d{0,19}$/, { error: sayAppId })], { error: sayAppId })
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

const FOLLOWED_FILES_MAX = 16;

/** Files to follow, of the configuration or of `--follow`. */
export const followedFiles = z
  .array(
    z
      .string()
      .min(1, { error: 'is empty; name the file that grows' })
      .refine((path) => !COMPRESSED.test(path), {
        error: 'is compressed; name the file that grows, and unpack this one into roomwatch-agent --stdin',
      }),
  )
  .max(FOLLOWED_FILES_MAX, {
    error: ({ input }) =>
      `is given ${(input as readonly string[]).length} files, and the most is ${FOLLOWED_FILES_MAX}; give the rest to another agent with a spool of its own`,
  });

/** Which of the two is meant cannot be told; see `settingsSchema`. */
export function isOneToken({
  token,
  tokenFile,
}: {
  readonly token?: unknown;
  readonly tokenFile?: unknown;
}): boolean {
  return token === undefined || tokenFile === undefined;
}
export const TWO_TOKENS = { path: ['tokenFile'], error: 'is given beside token; delete one of them' };

/** The agent's configuration file as it may be written; see `load-settings.ts` for what needs more than itself. */
export const settingsSchema = z
  .strictObject({
    server: server.default(DEFAULT_SERVER).describe('The daemon: ws:// or wss://.'),
    token: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe(
        "The daemon's token of role agent. ROOMWATCH_TOKEN wins over it; without any, ./data/agent-token.",
      ),
    tokenFile: z.string().min(1).optional().describe('A file that holds it; relative to this file.'),
    agentId: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('What the daemon calls it; the host name otherwise.'),
    services: z
      .array(service)
      .max(1_000)
      .default([])
      .describe('Watched from the start, even if nobody calls.'),
    service: service.optional().describe('For records that name none; by default the only one of services.'),
    listen: z
      .union(
        [
          z.strictObject({
            host: z
              .string()
              .min(1)
              .max(253)
              .default(DEFAULT_LISTEN.host)
              .describe('Loopback, or an address of yours.'),
            port: z.int().min(0).max(65_535).default(DEFAULT_LISTEN.port).describe('0 takes a free one.'),
          }),
          z.literal(false),
        ],
        {
          error: ({ input }) =>
            `is ${quote(input)}; write a mapping such as { host: ${DEFAULT_LISTEN.host}, port: ${DEFAULT_LISTEN.port} }, or false`,
        },
      )
      .default(DEFAULT_LISTEN)
      .describe('Where reports and the scrape come in over HTTP; false = nowhere.'),
    origins: z
      .array(origin)
      .max(100)
      .default([])
      .describe('Web pages that may report from the browser: https://app.example.org.'),
    follow: followedFiles
      .default([])
      .describe('Files of outcomes, one JSON object a line, read as they grow and across rotation.'),
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
    spool: z
      .strictObject({
        directory: z.string().min(1).default('data/spool').describe('Relative to this file.'),
        maxBytes: bytes(1024 * 1024)
          .default(SPOOL_DEFAULTS.maxBytes)
          .describe(
            'At most so much on the disk, an eighth of it for ids; then the oldest is given up, and counted as lost.',
          ),
        minFreeBytes: bytes(0)
          .default(SPOOL_DEFAULTS.minFreeBytes)
          .describe('Left free on the disk for others.'),
        maxAgeDays: z
          .number()
          .min(0.01)
          .max(400)
          .default(SPOOL_DEFAULTS.maxAgeMs / 86_400_000)
          .describe('What could not be delivered for so long is given up, and counted as lost.'),
        hostId: z
          .string()
          .min(1)
          .max(128)
          .optional()
          .describe(
            'Names the machine when its own id will not do, as in containers that get a new name each time.',
          ),
      })
      .prefault({})
      .describe('What keeps outcomes until the daemon has them.'),
    causes: z.array(causeRow).max(10_000).default([]).describe("Rows before the vendor's table of codes."),
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('The least that is logged.') })
      .prefault({})
      .describe('What is written on standard error, one JSON object a line.'),
  })
  .refine(isOneToken, TWO_TOKENS);

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

/** Browsers send origins in one spelling only, so that any other would never match. */
function originFault(text: string): string | undefined {
  if (text === '*') {
    return 'is "*"; name each origin, like https://app.example.org, or any page could report made-up outcomes';
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    return `is ${quote(text)}; write where the page is, like https://app.example.org`;
  }
  return text === url.origin ? undefined : `is ${quote(text)}; write it as browsers do: ${url.origin}`;
}
