import { z } from 'zod';

/**
 * What an alert is: one episode of one step of one service, as it was when it was decided.
 * Plain JSON: it waits in the outbox as it is and is rendered when it is sent. Instants are epoch milliseconds.
 */

/** The steps of the table in README.md. */
export const STEPS = [
  'entry-failing',
  'budget',
  'near',
  'last-window',
  'breached',
  'blind',
  'claim',
] as const;
export type Step = (typeof STEPS)[number];

/** From mild to grave. */
export const SEVERITIES = ['notice', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type AlertState = 'pending' | 'firing' | 'resolved';

/** Why an announced episode ended; each is said in words in the message. */
export const RESOLVE_REASONS = [
  /** What it warned of is no longer so, and stayed so for the step's `clearForMs`. */
  'cleared',
  /** An exclusion or late outcomes took lost windows back. */
  'corrected',
  'month-ended',
  'deadline-passed',
  'switched-off',
] as const;
export type ResolveReason = (typeof RESOLVE_REASONS)[number];

/** What is said of an episode. `reminder` and `acknowledged` only ever follow `firing`. */
export const KINDS = ['firing', 'reminder', 'acknowledged', 'resolved'] as const;
export type Kind = (typeof KINDS)[number];

const epochMs = z.number();
const count = z.int().min(0);

/** The parts that the most failures have in common; at most a handful, most failures first. */
const sharesSchema = z.array(z.object({ name: z.string(), failures: count })).readonly();

/** Where failures came from since `sinceMs`. */
const whereSchema = z.object({
  sinceMs: epochMs,
  failures: count,
  regions: sharesSchema,
  platforms: sharesSchema,
  causes: sharesSchema,
  codes: sharesSchema,
});
export type Where = z.infer<typeof whereSchema>;

/** The month's figures as the reading had them. */
const figuresSchema = z.object({
  month: z.string(),
  days: count,
  /** First instant after the service month. */
  endMs: epochMs,
  /** Truncated as the contract displays it, with its percent sign: the month so far over the whole month. */
  availability: z.string(),
  /**
   * Of `allowed`, `lost` and `left`: under `mean-window-error` no window is lost, but error rates add up to so many.
   * A message that waited through an upgrade has none.
   */
  unit: z.enum(['window', 'window equivalent']).default('window'),
  allowed: count,
  lost: count,
  left: count,
  lowVolumeLost: count,
  downtimeMinutes: count,
  windowsRemaining: count,
  expectedAvailability: z.number(),
  breachProbability: z.number(),
  /** What the contract pays if the month ended now. */
  voucherPercent: z.number(),
  /** "123.45 USD" when the monthly fee is known. */
  voucher: z.string().nullable(),
  lines: z
    .array(
      z.object({
        target: z.string(),
        allowed: count,
        left: count,
        crossed: z.boolean(),
        voucherPercent: z.number(),
      }),
    )
    .readonly(),
});
export type Figures = z.infer<typeof figuresSchema>;

/** The window in progress and the trailing five minutes; counted attempts and failures. */
const entrySchema = z.object({
  windowStartMs: epochMs.nullable(),
  attempts: count,
  failures: count,
  windowLost: z.boolean(),
  rollingAttempts: count,
  rollingFailures: count,
});
export type Entry = z.infer<typeof entrySchema>;

/** The next line to fall, and when, if every window from the one in progress on is lost. */
const fallSchema = z.object({ target: z.string(), atMs: epochMs, voucherPercent: z.number() });
export type Fall = z.infer<typeof fallSchema>;

/**
 * Lost windows of each hour of the month: `hours[h]` is '0' to '9', 'a' to 'c' (12), '.' for the future.
 * `firstDay` is the day of the month at which it begins.
 */
const pictureSchema = z.object({ firstDay: z.int(), hours: z.string().max(31 * 24 + 2) });
export type MonthHours = z.infer<typeof pictureSchema>;

export const alertSchema = z.object({
  /** Names the episode: `service:month:step:line:episode`, '-' for a part that the step has not. */
  key: z.string(),
  service: z.string(),
  step: z.enum(STEPS),
  severity: z.enum(SEVERITIES),
  kind: z.enum(KINDS),
  /** YYYY-MM of the service month, '' for steps that belong to none. */
  month: z.string(),
  /** Percent as text ("99.9"), '' for steps that belong to no line. */
  line: z.string(),
  /** Since when it has been so, as far as known. */
  sinceMs: epochMs,
  firedAtMs: epochMs,
  resolvedAtMs: epochMs.nullable(),
  resolvedBecause: z.enum(RESOLVE_REASONS).nullable(),
  decidedAtMs: epochMs,
  /** 0 for the first message of the episode. */
  reminder: count,
  acknowledgedBy: z.string().nullable(),
  /** The contract's zone: a fixed offset ("+08:00") or an IANA name. */
  timeZone: z.string(),
  figures: figuresSchema.nullable(),
  /** Set while room entry fails, whatever the step: it is what the reader can still change. */
  entry: entrySchema.nullable(),
  fall: fallSchema.nullable(),
  where: whereSchema.nullable(),
  blind: z
    .object({
      cause: z.enum(['agents', 'store']),
      lastAliveAtMs: epochMs.nullable(),
      unseenWindows: count,
      recentWindows: count,
    })
    .nullable(),
  claim: z
    .object({ opens: z.string(), deadline: z.string(), deadlineEndMs: epochMs, daysLeft: z.int() })
    .nullable(),
  picture: pictureSchema.nullable(),
  /** A message of `test-notify`. */
  test: z.boolean(),
});
export type Alert = Readonly<z.infer<typeof alertSchema>>;

/** Path and label safe: no part contains ':' (SERVICE_PATTERN, months, steps, percents). */
export function episodeKey(parts: {
  readonly service: string;
  readonly month: string;
  readonly step: Step;
  readonly line: string;
  readonly episode: number;
}): string {
  return [parts.service, parts.month || '-', parts.step, parts.line || '-', parts.episode].join(':');
}

/** The same decision made twice has the same id, so the outbox takes it once. */
export function entryId(alert: Alert, receiver: string): string {
  const kind = alert.kind === 'reminder' ? `reminder-${alert.reminder}` : alert.kind;
  return `${alert.key.replaceAll(':', '/')}/${receiver}/${kind}`;
}

export function severityAtLeast(severity: Severity, floor: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(floor);
}
