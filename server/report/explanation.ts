import { CAUSES } from '../../sla/cause.ts';
import type { Explanation } from '../../sla/explain.ts';
import { clockText } from './contract-time.ts';
import type { ReportStyle } from './month-report.ts';
import { type Paint, painter, paragraph, type Tone, table } from './paint.ts';

/**
 * Why a window has its verdict, for people.
 * @param timeZone  whose clock the times are shown on
 */
export function explanationText(
  service: string,
  explanation: Explanation,
  { columns, isColoured, timeZone }: ReportStyle & { readonly timeZone: string },
): string {
  const paint = painter(isColoured);
  const clock = (instant: string) => clockText(Date.parse(instant), timeZone);
  const { rule, sentences, exclusions, state, closesAt } = explanation;
  const spans = explanation.spans.map(({ from, to }) => `${clock(from)} to ${clock(to).slice(11)}`);
  const closing =
    state === 'closed' ? `closed at ${clock(closesAt)}` : `${state}, closes at ${clock(closesAt)}`;
  const sections = [
    [
      `${paint('strong', service)}  ${spans.join(' and ') || 'no minute on the clock'} (${timeZone})`,
      `${verdictText(explanation, paint)}, ${closing}`,
    ],
    sentences.flatMap((sentence) => paragraph(sentence, columns)),
    countsTable(explanation),
    paragraph(`rule, clause ${rule.clause}: ${rule.text}`, columns, '  '),
    exclusions.flatMap(({ clause, from, to, author, reason, noticeAt }) => {
      const notice = noticeAt === undefined ? '' : `, notice given ${clock(noticeAt)}`;
      const span = `${clock(from ?? '')} to ${clock(to ?? '')}`;
      return paragraph(`excluded under ${clause}, ${span}, by ${author}: ${reason}${notice}`, columns, '  ');
    }),
  ];
  return `${sections
    .filter((section) => section.length > 0)
    .map((section) => section.join('\n'))
    .join('\n\n')}\n`;
}

const TONES: Partial<Readonly<Record<Explanation['window']['verdict'], Tone>>> = {
  down: 'bad',
  up: 'good',
  unmeasured: 'warn',
  excluded: 'left-out',
};

function verdictText({ window: { verdict } }: Explanation, paint: Paint): string {
  const word = verdict === 'down' ? 'LOST' : verdict === 'remaining' ? 'not judged yet' : verdict;
  return paint(TONES[verdict] ?? 'strong', word);
}

function countsTable({ window: { attempts, failures, counted, excluded } }: Explanation): string[] {
  const number = (value: number) => value.toLocaleString('en-US');
  const row = (name: string, counts: { attempts: number; failures: typeof failures }) => [
    name,
    number(counts.attempts),
    ...CAUSES.map((cause) => number(counts.failures[cause])),
  ];
  return [
    ...table([
      ['failures', 'attempts', ...CAUSES],
      row('recorded', { attempts, failures }),
      ...(excluded ? [row('excluded', excluded)] : []),
    ]),
    `counted: ${number(counted.failures)} of ${number(counted.attempts)}`,
  ];
}
