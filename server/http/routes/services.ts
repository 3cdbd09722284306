import { monthAt } from '../../../sla/month.ts';
import type { Reading } from '../../../sla/reading.ts';
import type { Terms } from '../../../sla/terms.ts';
import type { Evaluator } from '../../evaluate/evaluator.ts';
import type { Months } from '../../evaluate/months.ts';
import { mayTouch } from '../access.ts';
import { json, refusal } from '../answer.ts';
import type { Route } from '../router.ts';
import { isAnswer, type KnownServices, serviceOf } from './parameters.ts';

export interface ServicesDeps {
  readonly known: KnownServices;
  readonly evaluator: Evaluator;
  readonly months: Months;
  readonly termsOf: (service: string) => Terms;
  /** Agents connected to this daemon, by service. */
  readonly agents: () => ReadonlyMap<string, number>;
  readonly nowMs: () => number;
}

/** Every service with its headline, and the reading of a month. */
export function serviceRoutes(deps: ServicesDeps): Route[] {
  const { known, evaluator, months, termsOf, agents, nowMs } = deps;
  return [
    {
      method: 'GET',
      pattern: '/api/v1/services',
      need: 'read',
      run: ({ caller }) => {
        const services = known
          .services()
          .filter((service) => mayTouch(caller, service))
          .map((service) => ({
            service,
            agentsConnected: agents().get(service) ?? 0,
            ...headlineOf(evaluator.reading(service)),
          }));
        return json({ services });
      },
    },
    {
      method: 'GET',
      pattern: '/api/v1/services/:service/months/:month',
      need: 'read',
      run: async (request) => {
        const service = await serviceOf(request, known);
        if (isAnswer(service)) return service;
        const month = request.params.month ?? '';
        // The same numbers that the gauges and the alerts were made of.
        const latest = evaluator.reading(service);
        if (latest?.month === month && month === monthAt(nowMs(), termsOf(service))) return json(latest);
        const found = await months.read(service, month);
        return found.ok ? json(found.value) : refusal('FIELD_INVALID', found.message, { field: 'month' });
      },
    },
  ];
}

/** What a list shows of a service; nothing before its first reading or outside its service period. */
function headlineOf(reading: Reading | null | undefined) {
  if (!reading) return {};
  const { month, asOf, availability, budget, voucherPercent, projection, coverage, openWindow, lines } =
    reading;
  return {
    month,
    asOf,
    availability,
    budget,
    lines,
    voucherPercent,
    expectedLost: projection.expectedLost,
    breachProbability: projection.breachProbability,
    coverage,
    openWindow,
  };
}
