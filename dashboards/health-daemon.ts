import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS, type MetricSpec } from '../protocol/metrics.ts';
import { FULL_WIDTH, lines, type Query } from './panels.ts';
import { gauge, quantile, rate, select } from './query.ts';

const QUARTER = FULL_WIDTH / 4;
const THIRD = FULL_WIDTH / 3;

/** Is anybody watching? */
export function watching(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Watching'))
    .withPanel(
      lines('Agents connected', 'By service, over all daemons.', THIRD, {
        queries: [{ expr: `sum by (service) (${select(METRICS.agentsConnected)})`, legend: '{{service}}' }],
      }).min(0),
    )
    .withPanel(
      lines(
        'Age of the last batch',
        'An agent sends one a minute even when nobody calls; three minutes are blindness.',
        THIRD,
        {
          unit: 's',
          queries: [
            { expr: `time() - ${gauge(METRICS.agentLastBatchTimestampSeconds)}`, legend: '{{service}}' },
          ],
        },
      ).min(0),
    )
    .withPanel(
      lines('Coverage of the month', 'Windows in which an agent was watching, over windows elapsed.', THIRD, {
        unit: 'percentunit',
        queries: [{ expr: gauge(METRICS.monthCoverageRatio), legend: '{{service}}' }],
      }).max(1),
    );
}

/** How late, how fast, and what was lost. */
export function counting(builder: dashboard.DashboardBuilder): void {
  const delays = (spec: MetricSpec): Query[] =>
    ([0.5, 0.95, 0.99] as const).map((q) => ({ expr: quantile(q, spec), legend: `p${q * 100}` }));
  builder
    .withRow(new dashboard.RowBuilder('Counting'))
    .withPanel(
      lines('Outcome to count', 'From the start of a room entry to its being counted.', QUARTER, {
        unit: 's',
        queries: delays(METRICS.ingestDelaySeconds),
      }),
    )
    .withPanel(
      lines('Store, one group of batches', 'How long the store takes to apply it.', QUARTER, {
        unit: 's',
        queries: delays(METRICS.storeApplySeconds),
      }),
    )
    .withPanel(
      lines('Evaluation of a service', 'From facts to reading, gauges and alerts.', QUARTER, {
        unit: 's',
        queries: delays(METRICS.evaluationSeconds),
      }),
    )
    .withPanel(
      lines('Batches a second', 'Duplicates and rewinds are repeats that were counted once.', QUARTER, {
        queries: [{ expr: rate(METRICS.batches, {}, ['outcome']), legend: '{{outcome}}' }],
      }),
    )
    .withPanel(
      lines(
        'Outcomes lost',
        'What agents had to give up, or the daemon could not place, by reason.',
        FULL_WIDTH / 2,
        {
          empty: 'none lost',
          queries: [{ expr: rate(METRICS.outcomesLost, {}, ['reason']), legend: '{{reason}}' }],
        },
      ),
    )
    .withPanel(
      lines(
        'Connections refused or closed',
        'By reason: a wrong token, a limit, a broken frame.',
        FULL_WIDTH / 2,
        {
          empty: 'none refused',
          queries: [{ expr: rate(METRICS.connectionsRefused, {}, ['reason']), legend: '{{reason}}' }],
        },
      ),
    );
}

/** Do the messages get out? */
export function telling(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Telling'))
    .withPanel(
      lines('Alerts firing', 'By step and severity, over all services.', THIRD, {
        empty: 'none firing',
        queries: [
          {
            expr: `sum by (step, severity) (${gauge(METRICS.alertsFiring, {}, ['service', 'step', 'severity'])})`,
            legend: '{{step}} ({{severity}})',
          },
        ],
      }).min(0),
    )
    .withPanel(
      lines('Notifications a second', 'Handed over to each receiver.', THIRD, {
        empty: 'nothing to tell yet',
        queries: [{ expr: rate(METRICS.notifications, {}, ['receiver']), legend: '{{receiver}}' }],
      }).min(0),
    )
    .withPanel(
      lines(
        'Failed sends a second',
        'Each is tried again or goes to the fallback receiver; none is dropped.',
        THIRD,
        {
          empty: 'none failed',
          queries: [
            {
              expr: rate(METRICS.notificationsFailed, {}, ['receiver', 'reason']),
              legend: '{{receiver}}: {{reason}}',
            },
          ],
        },
      ).min(0),
    );
}
