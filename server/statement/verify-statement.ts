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
  if (!check.ok) {
    const message = check.message.startsWith(check.path) ? check.message : `${check.path} ${check.message}`;
    return { status: 'differs', message: `${message}${windowName(statement, check.path)}` };
  }
  const hash = createHash('sha256').update(canonicalize(statement)).digest('hex');
  if (sha256 !== hash) {
    const message = `sha256 is ${quote(sha256)}; the statement gives ${quote(hash)}: it was altered after it was made`;
    return { status: 'differs', message };
  }
  return { status: 'verified', statement: statement as unknown as Statement, hash };
}

/** Which window `rows[17]` is, for a reader who does not count from 0. */
function windowName({ rows }: Record<string, unknown>, path: string): string {
  const index = /^rows\[(\d+)\]/.exec(path)?.[1];
  const row: unknown = index === undefined || !Array.isArray(rows) ? undefined : rows[Number(index)];
  const start = typeof row === 'object' && row !== null ? Reflect.get(row, 'start') : undefined;
  return typeof start === 'string' && start !== '' ? ` (the window of ${start.slice(0, 40)})` : '';
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
