import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { always, COLOUR, dashed, dashedThresholds, graph, TARGET } from './panels.ts';
import { CHOSEN_SERVICE, gauge } from './query.ts';

/** The course of the month, and the band in which it will end. */
export function forecast(builder: dashboard.DashboardBuilder): void {
  const projected = (bound: 'low' | 'expected' | 'high') => ({
    expr: gauge(METRICS.monthProjectedAvailabilityRatio, { ...CHOSEN_SERVICE, bound }),
    legend: `projected, ${bound}`,
  });
  builder
    .withRow(new dashboard.RowBuilder('The month and its end'))
    .withPanel(
      graph({
        title: 'Availability so far, and where the month will end',
        about: 'The band is the projection; the dashed line is the target of 99.9 %.',
        width: 14,
        height: 9,
        unit: 'percentunit',
        decimals: 3,
        steps: TARGET,
        queries: [
          {
            expr: gauge(METRICS.monthAvailabilityRatio, {
              ...CHOSEN_SERVICE,
              figure: 'provider_and_unknown',
            }),
            legend: 'so far',
          },
          projected('expected'),
          projected('low'),
          projected('high'),
        ],
      })
        .thresholdsStyle(dashedThresholds())
        .axisSoftMin(0.998)
        .axisSoftMax(1)
        .fillOpacity(0)
        .overrideByName('projected, high', [
          { id: 'custom.fillBelowTo', value: 'projected, low' },
          { id: 'custom.fillOpacity', value: 18 },
          { id: 'custom.lineWidth', value: 0 },
          always(COLOUR.near),
        ])
        .overrideByName('projected, low', [{ id: 'custom.lineWidth', value: 0 }, always(COLOUR.near)])
        .overrideByName('projected, expected', [dashed(), always(COLOUR.near)])
        .overrideByName('so far', [always(COLOUR.good)]),
    )
    .withPanel(
      graph({
        title: 'Probability of missing each line',
        about: 'One curve for the target and one for each voucher tier.',
        width: 10,
        height: 9,
        unit: 'percentunit',
        decimals: 1,
        queries: [
          {
            expr: gauge(METRICS.monthBreachProbabilityRatio, CHOSEN_SERVICE, ['target']),
            legend: 'below {{target}}',
          },
        ],
      })
        .min(0)
        .max(1),
    );
}
