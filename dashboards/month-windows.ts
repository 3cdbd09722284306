import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import {
  always,
  COLOUR,
  columns,
  dashed,
  graph,
  itsThresholds,
  table,
  WINDOWS_LEFT,
  windowsTable,
} from './panels.ts';
import { CHOSEN_SERVICE, gauge, select } from './query.ts';

/** The offset moves a window's samples back to its start; Grafana aligns the steps to the grid. */
const WINDOW_LOST_FROM_ITS_START = `max by (service) (max_over_time(${select(METRICS.windowLost, CHOSEN_SERVICE)}[5m] offset -5m)) == 1`;

/** The lost windows, one by one, against what each line allows. */
export function lostWindows(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('The lost windows'))
    .withPanel(
      graph({
        title: 'Lost so far, and what each line allows',
        about: 'A step is a lost window; crossing a dashed line misses it.',
        width: 10,
        height: 8,
        decimals: 0,
        queries: [
          { expr: gauge(METRICS.monthWindowsLost, CHOSEN_SERVICE), legend: 'lost' },
          {
            expr: gauge(METRICS.monthWindowsAllowed, CHOSEN_SERVICE, ['target']),
            legend: 'allowed at {{target}}',
          },
        ],
      })
        .min(0)
        .lineInterpolation(common.LineInterpolation.StepAfter)
        .overrideByName('lost', [always(COLOUR.lost), { id: 'custom.lineWidth', value: 3 }])
        .overrideByRegexp('^allowed', [dashed(), { id: 'custom.fillOpacity', value: 0 }]),
    )
    .withPanel(
      table({
        title: 'The lines of the contract',
        about: 'The target and the voucher tiers below it.',
        width: 8,
        height: 8,
        queries: [
          { expr: gauge(METRICS.monthWindowsAllowed, CHOSEN_SERVICE, ['target']) },
          { expr: gauge(METRICS.monthWindowsLeft, CHOSEN_SERVICE, ['target']) },
          { expr: gauge(METRICS.monthBreachProbabilityRatio, CHOSEN_SERVICE, ['target']) },
        ],
      })
        .transformations(columns('target', ['May be lost', 'Left', 'Probability of missing']))
        .overrideByName('target', [{ id: 'displayName', value: 'Line' }])
        .overrideByName('Left', [
          itsThresholds(WINDOWS_LEFT),
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ])
        .overrideByName('Probability of missing', [
          { id: 'unit', value: 'percentunit' },
          { id: 'decimals', value: 1 },
        ]),
    )
    .withPanel(
      windowsTable({
        title: 'Windows seen lost',
        about:
          'As Prometheus saw them happen. One that was decided later (late outcomes, an exclusion) is only in the books: open the page.',
        width: 6,
        height: 8,
        empty: 'none lost',
        queries: [{ expr: WINDOW_LOST_FROM_ITS_START }],
      })
        .transformations([
          {
            id: 'organize',
            options: { excludeByName: { service: true, Value: true }, renameByName: { Time: 'Window' } },
          },
          { id: 'sortBy', options: { sort: [{ field: 'Window', desc: true }] } },
        ])
        .overrideByName('Window', [
          { id: 'unit', value: 'time:YYYY-MM-DD HH:mm' },
          {
            id: 'links',
            value: [
              { title: 'Why it was lost', url: `$page/#/$service?at=\${__value.raw}`, targetBlank: true },
            ],
          },
        ]),
    );
}
