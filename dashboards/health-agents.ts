import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { AGENT_METRICS } from '../protocol/metrics.ts';
import { FULL_WIDTH, lines } from './panels.ts';
import { rate, select } from './query.ts';

const THIRD = FULL_WIDTH / 3;

/** What the agents say of themselves, where Prometheus scrapes them. */
export function agents(builder: dashboard.DashboardBuilder): void {
  const each = '{{instance}}';
  const age = `(time() - ${select(AGENT_METRICS.spoolOldestTimestampSeconds)}) * (${select(AGENT_METRICS.spoolOldestTimestampSeconds)} > bool 0)`;
  builder
    .withRow(new dashboard.RowBuilder("The agents' own view (where Prometheus scrapes them)"))
    .withPanel(
      lines('Spool, batches waiting', 'Sealed and not yet acknowledged.', THIRD, {
        queries: [{ expr: select(AGENT_METRICS.spoolBatches), legend: each }],
      }).min(0),
    )
    .withPanel(
      lines('Spool, oldest batch', 'How far behind an agent is.', THIRD, {
        unit: 's',
        queries: [{ expr: age, legend: each }],
      }).min(0),
    )
    .withPanel(
      lines('Spool, size on disk', 'Against the cap in the configuration of the agent.', THIRD, {
        unit: 'bytes',
        queries: [{ expr: select(AGENT_METRICS.spoolBytes), legend: each }],
      }).min(0),
    )
    .withPanel(
      lines(
        'Given up or refused a second',
        'Lost: accepted and given up. Refused: records that could not be read.',
        THIRD,
        {
          empty: 'none',
          queries: [
            { expr: rate(AGENT_METRICS.outcomesLost, {}, ['reason']), legend: 'lost: {{reason}}' },
            { expr: rate(AGENT_METRICS.outcomesRejected, {}, ['code']), legend: 'refused: {{code}}' },
          ],
        },
      ).min(0),
    )
    .withPanel(
      lines(
        'Clock offset',
        'Clock of the daemon minus clock of the agent; corrected before counting.',
        THIRD,
        {
          unit: 's',
          queries: [{ expr: select(AGENT_METRICS.clockOffsetSeconds), legend: each }],
        },
      ),
    )
    .withPanel(
      lines(
        'Round trip and rewinds',
        'Lowest round trip of the last eight; rewinds are batches asked for again.',
        THIRD,
        {
          queries: [
            { expr: select(AGENT_METRICS.roundTripSeconds), legend: `${each} round trip, s` },
            {
              expr: `increase(${select(AGENT_METRICS.rewinds)}[$__rate_interval])`,
              legend: `${each} rewinds`,
            },
          ],
        },
      ).min(0),
    );
}
