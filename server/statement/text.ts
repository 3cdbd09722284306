import { stringify } from 'yaml';
import type { Statement } from '../../sla/statement.ts';
import { clockText } from '../report/contract-time.ts';
import { monthMap } from '../report/month-map.ts';
import { painter, paragraph, rows } from '../report/paint.ts';
import {
  contractLines,
  countLines,
  figureLines,
  headline,
  lostWindowLines,
  pageText,
  revisionLines,
  titleLines,
  warningLines,
} from '../report/sections.ts';
import { viewOfStatement } from './month-statement.ts';

const COLUMNS = 80;
/** In a statement nothing is left out for being long. */
const ALL = Number.POSITIVE_INFINITY;

export const OBSERVED_SENTENCE =
  'All figures were observed by roomwatch at the customer. Where they differ from the provider’s record, the contract lets that record prevail.';

/** A statement for people, to be read or pasted into a ticket; the windows one by one are in JSON and CSV. */
export function statementText(statement: Statement, hash: string): string {
  const view = viewOfStatement(statement);
  const sheet = { columns: COLUMNS, paint: painter(false) };
  return pageText([
    ['STATEMENT OF OBSERVED AVAILABILITY'],
    titleLines(view, sheet),
    rows(headline(view), sheet),
    figureLines(view),
    contractLines(view),
    monthMap(view, sheet),
    countLines(view, sheet),
    lostWindowLines(view, sheet, ALL),
    exclusionLines(statement, view.month.timeZone),
    revisionLines(view, sheet, ALL),
    warningLines(view, sheet),
    ['terms', ...indented(stringify(statement.terms, { lineWidth: COLUMNS - 2 }))],
    [
      ...paragraph(OBSERVED_SENTENCE, COLUMNS),
      ...paragraph(
        'Every window with its counts by cause is in the JSON and the CSV form of this statement, which "roomwatch verify" computes again.',
        COLUMNS,
      ),
      `SHA-256 ${hash}`,
    ],
  ]);
}

function exclusionLines({ exclusions }: Statement, timeZone: string): string[] {
  if (exclusions.length === 0) return ['exclusions: none'];
  const clock = (instant: string | undefined) => clockText(Date.parse(instant ?? ''), timeZone);
  return [
    'exclusions',
    ...exclusions.flatMap((one) => {
      const parts = [
        `clause ${one.clause}, ${clock(one.from)} to ${clock(one.to)}, by ${one.author}: ${one.reason}`,
        ...(one.noticeAt ? [`notice given ${clock(one.noticeAt)}`] : []),
        ...(one.enteredAt ? [`entered ${clock(one.enteredAt)}`] : []),
        ...(one.withdrawn
          ? [`WITHDRAWN ${clock(one.withdrawn.at)} by ${one.withdrawn.by}: ${one.withdrawn.reason}`]
          : []),
      ];
      return paragraph(`  ${one.id}  ${parts.join('; ')}`, COLUMNS, '    ');
    }),
  ];
}

function indented(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`);
}
