import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { SURGE } from '../sla/callbacks.ts';
import { COLOUR, dashed, dashedThresholds, graph, type Step, stat } from './panels.ts';
import { CHOSEN_SERVICE, gauge, rate } from './query.ts';

const NO_CALLBACKS = 'no callbacks: see agent/docs/trtc-callbacks.md';
/** Far below 1, applications enter rooms without reporting. */
const SEEN: readonly Step[] = [
  { from: null, colour: COLOUR.near },
  { from: 0.9, colour: COLOUR.good },
];
const SURGING: readonly Step[] = [
  { from: null, colour: COLOUR.good },
  { from: SURGE.users, colour: COLOUR.near },
];
const TO_DECIDE: readonly Step[] = [
  { from: null, colour: COLOUR.quiet },
  { from: 1, colour: COLOUR.near },
];

/** What the vendor tells of itself, where its callbacks are taken: evidence beside the figures, none of them. */
export function callbacks(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder("The vendor's own callbacks"))
    .withPanel(
      stat({
        title: 'Entries that agents saw too',
        about:
          "Successes that agents reported over entries that the vendor's callbacks tell, in the same minutes of the month. Too high unless every application of the service calls back.",
        width: 4,
        height: 7,
        unit: 'percentunit',
        decimals: 1,
        empty: NO_CALLBACKS,
        steps: SEEN,
        queries: [{ expr: gauge(METRICS.monthCallbackCoverageRatio, CHOSEN_SERVICE) }],
      }),
    )
    .withPanel(
      stat({
        title: 'Surges to decide about',
        about:
          'Times in this month that more than 3,000 concurrent users came on top within an hour (clause 4.6). The page says how many of them entered and how many were back after a time-out, as when an outage ends.',
        width: 4,
        height: 7,
        decimals: 0,
        empty: NO_CALLBACKS,
        steps: TO_DECIDE,
        queries: [{ expr: gauge(METRICS.monthSurges, CHOSEN_SERVICE) }],
      }),
    )
    .withPanel(
      graph({
        title: 'Users who entered, a second',
        about: 'By the callbacks, and by the successes that agents report; the two should move together.',
        width: 8,
        height: 7,
        unit: 'reqps',
        empty: NO_CALLBACKS,
        queries: [
          { expr: rate(METRICS.callbackEntries, CHOSEN_SERVICE), legend: 'told by the vendor' },
          {
            expr: `${rate(METRICS.entryAttempts, CHOSEN_SERVICE)} - ${rate(METRICS.entryFailures, CHOSEN_SERVICE)}`,
            legend: 'reported by agents',
          },
        ],
      })
        .min(0)
        .overrideByName('reported by agents', [dashed()]),
    )
    .withPanel(
      graph({
        title: "Concurrent users above the last hour's lowest number",
        about:
          'Above the dashed line it is a surge, in which downtime may not count (clause 4.6). Users back after a time-out are among them.',
        width: 8,
        height: 7,
        decimals: 0,
        empty: NO_CALLBACKS,
        steps: SURGING,
        queries: [{ expr: gauge(METRICS.callbackConcurrencyRise, CHOSEN_SERVICE), legend: 'on top' }],
      })
        .thresholdsStyle(dashedThresholds())
        .min(0),
    );
}
