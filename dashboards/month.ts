import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { METRICS } from '../protocol/metrics.ts';
import { board, toPage, UID, withService } from './board.ts';
import { answer } from './month-answer.ts';
import { callbacks } from './month-callbacks.ts';
import { rightNow, where } from './month-entries.ts';
import { forecast } from './month-forecast.ts';
import { lostWindows } from './month-windows.ts';
import { COLOUR, DATASOURCE } from './panels.ts';
import { CHOSEN_SERVICE, select } from './query.ts';

/** Will this month still meet its target? One service, one service month, in the contract's own numbers. */
export function month(): dashboard.DashboardBuilder {
  const builder = withService(
    board({
      uid: UID.month,
      title: 'roomwatch / Month',
      about:
        'Will this month still meet its target? Everything here is observed; the record of the provider prevails.',
      from: 'now/M',
      to: 'now/M',
      refresh: '30s',
    }),
  ).link(toPage("The month on the daemon's page", '$service'));
  for (const one of annotations()) builder.annotation(one);
  answer(builder);
  forecast(builder);
  lostWindows(builder);
  rightNow(builder);
  where(builder);
  callbacks(builder);
  return builder;
}

function annotations(): dashboard.AnnotationQueryBuilder[] {
  const annotation = (name: string, colour: string, expr: string, text: string) =>
    new dashboard.AnnotationQueryBuilder()
      .name(name)
      .datasource(DATASOURCE)
      .enable(true)
      .iconColor(colour)
      .expr(expr)
      .target(new DataqueryBuilder().expr(expr).range().interval('1m').refId('Anno'))
      .step('60s')
      .titleFormat(name)
      .textFormat(text);
  return [
    annotation(
      'Lost window',
      COLOUR.lost,
      `max by (service) (${select(METRICS.windowLost, CHOSEN_SERVICE)}) == 1`,
      'A window of {{service}} was lost here.',
    ),
    annotation(
      'Alert',
      COLOUR.near,
      `max by (service, step, severity) (${select(METRICS.alertsFiring, CHOSEN_SERVICE)}) > 0`,
      '{{step}} ({{severity}}) fires for {{service}}.',
    ),
  ];
}
