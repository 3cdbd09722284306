import * as common from '@grafana/grafana-foundation-sdk/common';
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { COLOUR, type Step, stat, TARGET, WINDOWS_LEFT } from './panels.ts';
import { CHOSEN_SERVICE, gauge, truncated } from './query.ts';

const CHOSEN_LINE = { ...CHOSEN_SERVICE, target: '$line' } as const;
const NO_READING = 'no reading yet: connect an agent';
const BREACH: readonly Step[] = [
  { from: null, colour: COLOUR.good },
  { from: 0.25, colour: COLOUR.near },
  { from: 0.75, colour: COLOUR.lost },
];
const OWED: readonly Step[] = [
  { from: null, colour: COLOUR.quiet },
  { from: 0.0001, colour: COLOUR.lost },
];

/** What the month looks like at one glance; the biggest number is the one that matters. */
export function answer(builder: dashboard.DashboardBuilder): void {
  builder
    .withPanel(
      stat({
        title: 'Windows left',
        about: 'Whole five-minute windows that may still be lost before the chosen line is missed.',
        width: 8,
        height: 7,
        empty: NO_READING,
        steps: WINDOWS_LEFT,
        queries: [{ expr: gauge(METRICS.monthWindowsLeft, CHOSEN_LINE), legend: 'windows left' }],
      })
        .colorMode(common.BigValueColorMode.BackgroundSolid)
        .text(new common.VizTextDisplayOptionsBuilder().valueSize(120)),
    )
    .withPanel(
      stat({
        title: 'Availability observed so far',
        about: 'Of the whole month, cut to three decimals: windows still to come count as up (clause 2.1).',
        width: 5,
        height: 7,
        unit: 'percentunit',
        decimals: 3,
        empty: NO_READING,
        steps: TARGET,
        queries: [
          {
            expr: truncated(
              gauge(METRICS.monthAvailabilityRatio, { ...CHOSEN_SERVICE, figure: 'provider_and_unknown' }),
            ),
          },
        ],
      }),
    )
    .withPanel(
      stat({
        title: 'Projected at month end',
        about: 'Expected, with the band in which nine months of ten would end.',
        width: 6,
        height: 7,
        unit: 'percentunit',
        decimals: 3,
        steps: TARGET,
        queries: (['low', 'expected', 'high'] as const).map((bound) => ({
          expr: truncated(gauge(METRICS.monthProjectedAvailabilityRatio, { ...CHOSEN_SERVICE, bound })),
          legend: bound,
        })),
      }).textMode(common.BigValueTextMode.ValueAndName),
    )
    .withPanel(
      stat({
        title: 'Probability of missing the line',
        about:
          'From the history of this service: how often a window is lost, and how often losses follow each other.',
        width: 5,
        height: 7,
        unit: 'percentunit',
        decimals: 1,
        steps: BREACH,
        queries: [{ expr: gauge(METRICS.monthBreachProbabilityRatio, CHOSEN_LINE) }],
      }),
    )
    .withPanel(
      stat({
        title: 'Downtime',
        about: 'Lost windows times five minutes (clause 2.1).',
        width: 6,
        height: 3,
        unit: 's',
        queries: [{ expr: gauge(METRICS.monthDowntimeSeconds, CHOSEN_SERVICE) }],
      }),
    )
    .withPanel(
      stat({
        title: 'Voucher owed so far',
        about: 'Share of the monthly service fee, were the month to end as it stands (clause 3.1).',
        width: 6,
        height: 3,
        unit: 'percentunit',
        decimals: 0,
        steps: OWED,
        queries: [{ expr: gauge(METRICS.monthVoucherRatio, CHOSEN_SERVICE) }],
      }),
    )
    .withPanel(
      stat({
        title: 'Voucher at stake',
        about:
          'Share of the monthly fee to be expected at month end: what each line owes more than the one above, times the probability that it is crossed.',
        width: 6,
        height: 3,
        unit: 'percentunit',
        decimals: 1,
        steps: OWED,
        queries: [{ expr: gauge(METRICS.monthProjectedVoucherRatio, CHOSEN_SERVICE) }],
      }),
    )
    .withPanel(
      stat({
        title: 'Coverage',
        about:
          'Windows in which an agent was watching, over windows elapsed. Below 100 % the month may be worse than it looks.',
        width: 6,
        height: 3,
        unit: 'percentunit',
        decimals: 1,
        steps: [
          { from: null, colour: COLOUR.near },
          { from: 0.99, colour: COLOUR.good },
        ],
        queries: [{ expr: gauge(METRICS.monthCoverageRatio, CHOSEN_SERVICE) }],
      }),
    );
}
