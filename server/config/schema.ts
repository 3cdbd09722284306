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
  name: z.string().min(1).max(64),
  token: token.optional(),
  role: z.enum(TOKEN_ROLES),
  services: z.union([z.literal('all'), z.array(service).min(1).max(10_000)]).default('all'),
});

const storeSchema = z.strictObject({
  url: z.string().min(1).optional(),
  directory: z.string().min(1).optional(),
  keyPrefix: z.string().min(1).max(64).optional(),
  sentinelPassword: z.string().min(1).optional(),
  commandTimeoutMs: z.int().min(100).max(60_000).optional(),
  durability: z.enum(['server', 'fsync']).optional(),
  strict: z.boolean().optional(),
});

const serviceSchema = z.strictObject({
  terms: termsSchema.optional(),
  exclusionsFile: z.string().min(1).optional(),
});

export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().min(1).max(253).default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(DEFAULT_PORT),
    })
    .prefault({}),
  store: storeSchema.prefault({}),
  tokens: z.array(tokenSchema).max(1_000).default([]),
  terms: termsSchema.optional(),
  exclusionsFile: z.string().min(1).optional(),
  services: z.record(service, serviceSchema).default({}),
  alerting: alertingSchema.prefault({}),
  limits: z
    .strictObject({
      /** Services, regions and platforms with metric series of their own. */
      services: z.int().min(1).max(100_000).default(1_000),
      regionsPerService: z.int().min(1).max(1_000).default(20),
      platformsPerService: z.int().min(1).max(100).default(8),
      agents: z.int().min(1).max(100_000).default(10_000),
      /** Agents from one address, and with one token; without these as many as in all. */
      connectionsPerAddress: z.int().min(1).max(100_000).optional(),
      connectionsPerToken: z.int().min(1).max(100_000).optional(),
      factsCacheBytes: z.int().min(1_048_576).max(17_179_869_184).default(268_435_456),
    })
    .prefault({}),
  /** A year of months and the days of the last claim's deadline. */
  retentionDays: days(62, 3_650).default(430),
  metrics: z.strictObject({ open: z.boolean().default(false) }).prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
  shutdownDeadlineMs: z.int().min(1_000).max(600_000).default(25_000),
});

export type ConfigFile = z.output<typeof configSchema>;
