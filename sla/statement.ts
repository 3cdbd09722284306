import { type Difference, firstDifference } from './canonical.ts';
import { CAUSES } from './cause.ts';
import { type Exclusion, type ExclusionRecord, exclusionRecord, parseExclusion } from './exclusion.ts';
import { emptyFacts, MEASURE_COUNT, MEASURE_INDEX } from './facts.ts';
import { figuresOf, type MonthFigures } from './figures.ts';
import { instantText, parseInstant } from './instant.ts';
import { foldMinutes, judgeFold, type MonthVerdicts } from './judge-month.ts';
import { serviceMonth } from './month.ts';
import { statementSchema } from './statement-schema.ts';
import { parseTerms, termsRecord } from './terms.ts';
import { quote } from './text.ts';
import { rowOf, type WindowRow } from './window-row.ts';

/**
 * The evidence of one service month: every window with its counts and verdict, who excluded what and why, what
 * came late, the terms, and the figures that follow. Plain data: whoever holds it can compute the figures again,
 * with `compareStatement` or by hand. Observed; where it differs from the provider's record, that one prevails.
 */
export interface Statement {
  readonly kind: 'roomwatch.statement';
  readonly version: 1;
  readonly service: string;
  /** In the shape of a terms file, complete. */
  readonly terms: Readonly<Record<string, unknown>>;
  readonly exclusions: readonly StatementExclusion[];
  readonly figures: MonthFigures;
  readonly rows: readonly WindowRow[];
}

/** An exclusion with its history; a withdrawn one is shown and not applied. */
export interface StatementExclusion extends ExclusionRecord {
  readonly id: string;
  readonly enteredAt?: string;
  readonly withdrawn?: { readonly at: string; readonly by: string; readonly reason: string };
}

/** What the audit trail knows of an exclusion. */
export interface ExclusionEntry {
  readonly id: string;
  readonly exclusion: Exclusion;
  readonly enteredAtMs?: number;
  readonly withdrawn?: { readonly atMs: number; readonly by: string; readonly reason: string };
}

/**
 * @param verdicts  judged with exactly the entries that are not withdrawn
 * @param entries   of the service and touching the month, withdrawn ones included
 */
export function buildStatement(
  service: string,
  verdicts: MonthVerdicts,
  entries: readonly ExclusionEntry[],
): Statement {
  return {
    kind: 'roomwatch.statement',
    version: 1,
    service,
    terms: termsRecord(verdicts.terms),
    exclusions: entries.map(({ id, exclusion, enteredAtMs, withdrawn }) => ({
      id,
      ...exclusionRecord(exclusion),
      ...(enteredAtMs !== undefined && { enteredAt: instantText(enteredAtMs) }),
      ...(withdrawn && {
        withdrawn: { at: instantText(withdrawn.atMs), by: withdrawn.by, reason: withdrawn.reason },
      }),
    })),
    figures: figuresOf(verdicts),
    rows: Array.from({ length: verdicts.month.windows }, (_, window) => rowOf(verdicts, window)),
  };
}

export type StatementCheck =
  | { readonly ok: true }
  /** The first place that does not follow from the rest, and a sentence about it. */
  | { readonly ok: false; readonly path: string; readonly message: string };

/**
 * Computes a statement again from its own rows, exclusions and terms: each window's verdict from its counts, the
 * figures from the windows. What the rows do not hold (whether the counts are true) it cannot tell; that is what
 * the hash and the date of the statement are for.
 * @param input  parsed JSON; never throws
 */
export function compareStatement(input: unknown): StatementCheck {
  const parsed = statementSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return differs(issue.path.join('.'), issue.message);
  }
  const given = parsed.data;
  const terms = parseTerms(given.terms);
  if (!terms.ok) return differs(`terms.${terms.faults[0]!.path.join('.')}`, terms.faults[0]!.message);
  const found = serviceMonth(given.figures.month, terms.terms);
  if (!found.ok) return differs('figures.month', found.message);
  const nowMs = parseInstant(given.figures.asOf);
  if (nowMs === undefined) return differs('figures.asOf', 'is not an instant');
  if (given.rows.length !== found.month.windows) {
    return differs('rows', `are ${given.rows.length}, and the month has ${found.month.windows} windows`);
  }
  const exclusions: Exclusion[] = [];
  for (const [i, entry] of given.exclusions.entries()) {
    const { id: _, enteredAt: __, withdrawn, ...record } = entry;
    const exclusion = parseExclusion(record);
    if (!exclusion.ok) return differs(`exclusions[${i}]`, exclusion.faults[0]!.message);
    if (withdrawn === undefined) exclusions.push(exclusion.exclusion);
  }
  const fold = foldMinutes({ month: found.month, facts: emptyFacts(0, 0), exclusions, nowMs });
  for (const [window, row] of given.rows.entries()) {
    for (const counts of [row, row.excluded]) {
      if (counts !== undefined && sumOf(counts.failures) > counts.attempts) {
        return differs(`rows[${window}]`, 'has more failures than attempts');
      }
    }
    put(fold.tallies, window, row);
    if (row.excluded !== undefined) put(fold.excludedTallies, window, row.excluded);
    fold.aliveMinutes[window] = row.aliveMinutes;
    fold.late[window] = row.lateAttempts;
  }
  const verdicts = judgeFold({ month: found.month, terms: terms.terms, nowMs }, fold);
  // The entries stand as they are: they are what the figures are computed from.
  const again = { ...buildStatement(given.service, verdicts, []), exclusions: given.exclusions };
  // A changed row also changes figures; the row is what the reader wants to be shown.
  const difference = firstDifference(given.rows, again.rows, 'rows') ?? firstDifference(given, again);
  return difference === null ? { ok: true } : differs(difference.path, sentenceOf(difference));
}

function differs(path: string, message: string): StatementCheck {
  return { ok: false, path, message };
}

function sentenceOf({ path, left, right }: Difference): string {
  return `${path} is ${quote(left)}; the rows, exclusions and terms give ${quote(right)}`;
}

type Counts = Pick<WindowRow, 'attempts' | 'failures'>;

function sumOf(failures: Counts['failures']): number {
  return CAUSES.reduce((sum, cause) => sum + failures[cause], 0);
}

function put(tallies: Float64Array, window: number, { attempts, failures }: Counts): void {
  const at = window * MEASURE_COUNT;
  tallies[at + MEASURE_INDEX.attempts] = attempts;
  for (const cause of CAUSES) tallies[at + MEASURE_INDEX[cause]] = failures[cause];
}
