import { CAUSES } from '../../../sla/cause.ts';
import { MEASURE_COUNT, MEASURE_INDEX } from '../../../sla/facts.ts';
import { instantText, MINUTES_A_DAY } from '../../../sla/instant.ts';
import type { MonthVerdicts } from '../../../sla/judge-month.ts';
import type { ServiceMonth } from '../../../sla/month.ts';
import { quote } from '../../../sla/text.ts';
import { VERDICT_INDEX, VERDICTS } from '../../../sla/verdict.ts';
import type { Months } from '../../evaluate/months.ts';
import { type Answer, json, refusal } from '../answer.ts';
import type { Route, RouteRequest } from '../router.ts';
import { isAnswer, type KnownServices, serviceOf } from './parameters.ts';

export interface MonthWindowsDeps {
  readonly known: KnownServices;
  readonly months: Months;
}

/**
 * The windows of a month as columns: what a calendar draws. A window is known by its place in the month, from 0; a
 * month is a tenth of the size that it has as one record for each window.
 */
export function monthWindowRoutes({ known, months }: MonthWindowsDeps): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/api/v1/services/:service/months/:month/windows',
      need: 'read',
      run: async (request) => {
        const service = await serviceOf(request, known);
        if (isAnswer(service)) return service;
        const name = request.params.month ?? '';
        const found = await months.judge(service, name);
        if (!found.ok) return refusal('FIELD_INVALID', found.message, { field: 'month' });
        const { month, verdicts } = found.value;
        const from = placeOf(request, month);
        if (isAnswer(from)) return from;
        return json({
          service,
          month: name,
          asOf: instantText(verdicts.nowMs),
          ...clockOf(month),
          from,
          ...columnsOf(verdicts, from),
        });
      },
    },
  ];
}

/** The first window asked for; a number past the last one asks for none. */
function placeOf(request: RouteRequest, { windows }: ServiceMonth): number | Answer {
  const text = request.query.get('from') ?? '0';
  if (/^\d{1,6}$/.test(text)) return Math.min(Number(text), windows);
  const message = `from is ${quote(text)}; write the place of a window in the month, 0 to ${windows - 1}`;
  return refusal('FIELD_INVALID', message, { field: 'from' });
}

/**
 * How the month lies on the clock of its zone. A day has `windowsPerDay` windows whatever that clock does: those of
 * a skipped hour have no minute, those of a repeated one have each minute twice.
 */
export function clockOf({ timeZone, firstDate, days, windowMinutes, stretches }: ServiceMonth) {
  const firstMinute = Date.parse(firstDate) / 60_000;
  return {
    timeZone,
    firstDate,
    days,
    windowMinutes,
    windowsPerDay: MINUTES_A_DAY / windowMinutes,
    clock: stretches.map(({ fromMinute, toMinute, shiftMinutes }) => ({
      from: instantText(fromMinute * 60_000),
      to: instantText(toMinute * 60_000),
      offsetMinutes: shiftMinutes + firstMinute,
    })),
  };
}

/** Up to the last window that is over; `attempts` and `failures` are the counted ones. */
function columnsOf(verdicts: MonthVerdicts, from: number) {
  const { verdict, attempts, failures, tallies, terms } = verdicts;
  const to = Math.max(from, endOf(verdicts));
  const column = <T>(of: (window: number) => T): T[] =>
    Array.from({ length: to - from }, (_, i) => of(from + i));
  const recorded = CAUSES.map((cause) => [
    cause,
    column((window) => tallies[window * MEASURE_COUNT + MEASURE_INDEX[cause]]!),
  ]);
  return {
    verdict: column((window) => VERDICTS[verdict[window]!]!),
    attempts: column((window) => attempts[window]!),
    failures: column((window) => failures[window]!),
    failuresByCause: Object.fromEntries(recorded) as Record<string, number[]>,
    lowVolume: column((window) => attempts[window]! < terms.lowVolumeBelow),
  };
}

/** What follows is still to come: windows that are not over, and those of an hour that the clock will skip. */
function endOf({ verdict, minutes }: MonthVerdicts): number {
  return 1 + verdict.findLastIndex((one, window) => one !== VERDICT_INDEX.remaining && minutes[window]! > 0);
}
