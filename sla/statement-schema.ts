import { z } from 'zod';
import type { CAUSES } from './cause.ts';
import { VERDICTS } from './verdict.ts';

/** The shape of a statement that somebody hands in for verification. */

const count = z.int().min(0);
const minutes = count.max(2_880);
const failures = z.strictObject({
  provider: count,
  unknown: count,
  customer: count,
  network: count,
} satisfies Record<(typeof CAUSES)[number], typeof count>);

const rowSchema = z.strictObject({
  start: z.string(),
  verdict: z.enum(VERDICTS),
  minutes,
  excludedMinutes: minutes,
  aliveMinutes: minutes,
  attempts: count,
  failures,
  counted: z.strictObject({ attempts: count, failures: count }),
  excluded: z.strictObject({ attempts: count, failures }).optional(),
  lateAttempts: count,
  lowVolume: z.boolean(),
});

const exclusionSchema = z.looseObject({
  id: z.string(),
  enteredAt: z.string().optional(),
  withdrawn: z.strictObject({ at: z.string(), by: z.string(), reason: z.string() }).optional(),
});

export const statementSchema = z.strictObject({
  kind: z.literal('roomwatch.statement'),
  version: z.literal(1),
  service: z.string(),
  terms: z.record(z.string(), z.unknown()),
  exclusions: z.array(exclusionSchema).max(10_000),
  /** Compared with the figures computed again, so that only what the computation needs is looked at here. */
  figures: z.looseObject({ month: z.string(), asOf: z.string() }),
  /** One a window: at most a month of one-minute windows. */
  rows: z.array(rowSchema).max(44_640),
});
