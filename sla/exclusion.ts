import { addBusinessDays } from './business-days.ts';
import { instantText, MINUTES_A_DAY, parseDate, parseInstant } from './instant.ts';
import { contractDate } from './month.ts';
import { nearestWord } from './nearest.ts';
import { OUTCOME_LIMITS, SERVICE_PATTERN } from './outcome.ts';
import type { Terms } from './terms.ts';
import { isPlainText, quote } from './text.ts';

/** The clauses under which downtime does not count. */
export const EXCLUSION_CLAUSES = [
  '4.1',
  '4.2',
  '4.3',
  '4.4',
  '4.5',
  '4.6',
  '4.7',
  '4.8',
  '4.9',
  '4.10',
  '4.11',
  '4.12',
  '4.13',
  '4.14',
] as const;
export type ExclusionClause = (typeof EXCLUSION_CLAUSES)[number];

/** Clauses that hold only with a notice given beforehand. */
const NOTICE_CLAUSES: readonly ExclusionClause[] = ['4.6', '4.9', '4.10'];
/** Business days of notice that a traffic surge needs (4.6). */
const SURGE_NOTICE_DAYS = 5;

/** An interval of one service that a clause takes out of the tallies, and who says so. `toMs` is excluded. */
export interface Exclusion {
  readonly service: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly clause: ExclusionClause;
  readonly author: string;
  readonly reason: string;
  readonly noticeAtMs?: number;
}

export interface ExclusionFault {
  /** '' for the whole entry. */
  readonly field: string;
  readonly message: string;
}

export type ParsedExclusion =
  | { readonly ok: true; readonly exclusion: Exclusion }
  | { readonly ok: false; readonly faults: readonly ExclusionFault[] };

/** Characters; and the longest interval, a bound against a mistyped year. */
const EXCLUSION_LIMITS = {
  author: 128,
  reason: 1_000,
  longestMs: 366 * MINUTES_A_DAY * 60_000,
} as const;

const FIELDS = ['service', 'from', 'to', 'clause', 'author', 'reason', 'noticeAt'] as const;
type Field = (typeof FIELDS)[number];

/**
 * Reads one entry of an exclusions file or request; unknown keys are refused, as a person writes them.
 * @param terms  whose zone and calendar the business days of a 4.6 notice are counted in; without them only the
 *               order of the instants is checked
 * @returns the exclusion, or every fault; never throws
 */
export function parseExclusion(input: unknown, terms?: Terms): ParsedExclusion {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse([{ field: '', message: `an exclusion is an object, not ${quote(input)}` }]);
  }
  const faults: ExclusionFault[] = unknownKeys(input);
  const entry = input as Readonly<Partial<Record<Field, unknown>>>;
  const read = <T>(field: Field, parse: (value: unknown) => T | undefined, fix: string): T | undefined => {
    const value = entry[field];
    const parsed = value === undefined ? undefined : parse(value);
    if (parsed === undefined) {
      faults.push({
        field,
        message: `${field} is ${value === undefined ? 'missing' : quote(value)}; ${fix}`,
      });
    }
    return parsed;
  };

  const service = read('service', readService, 'name the service');
  const fromMs = read('from', readInstant, INSTANT_RULE);
  const toMs = read('to', readInstant, INSTANT_RULE);
  const clause = read(
    'clause',
    (value) => EXCLUSION_CLAUSES.find((one) => one === value),
    // Unquoted YAML reads 4.10 as the number 4.1, which is another clause.
    'write 4.1 to 4.14 as text, in quotation marks',
  );
  const author = read(
    'author',
    readLine(EXCLUSION_LIMITS.author),
    'name who decided it, in 1 to 128 characters',
  );
  const reason = read(
    'reason',
    readLine(EXCLUSION_LIMITS.reason),
    'say why, in one line of 1 to 1,000 characters',
  );
  const needsNotice = clause !== undefined && NOTICE_CLAUSES.includes(clause);
  const noticeAtMs =
    entry.noticeAt !== undefined || needsNotice
      ? read('noticeAt', readInstant, `${INSTANT_RULE}; it is when notice was given`)
      : undefined;

  if (fromMs !== undefined && toMs !== undefined) {
    if (toMs <= fromMs)
      faults.push({ field: 'to', message: 'to is not after from; swap them or delete the entry' });
    else if (toMs - fromMs > EXCLUSION_LIMITS.longestMs) {
      faults.push({
        field: 'to',
        message: 'to is more than 366 days after from; check the year, or split the entry',
      });
    }
  }
  if (fromMs !== undefined && noticeAtMs !== undefined) {
    const message = noticeFault({ fromMs, noticeAtMs, clause, terms });
    if (message !== undefined) faults.push({ field: 'noticeAt', message });
  }
  if (
    faults.length > 0 ||
    service === undefined ||
    fromMs === undefined ||
    toMs === undefined ||
    clause === undefined ||
    author === undefined ||
    reason === undefined
  ) {
    return refuse(faults);
  }
  const exclusion = { service, fromMs, toMs, clause, author, reason };
  return { ok: true, exclusion: noticeAtMs === undefined ? exclusion : { ...exclusion, noticeAtMs } };
}

/** An exclusion in the shape of an exclusions file. */
export interface ExclusionRecord {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly clause: ExclusionClause;
  readonly author: string;
  readonly reason: string;
  readonly noticeAt?: string;
}

export function exclusionRecord(exclusion: Exclusion): ExclusionRecord {
  const { service, fromMs, toMs, clause, author, reason, noticeAtMs } = exclusion;
  const record = { service, from: instantText(fromMs), to: instantText(toMs), clause, author, reason };
  return noticeAtMs === undefined ? record : { ...record, noticeAt: instantText(noticeAtMs) };
}

/**
 * Marks the minutes that the exclusions touch, whole minutes each.
 * @returns one entry a minute from `firstMinute`, 1 = left out; null when none is touched
 */
export function excludedMinutes(
  exclusions: readonly Exclusion[],
  run: { readonly firstMinute: number; readonly minuteCount: number },
): Uint8Array | null {
  let marks: Uint8Array | null = null;
  for (const { fromMs, toMs } of exclusions) {
    const from = Math.max(0, Math.floor(fromMs / 60_000) - run.firstMinute);
    const to = Math.min(run.minuteCount, Math.ceil(toMs / 60_000) - run.firstMinute);
    if (from >= to) continue;
    marks ??= new Uint8Array(run.minuteCount);
    marks.fill(1, from, to);
  }
  return marks;
}

/**
 * 4.6 asks for the notice five business days ahead: the day on which the interval begins is the fifth business
 * day after the day of the notice, or later. 4.9 and 4.10 ask that it was given before.
 */
function noticeFault(given: {
  readonly fromMs: number;
  readonly noticeAtMs: number;
  readonly clause: ExclusionClause | undefined;
  readonly terms: Terms | undefined;
}): string | undefined {
  const { fromMs, noticeAtMs, clause, terms } = given;
  if (noticeAtMs >= fromMs) return 'noticeAt is not before from; a notice after the event excludes nothing';
  if (clause !== '4.6' || terms === undefined) return undefined;
  const noticeDay = parseDate(contractDate(noticeAtMs, terms.timeZone))!;
  const fromDay = parseDate(contractDate(fromMs, terms.timeZone))!;
  if (addBusinessDays(noticeDay, SURGE_NOTICE_DAYS, terms.claim.calendar) <= fromDay) return undefined;
  return `noticeAt is less than ${SURGE_NOTICE_DAYS} business days before from, which clause 4.6 asks for; the surge stays counted`;
}

const INSTANT_RULE = 'write RFC 3339 with an offset, like 2026-07-03T10:02:00+08:00';

function readInstant(value: unknown): number | undefined {
  const atMs = typeof value === 'string' && value.length <= 64 ? parseInstant(value) : undefined;
  return atMs !== undefined && atMs >= OUTCOME_LIMITS.minMs && atMs < OUTCOME_LIMITS.maxMs ? atMs : undefined;
}

function readService(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 64 && SERVICE_PATTERN.test(value) ? value : undefined;
}

/** One line of text: it goes into mails and statements. */
function readLine(most: number): (value: unknown) => string | undefined {
  return (value) => (isPlainText(value, most) && value !== '' ? value : undefined);
}

function unknownKeys(input: object): ExclusionFault[] {
  return Object.keys(input)
    .filter((key) => !(FIELDS as readonly string[]).includes(key))
    .slice(0, 5)
    .map((key) => {
      const near = nearestWord(key, FIELDS);
      const fix = near === undefined ? `known are ${FIELDS.join(', ')}` : `did you mean ${near}?`;
      return {
        field: quote(key).slice(1, -1),
        message: `${quote(key)} is not a field of an exclusion; ${fix}`,
      };
    });
}

function refuse(faults: readonly ExclusionFault[]): ParsedExclusion {
  return { ok: false, faults };
}
