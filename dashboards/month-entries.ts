import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { always, COLOUR, dashedThresholds, FULL_WIDTH, graph, type Step, stacked } from './panels.ts';
import { CHOSEN_SERVICE, gauge, rate } from './query.ts';

/** What counts against the provider; customer and network failures leave both sides (clause 4.x). */
const COUNTED = /provider|unknown/;
const WINDOW_LINE: readonly Step[] = [
  { from: null, colour: COLOUR.lost },
  { from: 0.99, colour: COLOUR.good },
];

/** What users meet now. */
export function rightNow(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Right now'))
    .withPanel(
      graph({
        title: 'Success ratio of room entry',
        about:
          'The window in progress and the trailing five minutes; below the dashed line the window is lost (clause 1.5).',
        width: 14,
        height: 8,
        unit: 'percentunit',
        decimals: 2,
        steps: WINDOW_LINE,
        queries: [
          {
            expr: gauge(METRICS.windowSuccessRatio, { ...CHOSEN_SERVICE, window: 'rolling' }),
            legend: 'trailing five minutes',
          },
          {
            expr: gauge(METRICS.windowSuccessRatio, { ...CHOSEN_SERVICE, window: 'open' }),
            legend: 'window in progress',
          },
        ],
      })
        .thresholdsStyle(dashedThresholds())
        .axisSoftMin(0.97)
        .max(1)
        .fillOpacity(0),
    )
    .withPanel(
      graph({
        title: 'Room entries a second',
        about: 'Attempts, and the failures that count against the provider.',
        width: 10,
        height: 8,
        unit: 'reqps',
        queries: [
          { expr: rate(METRICS.entryAttempts, CHOSEN_SERVICE), legend: 'attempts' },
          {
            expr: rate(METRICS.entryFailures, { ...CHOSEN_SERVICE, cause: COUNTED }),
            legend: 'counted failures',
          },
        ],
      })
        .min(0)
        .overrideByName('counted failures', [always(COLOUR.lost)]),
    );
}

/** Where entries fail: by cause, region and platform. */
export function where(builder: dashboard.DashboardBuilder): void {
  const failing = (label: 'cause' | 'region' | 'platform', about: string, counted: boolean) =>
    graph({
      title: `Failures by ${label}`,
      about,
      width: FULL_WIDTH / 3,
      height: 8,
      unit: 'reqps',
      empty: 'no failures',
      queries: [
        {
          expr: rate(METRICS.entryFailures, { ...CHOSEN_SERVICE, ...(counted ? { cause: COUNTED } : {}) }, [
            label,
          ]),
          legend: `{{${label}}}`,
        },
      ],
    })
      .min(0)
      .fillOpacity(30)
      .stacking(stacked());
  builder
    .withRow(new dashboard.RowBuilder('Where it fails'))
    .withPanel(
      failing(
        'cause',
        'All failures: provider and unknown count, customer and network do not (clause 4).',
        false,
      ),
    )
    .withPanel(failing('region', 'Counted failures.', true))
    .withPanel(failing('platform', 'Counted failures.', true));
}
