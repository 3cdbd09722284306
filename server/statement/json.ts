import type { Statement } from '../../sla/statement.ts';

/** A statement as JSON with its hash, one window a line so that two of them can be compared by eye. */
export function statementJson({ rows, ...rest }: Statement, hash: string): string {
  const head = JSON.stringify({ ...rest, sha256: hash }, null, 2);
  const windows = rows.map((row) => `    ${JSON.stringify(row)}`);
  return `${head.slice(0, -2)},\n  "rows": [\n${windows.join(',\n')}\n  ]\n}\n`;
}
