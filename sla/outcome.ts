import { CAUSES, type Cause } from './cause.ts';
import { parseInstant } from './instant.ts';
import { isPlainText, quote } from './text.ts';

/**
 * A service's name is a key in stores, a label value and a path segment, so its alphabet is small.
 * 1 to 64 characters: letters, digits, dot, dash, underscore; the first one a letter or digit.
 */
export const SERVICE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Platforms for which the code table is consulted; any other name is kept as a label only. */
export const TABLE_PLATFORMS = ['web-v5', 'web-v4', 'native'] as const;

/**
 * One user's request to enter a room (clause 1.4), or `count` equal ones, as an application reported it.
 * `startedAtMs` is when the request started, in epoch milliseconds: its window is that instant's (sla.md).
 * Absent labels are ''. `code` and `extraCode` are integers of the vendor's SDK, absent when none was given.
 */
export interface Outcome {
  readonly service: string;
  readonly startedAtMs: number;
  readonly result: 'ok' | 'failed';
  readonly count: number;
  readonly platform: string;
  readonly region: string;
  readonly app: string;
  readonly code?: number;
  readonly extraCode?: number;
  /** Given by the application; it wins over the code table. */
  readonly cause?: Cause;
  /** A repeated report with the same id counts once. */
  readonly id?: string;
  readonly durationMs?: number;
}

/** Why a record was refused: a stable code, the field ('' for the whole record), and a sentence with the fix. */
export interface OutcomeFault {
  readonly code: OutcomeFaultCode;
  readonly field: string;
  readonly message: string;
}
export type OutcomeFaultCode =
  | 'OUTCOME_NOT_JSON'
  | 'OUTCOME_NOT_OBJECT'
  | 'OUTCOME_FIELD_MISSING'
  | 'OUTCOME_FIELD_INVALID'
  | 'OUTCOME_TIME_OUT_OF_RANGE';

/** Bounds of a record's fields. */
export const OUTCOME_LIMITS = {
  /** Characters of platform, region and app, which become labels. */
  labelCharacters: 64,
  idCharacters: 128,
  count: 1_000_000,
  /** 2001-01-01 (included): epoch seconds and microseconds of this century fall outside. */
  minMs: 978_307_200_000,
  /** 2100-01-01 (excluded) */
  maxMs: 4_102_444_800_000,
} as const;

export interface OutcomeDefaults {
  /** For records that name no service. */
  readonly service?: string;
  /** For records without `at`. */
  readonly nowMs?: number;
  /** Added to every `at`: how far our clock is ahead of the sender's. Whole; default 0. */
  readonly clockGapMs?: number;
  /** Of `at`: minMs included, maxMs excluded. */
  readonly bounds?: { readonly minMs: number; readonly maxMs: number };
}

export type ParsedOutcome =
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly fault: OutcomeFault };

/**
 * Reads one line of a stream: JSON text of one record. The caller bounds the line's length.
 * @returns never throws; see `parseOutcome`
 */
export function parseOutcomeText(text: string, defaults: OutcomeDefaults): ParsedOutcome {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return refuse('OUTCOME_NOT_JSON', '', `${quote(text)} is not JSON; write one JSON object a line`);
  }
  return parseOutcome(record, defaults);
}

/**
 * Reads one record as an application reports it. Unknown fields are ignored, and null is the same as a field
 * left out, as many serializers write one for the other.
 * @param record  parsed JSON
 * @returns the outcome, or the first fault: a record is refused whole, with its reason, and never thrown
 */
export function parseOutcome(record: unknown, defaults: OutcomeDefaults): ParsedOutcome {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    return refuse('OUTCOME_NOT_OBJECT', '', `an outcome is a JSON object, not ${quote(record)}`);
  }
  const fields = record as Readonly<Record<string, unknown>>;

  const service = fields.service ?? defaults.service;
  if (service === undefined) return missing('service', 'name it in the record or in the configuration');
  // The length first: the pattern must not run over a megabyte.
  if (typeof service !== 'string' || service.length > 64 || !SERVICE_PATTERN.test(service)) {
    const rule = 'use 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit';
    return invalid('service', service, rule);
  }

  const result = fields.result;
  if (result === undefined || result === null) return missing('result', "write 'ok' or 'failed'");
  if (result !== 'ok' && result !== 'failed') return invalid('result', result, "write 'ok' or 'failed'");

  const startedAtMs = readStart(fields.at, defaults);
  if (typeof startedAtMs !== 'number') return startedAtMs;

  const count = fields.count ?? 1;
  if (!isInteger(count) || count < 1 || count > OUTCOME_LIMITS.count) {
    return invalid('count', count, 'write an integer from 1 to 1,000,000; split what is more');
  }

  const platform = fields.platform ?? '';
  if (!isPlainText(platform, OUTCOME_LIMITS.labelCharacters)) return invalidLabel('platform', platform);
  const region = fields.region ?? '';
  if (!isPlainText(region, OUTCOME_LIMITS.labelCharacters)) return invalidLabel('region', region);
  const app = fields.app ?? '';
  if (!isPlainText(app, OUTCOME_LIMITS.labelCharacters)) return invalidLabel('app', app);

  const outcome: { -readonly [K in keyof Outcome]: Outcome[K] } = {
    service,
    startedAtMs,
    result,
    count,
    platform,
    region,
    app,
  };

  const code = fields.code ?? undefined;
  if (code !== undefined) {
    if (!isInteger(code)) return invalid('code', code, CODE_RULE);
    outcome.code = code;
  }
  const extraCode = fields.extraCode ?? undefined;
  if (extraCode !== undefined) {
    if (!isInteger(extraCode)) return invalid('extraCode', extraCode, CODE_RULE);
    outcome.extraCode = extraCode;
  }
  const cause = fields.cause ?? undefined;
  if (cause !== undefined) {
    if (!isCause(cause)) return invalid('cause', cause, `write one of ${CAUSES.join(', ')}, or leave it out`);
    outcome.cause = cause;
  }
  const id = fields.id ?? undefined;
  if (id !== undefined) {
    if (!isOutcomeId(id)) {
      return invalid('id', id, 'write a text of 1 to 128 characters without control characters');
    }
    outcome.id = id;
  }
  const durationMs = fields.durationMs ?? undefined;
  if (durationMs !== undefined) {
    if (typeof durationMs !== 'number' || !(durationMs >= 0 && durationMs < Number.POSITIVE_INFINITY)) {
      return invalid('durationMs', durationMs, 'write milliseconds, zero or more');
    }
    outcome.durationMs = durationMs;
  }
  return { ok: true, outcome };
}

/** A text that holds digits is refused, not converted: '5400' and 5400 would be two codes in every table. */
const CODE_RULE = 'write an integer, without quotation marks';

function readStart(at: unknown, defaults: OutcomeDefaults): number | ParsedOutcome {
  if (at === undefined || at === null) {
    return defaults.nowMs ?? missing('at', 'write when the request started, as RFC 3339 with an offset');
  }
  const bounds = defaults.bounds ?? OUTCOME_LIMITS;
  const gapMs = defaults.clockGapMs ?? 0;
  if (typeof at === 'number') {
    if (!Number.isInteger(at)) return invalid('at', at, 'write whole epoch milliseconds');
    if (at + gapMs >= bounds.minMs && at + gapMs < bounds.maxMs) return at + gapMs;
    return outOfRange(at, bounds, unitHint(at, bounds));
  }
  const atMs = typeof at === 'string' ? parseInstant(at) : undefined;
  if (atMs === undefined) {
    const rule = 'write RFC 3339 with an offset, like 2026-11-03T02:00:00.120Z, or epoch milliseconds';
    return invalid('at', at, rule);
  }
  if (atMs + gapMs >= bounds.minMs && atMs + gapMs < bounds.maxMs) return atMs + gapMs;
  return outOfRange(at, bounds, "correct the sender's clock or the text");
}

/** Seconds and microseconds are the usual mistakes, and each has its own cure. */
function unitHint(at: number, bounds: { readonly minMs: number; readonly maxMs: number }): string {
  const couldBe = (ms: number) => ms >= bounds.minMs && ms < bounds.maxMs;
  if (couldBe(at * 1_000)) return 'it looks like seconds: multiply by 1,000';
  if (couldBe(at / 1_000)) return 'it looks like microseconds: divide by 1,000';
  if (couldBe(at / 1_000_000)) return 'it looks like nanoseconds: divide by 1,000,000';
  return 'write epoch milliseconds';
}

export function isOutcomeId(value: unknown): value is string {
  return isPlainText(value, OUTCOME_LIMITS.idCharacters) && value !== '';
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isCause(value: unknown): value is Cause {
  return (CAUSES as readonly unknown[]).includes(value);
}

function refuse(code: OutcomeFaultCode, field: string, message: string): ParsedOutcome {
  return { ok: false, fault: { code, field, message } };
}

function missing(field: string, fix: string): ParsedOutcome {
  return refuse('OUTCOME_FIELD_MISSING', field, `${field} is missing; ${fix}`);
}

function invalid(field: string, value: unknown, fix: string): ParsedOutcome {
  return refuse('OUTCOME_FIELD_INVALID', field, `${field} is ${quote(value)}; ${fix}`);
}

function invalidLabel(field: string, value: unknown): ParsedOutcome {
  return invalid(field, value, 'write a text of at most 64 characters without control characters');
}

function outOfRange(
  at: unknown,
  bounds: { readonly minMs: number; readonly maxMs: number },
  fix: string,
): ParsedOutcome {
  const range = `${new Date(bounds.minMs).toISOString()} to ${new Date(bounds.maxMs).toISOString()}`;
  return refuse('OUTCOME_TIME_OUT_OF_RANGE', 'at', `at is ${quote(at)}, outside ${range}; ${fix}`);
}
