import { createHash } from 'node:crypto';
import { canonicalize } from '../../sla/canonical.ts';
import { compareStatement, type Statement } from '../../sla/statement.ts';
import { quote } from '../../sla/text.ts';
import { looksLikeStatementCsv, readStatementCsv } from './csv.ts';

export type Verification =
  | { readonly status: 'verified'; readonly statement: Statement; readonly hash: string }
  /** The first thing that does not follow from the rest, as a sentence. */
  | { readonly status: 'differs'; readonly message: string }
  /** Something else altogether. */
  | { readonly status: 'not-a-statement'; readonly message: string };

/**
 * Computes a statement (JSON or CSV) again: every verdict and figure from the rows, then the hash over all of
 * it. A statement whose author made rows, figures and hash agree passes: against that helps only the hash as
 * it was published at the time. Never throws.
 */
export function verifyStatement(text: string): Verification {
  const read = looksLikeStatementCsv(text) ? readStatementCsv(text) : readJson(text);
  if (!read.ok) {
    const isOurs = looksLikeStatementCsv(text);
    return { status: isOurs ? 'differs' : 'not-a-statement', message: read.message };
  }
  const { sha256, ...statement } = read.data;
  const check = compareStatement(statement);
  if (!check.ok) return { status: 'differs', message: sentence(check.path, check.message) };
  const hash = createHash('sha256').update(canonicalize(statement)).digest('hex');
  if (sha256 !== hash) {
    const message = `sha256 is ${quote(sha256)}; the statement gives ${quote(hash)}: it was altered after it was made`;
    return { status: 'differs', message };
  }
  return { status: 'verified', statement: statement as unknown as Statement, hash };
}

function sentence(path: string, message: string): string {
  return message.startsWith(path) ? message : `${path} ${message}`;
}

function readJson(
  text: string,
):
  | { readonly ok: true; readonly data: Record<string, unknown> }
  | { readonly ok: false; readonly message: string } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    return { ok: false, message: `it is neither a statement's CSV nor JSON (${(error as Error).message})` };
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return { ok: false, message: `it is ${quote(data)}; a statement is a JSON object` };
  }
  const record = data as Record<string, unknown>;
  if (record.kind === 'roomwatch.statement') return { ok: true, data: record };
  return { ok: false, message: `kind is ${quote(record.kind)}; a statement has "roomwatch.statement"` };
}
