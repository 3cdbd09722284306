import * as common from '@grafana/grafana-foundation-sdk/common';
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { board, line, UID } from './board.ts';
import {
  COLOUR,
  columns,
  FULL_WIDTH,
  itsThresholds,
  type Step,
  stat,
  table,
  WINDOWS_LEFT,
} from './panels.ts';
import { gauge, select, truncated } from './query.ts';

const AT_LINE = { target: '$line' } as const;

const ANY: readonly Step[] = [
  { from: null, colour: COLOUR.good },
  { from: 1, colour: COLOUR.near },
];

/** Every service in one table, the one with the fewest windows left first. */
export function fleet(): dashboard.DashboardBuilder {
  const builder = board({
    uid: UID.fleet,
    title: 'roomwatch / Fleet',
    about: 'Every service, the one with the fewest windows left first.',
    from: 'now/M',
    to: 'now/M',
    refresh: '30s',
  }).withVariable(line(`label_values(${select(METRICS.monthWindowsLeft)}, target)`));
  headline(builder);
  return builder.withPanel(services());
}

function headline(builder: dashboard.DashboardBuilder): void {
  const left = gauge(METRICS.monthWindowsLeft, AT_LINE);
  const lost = gauge(METRICS.monthWindowsLost);
  const allowed = gauge(METRICS.monthWindowsAllowed, AT_LINE);
  const count = (title: string, about: string, expr: string, steps: readonly Step[]) =>
    stat({
      title,
      about,
      width: FULL_WIDTH / 4,
      height: 4,
      decimals: 0,
      steps,
      queries: [{ expr: `count(${expr}) or vector(0)` }],
    });
  builder
    .withPanel(
      count('Services', 'Services with a reading of this month.', left, [
        { from: null, colour: COLOUR.quiet },
      ]),
    )
    .withPanel(count('Near the line', 'Services with at most two windows left.', `${left} <= 2`, ANY))
    .withPanel(
      count('Line missed', 'Services that lost more windows than the line allows.', `${lost} > ${allowed}`, [
        { from: null, colour: COLOUR.good },
        { from: 1, colour: COLOUR.lost },
      ]),
    )
    .withPanel(
      count(
        'Without an agent',
        'Services that nobody watches now: their months are not getting worse because nobody looks.',
        `sum by (service) (${select(METRICS.agentsConnected)}) == 0`,
        ANY,
      ),
    );
}

function services() {
  const names = [
    'Windows left',
    'Lost',
    'Observed so far',
    'Projected',
    'Probability of missing',
    'Voucher owed',
    'Coverage',
    'Agents',
    'Alerts',
  ] as const;
  const percent = (decimals: number) => [
    { id: 'unit', value: 'percentunit' },
    { id: 'decimals', value: decimals },
  ];
  const link = (title: string, url: string) => ({ title, url });
  return table({
    title: 'Services',
    about: 'A row opens the month of its service.',
    width: FULL_WIDTH,
    height: 20,
    empty: 'no service yet: start an agent and point it at the daemon',
    queries: [
      { expr: gauge(METRICS.monthWindowsLeft, AT_LINE) },
      { expr: gauge(METRICS.monthWindowsLost) },
      { expr: truncated(gauge(METRICS.monthAvailabilityRatio, { figure: 'provider_and_unknown' })) },
      { expr: truncated(gauge(METRICS.monthProjectedAvailabilityRatio, { bound: 'expected' })) },
      { expr: gauge(METRICS.monthBreachProbabilityRatio, AT_LINE) },
      { expr: gauge(METRICS.monthVoucherRatio) },
      { expr: gauge(METRICS.monthCoverageRatio) },
      { expr: `sum by (service) (${select(METRICS.agentsConnected)})` },
      // Services without an alert have no series of it; give them a zero.
      {
        expr: `sum by (service) (${select(METRICS.alertsFiring)}) or 0 * ${gauge(METRICS.monthWindowsLost)}`,
      },
    ],
  })
    .transformations(columns('service', names))
    .sortBy([new common.TableSortByFieldStateBuilder().displayName('Windows left').desc(false)])
    .overrideByName('service', [
      { id: 'displayName', value: 'Service' },
      {
        id: 'links',
        value: [
          link('Month', `/d/${UID.month}?var-service=\${__value.text}&\${datasource:queryparam}`),
          link("The daemon's page", `$page/#/\${__value.text}`),
        ],
      },
    ])
    .overrideByName('Windows left', [
      itsThresholds(WINDOWS_LEFT),
      { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } },
    ])
    .overrideByName('Observed so far', percent(3))
    .overrideByName('Projected', percent(3))
    .overrideByName('Probability of missing', percent(1))
    .overrideByName('Voucher owed', percent(0))
    .overrideByName('Coverage', percent(1));
}
