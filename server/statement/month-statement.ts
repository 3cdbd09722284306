import { createHash } from 'node:crypto';
import { canonicalize } from '../../sla/canonical.ts';
import { MINUTE_MS, type MinuteFacts } from '../../sla/facts.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { buildStatement, type Statement } from '../../sla/statement.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';
import { type ExclusionEntry, exclusionsInForce } from '../exclusions.ts';
import type { MonthView } from '../report/month-view.ts';

export interface StatementInput {
  readonly service: string;
  readonly month: ServiceMonth;
  /** May cover more or less than the month; what is missing is zero. */
  readonly facts: MinuteFacts;
  readonly terms: Terms;
  /** Everything that was ever entered, of whatever service. */
  readonly entries: readonly ExclusionEntry[];
  readonly nowMs: number;
}

/**
 * The statement of a month as the books are now. It is made as of the month's end, or of the last full window
 * while the month lasts, and not as of the second in which somebody asks: the same books give the same bytes.
 */
export function monthStatement(input: StatementInput): Statement {
  const { service, month, facts, terms } = input;
  const entries = input.entries.filter(
    ({ exclusion: { service: of, fromMs, toMs } }) =>
      of === service && fromMs < month.endMs && toMs > month.startMs,
  );
  const verdicts = judgeMonth({
    month,
    facts,
    terms,
    exclusions: exclusionsInForce(entries),
    nowMs: asOfMs(month, input.nowMs),
  });
  return buildStatement(
    service,
    verdicts,
    entries.map(({ id, exclusion, entered, withdrawn }) => ({
      id,
      exclusion,
      ...(entered && { enteredAtMs: entered.atMs }),
      ...(withdrawn && { withdrawn }),
    })),
  );
}

function asOfMs(month: ServiceMonth, nowMs: number): number {
  const windowMs = month.windowMinutes * MINUTE_MS;
  const windowsSinceStart = Math.floor((nowMs - month.startMs) / windowMs);
  return Math.min(month.endMs, month.startMs + windowsSinceStart * windowMs);
}

/**
 * SHA-256, in hexadecimal, over the statement's canonical form: JSON with sorted keys and without spaces, in
 * UTF-8. Whoever keeps the hash can show later that the statement was not altered.
 */
export function statementHash(statement: Statement): string {
  return createHash('sha256').update(canonicalize(statement)).digest('hex');
}

/** A statement as reports show it. */
export function viewOfStatement({ service, terms: record, figures, rows }: Statement): MonthView {
  const terms = parseTerms(record);
  const found = terms.ok ? serviceMonth(figures.month, terms.terms) : undefined;
  if (!terms.ok || !found?.ok) {
    throw new Error('STATEMENT_UNREADABLE: its terms or its month are not valid; verify it first');
  }
  return { service, month: found.month, terms: terms.terms, figures, rows };
}
