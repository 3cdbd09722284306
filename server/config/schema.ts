import { z } from 'zod';
import { alertingSchema } from '../../alerts/config.ts';
import { SERVICE_PATTERN } from '../../sla/outcome.ts';
import { termsSchema } from '../../sla/terms.ts';
import { quote } from '../../sla/text.ts';
import { LOG_LEVELS } from '../log.ts';

/**
 * The configuration file as it may be written. Values that need more than themselves (files, other values)
 * are judged in load.ts.
 */

export const DEFAULT_PORT = 9470;
const TOKEN_ROLES = ['agent', 'reader', 'admin'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

const service = z.string().regex(SERVICE_PATTERN, {
  error: ({ input }) =>
    `is ${quote(input)}; a service is 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit`,
});

const days = (from: number, to: number) => z.int().min(from).max(to);

/** No message of this schema quotes a token. */
const token = z.string().regex(/^[A-Za-z0-9._~+/=-]{16,512}$/, {
  error: 'must be 16 to 512 letters, digits or . _ ~ + / = -; make one with `openssl rand -hex 24`',
});

const tokenSchema = z.strictObject({
  name: z.string().min(1).max(64).describe('Who holds it; named in the log, in exclusions and in silences.'),
  token: token.optional().describe('The secret itself, sent as "Authorization: Bearer SECRET".'),
  role: z
    .enum(TOKEN_ROLES)
    .describe('agent sends outcomes; reader reads the API; admin reads, writes and may send.'),
  services: z
    .union([z.literal('all'), z.array(service).min(1).max(10_000)])
    .default('all')
    .describe('What it reaches: every service, or a list of them. /metrics needs all.'),
});

const storeSchema = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Redis: redis://, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://. Without it and without directory, REDIS_URL of the environment.',
    ),
  directory: z
    .string()
    .min(1)
    .optional()
    .describe('Embedded store, for one daemon; relative to this file. Without url and directory: ./data.'),
  keyPrefix: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Redis: what every key begins with, by default roomwatch:, so that different books can share a server.',
    ),
  sentinelPassword: z
    .string()
    .min(1)
    .optional()
    .describe('Redis: of the Sentinels themselves, when they have one.'),
  commandTimeoutMs: z
    .int()
    .min(100)
    .max(60_000)
    .optional()
    .describe('Redis: how long one command may take before the store counts as away; by default 5,000.'),
  durability: z
    .enum(['server', 'fsync'])
    .optional()
    .describe(
      'Redis: fsync refuses a server that does not flush every write before it answers (appendfsync always); server takes its persistence as it is.',
    ),
  strict: z
    .boolean()
    .optional()
    .describe(
      'Redis: refuse to start on a server that may lose the books (eviction, no append-only file), instead of a warning.',
    ),
});

const exclusionsFile = z
  .string()
  .min(1)
  .optional()
  .describe('A list of exclusions in YAML or JSON, beside those entered by the API; relative to this file.');

const serviceSchema = z.strictObject({
  terms: termsSchema
    .optional()
    .describe('Terms of its own, keys as under terms; nothing of the general ones is taken.'),
  exclusionsFile,
});

const connections = z.int().min(1).max(100_000).optional();

export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z
        .string()
        .min(1)
        .max(253)
        .default('127.0.0.1')
        .describe('Loopback is open for reading; elsewhere a token is needed.'),
      port: z
        .int()
        .min(0)
        .max(65_535)
        .default(DEFAULT_PORT)
        .describe('Of the page, the API, /metrics and the agents; 0 takes a free one.'),
    })
    .prefault({})
    .describe('Where the daemon listens.'),
  store: storeSchema.prefault({}).describe('Where the books are kept.'),
  tokens: z
    .array(tokenSchema)
    .max(1_000)
    .default([])
    .describe(
      'Who may send, read and write. Without one that may send, the first start makes an agent-token.',
    ),
  terms: termsSchema.optional().describe('The contract; without it the preset trtc.'),
  exclusionsFile,
  services: z
    .record(service, serviceSchema)
    .default({})
    .describe('Services whose contract differs from the general one, by name.'),
  alerting: alertingSchema.prefault({}).describe('When somebody is told, and by which way.'),
  limits: z
    .strictObject({
      services: z
        .int()
        .min(1)
        .max(100_000)
        .default(1_000)
        .describe('Services with metric series of their own; the others are counted together.'),
      regionsPerService: z.int().min(1).max(1_000).default(20).describe('The same for regions.'),
      platformsPerService: z.int().min(1).max(100).default(8).describe('The same for platforms.'),
      agents: z.int().min(1).max(100_000).default(10_000).describe('Agents connected at the same time.'),
      connectionsPerAddress: connections.describe('Agents from one address; without it as many as in all.'),
      connectionsPerToken: connections.describe('Agents with one token; without it as many as in all.'),
      factsCacheBytes: z
        .int()
        .min(1_048_576)
        .max(17_179_869_184)
        .default(268_435_456)
        .describe('Memory for months as they were read from the store.'),
    })
    .prefault({})
    .describe('Bounds on what others can make the daemon hold.'),
  retentionDays: days(62, 3_650)
    .default(430)
    .describe('How long minutes are kept: a year of months and the days of the last claim.'),
  metrics: z
    .strictObject({
      open: z.boolean().default(false).describe('/metrics needs no token, also off loopback.'),
    })
    .prefault({})
    .describe('The scrape.'),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('The least that is logged.') })
    .prefault({})
    .describe('What is written on standard error, one JSON object a line.'),
  shutdownDeadlineMs: z
    .int()
    .min(1_000)
    .max(600_000)
    .default(25_000)
    .describe('After SIGTERM: how long agents have to go elsewhere before they are cut off.'),
});

export type ConfigFile = z.output<typeof configSchema>;
