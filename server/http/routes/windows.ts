import type { Exclusion } from '../../../sla/exclusion.ts';
import { explainWindow } from '../../../sla/explain.ts';
import { instantText } from '../../../sla/instant.ts';
import type { MonthVerdicts } from '../../../sla/judge-month.ts';
import { monthAt } from '../../../sla/month.ts';
import type { Terms } from '../../../sla/terms.ts';
import { windowOf } from '../../../sla/window.ts';
import { rowOf } from '../../../sla/window-row.ts';
import type { Months } from '../../evaluate/months.ts';
import { type Answer, JSON_TYPE, json, refusal } from '../answer.ts';
import type { Route } from '../router.ts';
import { instantOf, isAnswer, type KnownServices, serviceOf } from './parameters.ts';

/** A whole month and a window on either side. */
const MAX_RANGE_MS = 32 * 86_400_000;
const HOUR_MS = 3_600_000;

export interface WindowsDeps {
  readonly known: KnownServices;
  readonly months: Months;
  readonly termsOf: (service: string) => Terms;
  readonly exclusionsOf: (service: string) => readonly Exclusion[];
  readonly nowMs: () => number;
}

/** The windows of an interval, and why one of them has its verdict. */
export function windowRoutes({ known, months, termsOf, exclusionsOf, nowMs }: WindowsDeps): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/api/v1/services/:service/windows',
      need: 'read',
      run: async (request) => {
        const service = await serviceOf(request, known);
        if (isAnswer(service)) return service;
        const toMs = instantOf(request, 'to', nowMs());
        if (isAnswer(toMs)) return toMs;
        const fromMs = instantOf(request, 'from', toMs - HOUR_MS);
        if (isAnswer(fromMs)) return fromMs;
        const fault = rangeFault(fromMs, toMs);
        if (fault) return fault;
        const judged: MonthVerdicts[] = [];
        for (const month of monthsBetween(fromMs, toMs, termsOf(service))) {
          const found = await months.judge(service, month);
          // A month outside the service period has no windows to show.
          if (found.ok) judged.push(found.value.verdicts);
        }
        return { status: 200, type: JSON_TYPE, body: windowsText({ service, fromMs, toMs, judged }) };
      },
    },
    {
      method: 'GET',
      pattern: '/api/v1/services/:service/explain',
      need: 'read',
      run: async (request) => {
        const service = await serviceOf(request, known);
        if (isAnswer(service)) return service;
        const atMs = instantOf(request, 'at', null);
        if (isAnswer(atMs)) return atMs;
        const found = await months.judge(service, monthAt(atMs, termsOf(service)));
        if (!found.ok) return refusal('FIELD_INVALID', found.message, { field: 'at' });
        const { month, verdicts } = found.value;
        const window = windowOf(month, Math.floor(atMs / 60_000));
        if (window < 0) {
          const message = `at is outside the service period of ${service}; choose an instant inside it`;
          return refusal('FIELD_INVALID', message, { field: 'at' });
        }
        return json(explainWindow(verdicts, window, exclusionsOf(service)));
      },
    },
  ];
}

function rangeFault(fromMs: number, toMs: number): Answer | null {
  if (fromMs >= toMs) return refusal('FIELD_INVALID', 'to is not after from; swap them', { field: 'to' });
  if (toMs - fromMs <= MAX_RANGE_MS) return null;
  return refusal('FIELD_INVALID', 'from and to are more than 32 days apart; ask month by month', {
    field: 'from',
  });
}

/** The contract months that an interval of at most 32 days touches: at most three. */
function monthsBetween(fromMs: number, toMs: number, terms: Terms): string[] {
  const instants = [fromMs, (fromMs + toMs) / 2, toMs - 1];
  return [...new Set(instants.map((atMs) => monthAt(atMs, terms)))];
}

/** In pieces: a month is a megabyte of text, and others want the event loop too. */
function* windowsText(asked: {
  readonly service: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly judged: readonly MonthVerdicts[];
}): Iterable<string> {
  const { service, fromMs, toMs, judged } = asked;
  yield `{"service":${JSON.stringify(service)},"from":"${instantText(fromMs)}","to":"${instantText(toMs)}","windows":[`;
  let separator = '';
  for (const verdicts of judged) {
    const { fromMinute, toMinute } = verdicts.bounds;
    for (let window = 0; window < fromMinute.length; window += 1) {
      const isTouched = toMinute[window]! * 60_000 > fromMs && fromMinute[window]! * 60_000 < toMs;
      if (!isTouched) continue;
      yield `${separator}${JSON.stringify(windowRecord(verdicts, window))}`;
      separator = ',\n';
    }
  }
  yield ']}\n';
}

/** `attempts` and `failures` are the counted ones, as in `lostWindows` of a reading. */
function windowRecord(verdicts: MonthVerdicts, window: number) {
  const { counted, attempts, failures, ...row } = rowOf(verdicts, window);
  return {
    ...row,
    end: instantText(verdicts.bounds.toMinute[window]! * 60_000),
    ...counted,
    recordedAttempts: attempts,
    failuresByCause: failures,
  };
}
