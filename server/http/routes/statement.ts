import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { serviceMonth } from '../../../sla/month.ts';
import type { Terms } from '../../../sla/terms.ts';
import { quote } from '../../../sla/text.ts';
import type { Months } from '../../evaluate/months.ts';
import type { ExclusionBook } from '../../exclusions.ts';
import { monthStatement } from '../../statement/month-statement.ts';
import { renderStatement, STATEMENT_FORMATS } from '../../statement/render.ts';
import { refusal } from '../answer.ts';
import type { Route } from '../router.ts';
import { isAnswer, type KnownServices, serviceOf } from './parameters.ts';

export interface StatementDeps {
  readonly known: KnownServices;
  readonly months: Months;
  readonly book: ExclusionBook;
  readonly termsOf: (service: string) => Terms;
  readonly nowMs: () => number;
}

/** Statements asked for at the same time; one more is told to come back. */
const STATEMENTS_WAITING = 8;

/** A month's evidence, as `roomwatch statement` prints it. */
export function statementRoutes({ known, months, book, termsOf, nowMs }: StatementDeps): Route[] {
  const inTurn = createQueue(STATEMENTS_WAITING);
  return [
    {
      method: 'GET',
      pattern: '/api/v1/services/:service/statement',
      need: 'read',
      run: async (request) => {
        const service = await serviceOf(request, known);
        if (isAnswer(service)) return service;
        const name = request.query.get('month') ?? '';
        const terms = termsOf(service);
        const found = serviceMonth(name, terms);
        if (!found.ok) return refusal('FIELD_INVALID', found.message, { field: 'month' });
        const wanted = request.query.get('format') ?? 'json';
        const format = STATEMENT_FORMATS.find((one) => one === wanted);
        if (format === undefined) {
          const message = `format is ${quote(wanted)}; write ${STATEMENT_FORMATS.join(', ')}`;
          return refusal('FIELD_INVALID', message, { field: 'format' });
        }
        const { month } = found;
        const rendered = await inTurn(async () => {
          const facts = await months.facts(service, month);
          const entries = book.entries();
          const statement = monthStatement({ service, month, facts, terms, entries, nowMs: nowMs() });
          await turn();
          return renderStatement(statement, format);
        });
        if (rendered === 'full') {
          return refusal('BUSY', 'too many statements are being made; try again shortly', {
            headers: { 'retry-after': '5' },
          });
        }
        const { body, contentType } = rendered;
        const fileName = `roomwatch-${service}-${name}.${format === 'text' ? 'txt' : format}`;
        const headers = {
          'content-disposition': `inline; filename="${fileName}"`,
          // The document brings its own style and nothing else.
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        };
        return { status: 200, type: contentType, body, headers };
      },
    },
  ];
}

/**
 * A statement of nine thousand windows holds the event loop for some tens of milliseconds. So they are made one
 * after the other, and in between everything else gets as much time as the last one took.
 */
function createQueue(mostWaiting: number): <T>(make: () => Promise<T>) => Promise<T | 'full'> {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (make) => {
    if (waiting >= mostWaiting) return 'full';
    waiting += 1;
    let rest: Promise<unknown> = Promise.resolve();
    const turnOfMine = last.then(async () => {
      const startedAtMs = performance.now();
      try {
        return { made: await make() };
      } finally {
        waiting -= 1;
        rest = sleep(performance.now() - startedAtMs);
      }
    });
    last = turnOfMine.catch(() => {}).then(() => rest);
    return (await turnOfMine).made;
  };
}
