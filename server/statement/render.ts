import type { Statement } from '../../sla/statement.ts';
import { statementCsv } from './csv.ts';
import { statementHtml } from './html.ts';
import { statementJson } from './json.ts';
import { statementHash } from './month-statement.ts';
import { statementText } from './text.ts';

export const STATEMENT_FORMATS = ['json', 'csv', 'text', 'html'] as const;
export type StatementFormat = (typeof STATEMENT_FORMATS)[number];

export interface RenderedStatement {
  readonly body: string;
  readonly contentType: string;
}

/** A statement in one of its forms, each with the hash; the same statement gives the same bytes. */
export function renderStatement(statement: Statement, format: StatementFormat): RenderedStatement {
  const hash = statementHash(statement);
  switch (format) {
    case 'json':
      return { body: statementJson(statement, hash), contentType: 'application/json; charset=utf-8' };
    case 'csv':
      return { body: statementCsv(statement, hash), contentType: 'text/csv; charset=utf-8' };
    case 'text':
      return { body: statementText(statement, hash), contentType: 'text/plain; charset=utf-8' };
    case 'html':
      return { body: statementHtml(statement, hash), contentType: 'text/html; charset=utf-8' };
  }
}
