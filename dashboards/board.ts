import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { DATASOURCE } from './panels.ts';
import { CHOSEN_SERVICE, select } from './query.ts';

/** The dashboards, by their address in Grafana. */
export const UID = {
  month: 'roomwatch-month',
  health: 'roomwatch-health',
  fleet: 'roomwatch-fleet',
} as const;

/**
 * The contract's day starts at 00:00 UTC+8 (clause 1.5), so "this month" in the time picker must be a month of
 * that zone. Fixed terms of another zone: change it in the dashboard's settings.
 */
const CONTRACT_ZONE = 'Asia/Shanghai';

export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly from: string;
  readonly to: string;
  readonly refresh: string;
}

/** An empty dashboard in the house style: data source, links among the three, to the daemon's page. */
export function board({ uid, title, about, from, to, refresh }: Board): dashboard.DashboardBuilder {
  return new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(['roomwatch'])
    .readonly()
    .timezone(CONTRACT_ZONE)
    .time({ from, to })
    .refresh(refresh)
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(
      new dashboard.TextBoxVariableBuilder('page')
        .label('Daemon page')
        .description('Where a browser reaches the daemon; links to a month or a window start there.')
        .defaultValue('http://127.0.0.1:9470'),
    )
    .link(
      new dashboard.DashboardLinkBuilder('roomwatch')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['roomwatch'])
        .includeVars(true),
    );
}

/** One service, and one line of its contract: the target first, then the tiers below it. */
export function withService(builder: dashboard.DashboardBuilder): dashboard.DashboardBuilder {
  return builder
    .withVariable(
      choice('service', 'Service', `label_values(${select(METRICS.monthWindowsLeft)}, service)`).sort(
        dashboard.VariableSort.AlphabeticalAsc,
      ),
    )
    .withVariable(line(`label_values(${select(METRICS.monthWindowsLeft, CHOSEN_SERVICE)}, target)`));
}

/** The line whose windows are counted: 0.999 is the target, lower ones are the voucher tiers. */
export function line(query: string): dashboard.QueryVariableBuilder {
  return choice('line', 'Line', query).sort(dashboard.VariableSort.NumericalDesc);
}

/** A link to the daemon's own page. `place` continues the address after `#/`. */
export function toPage(title: string, place: string): dashboard.DashboardLinkBuilder {
  return new dashboard.DashboardLinkBuilder(title).url(`$page/#/${place}`).targetBlank(true);
}

function choice(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged);
}
