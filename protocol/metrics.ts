/**
 * Every metric that roomwatch exposes: name, type, help, labels. The daemon, the agent, the dashboards and the
 * Prometheus rules take names from here, so that a rename breaks the build instead of a panel.
 * Base units; ratios 0 to 1. Prefix `roomwatch_`; the agent's own have `roomwatch_agent_`.
 */
export type MetricType = 'counter' | 'gauge' | 'histogram';
export interface MetricSpec {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
}

function metric<const L extends readonly string[]>(
  name: string,
  type: MetricType,
  labels: L,
  help: string,
): MetricSpec & { readonly labels: L } {
  return { name: `roomwatch_${name}`, type, help, labels };
}

export const METRICS = {
  entryAttempts: metric(
    'entry_attempts_total',
    'counter',
    ['service', 'region', 'platform'],
    'Room-entry requests counted by this daemon.',
  ),
  entryFailures: metric(
    'entry_failures_total',
    'counter',
    ['service', 'region', 'platform', 'cause'],
    'Failed room-entry requests counted by this daemon, by cause.',
  ),
  callbackEntries: metric(
    'callback_entries_total',
    'counter',
    ['service'],
    'Users who entered a room, as the callbacks of the vendor tell; successes only, never a success rate.',
  ),
  callbackExits: metric(
    'callback_exits_total',
    'counter',
    ['service'],
    'Users who left a room, as the callbacks of the vendor tell; those who timed out too.',
  ),
  callbackReturns: metric(
    'callback_returns_total',
    'counter',
    ['service'],
    'Users back in a room after a time-out, as the callbacks of the vendor tell; they are no entries.',
  ),
  windowSuccessRatio: metric(
    'window_success_ratio',
    'gauge',
    ['service', 'window'],
    'Success ratio of counted attempts in the aligned window in progress (open) or the trailing five minutes (rolling).',
  ),
  windowLost: metric('window_lost', 'gauge', ['service'], '1 when the window in progress is already lost.'),
  monthAvailabilityRatio: metric(
    'month_availability_ratio',
    'gauge',
    ['service', 'figure'],
    'Availability of the service month so far over the whole month, by figure.',
  ),
  monthProjectedAvailabilityRatio: metric(
    'month_projected_availability_ratio',
    'gauge',
    ['service', 'bound'],
    'Projected availability at the end of the month.',
  ),
  monthBreachProbabilityRatio: metric(
    'month_breach_probability_ratio',
    'gauge',
    ['service', 'target'],
    'Probability that the month ends below the target.',
  ),
  monthWindowsLost: metric(
    'month_windows_lost',
    'gauge',
    ['service'],
    'Whole five-minute windows lost in the service month.',
  ),
  monthWindowsLeft: metric(
    'month_windows_left',
    'gauge',
    ['service', 'target'],
    'Whole windows that may still be lost before the target is missed.',
  ),
  monthWindowsAllowed: metric(
    'month_windows_allowed',
    'gauge',
    ['service', 'target'],
    'Whole windows that may be lost in the service month.',
  ),
  monthDowntimeSeconds: metric(
    'month_downtime_seconds',
    'gauge',
    ['service'],
    'Downtime of the service month so far.',
  ),
  monthCoverageRatio: metric(
    'month_coverage_ratio',
    'gauge',
    ['service'],
    'Windows measured or idle over windows elapsed.',
  ),
  monthVoucherRatio: metric(
    'month_voucher_ratio',
    'gauge',
    ['service'],
    'Voucher owed for the month so far, as a share of the monthly fee.',
  ),
  monthProjectedVoucherRatio: metric(
    'month_projected_voucher_ratio',
    'gauge',
    ['service'],
    'Voucher to be expected at the end of the month, as a share of the monthly fee.',
  ),
  monthCallbackCoverageRatio: metric(
    'month_callback_coverage_ratio',
    'gauge',
    ['service'],
    'Successes reported by agents over entries told by the callbacks of the vendor, in the same minutes; too high unless every application of the service calls back.',
  ),
  callbackConcurrencyRise: metric(
    'callback_concurrency_rise',
    'gauge',
    ['service'],
    'Concurrent users over the least of the hour before, from the callbacks of the vendor; those back after a time-out too.',
  ),
  monthSurges: metric(
    'month_surges',
    'gauge',
    ['service'],
    'Times in the service month that more than 3000 concurrent users came on top (clause 4.6), those back after a time-out too; a person decides.',
  ),
  agentsConnected: metric('agents_connected', 'gauge', ['service'], 'Agents connected to this daemon.'),
  agentLastBatchTimestampSeconds: metric(
    'agent_last_batch_timestamp_seconds',
    'gauge',
    ['service'],
    'When the last batch of any agent of the service was counted.',
  ),
  batches: metric('batches_total', 'counter', ['outcome'], 'Batches received, by what became of them.'),
  outcomesLost: metric(
    'outcomes_lost_total',
    'counter',
    ['reason'],
    'Outcomes that were given up, as agents declared them or the daemon refused them.',
  ),
  ingestDelaySeconds: metric(
    'ingest_delay_seconds',
    'histogram',
    [],
    'From the start of an outcome to its being counted.',
  ),
  storeApplySeconds: metric(
    'store_apply_seconds',
    'histogram',
    [],
    'Duration of one store call that applies a group of batches.',
  ),
  evaluationSeconds: metric(
    'evaluation_seconds',
    'histogram',
    [],
    'Duration of one evaluation of a service.',
  ),
  evaluationTimestampSeconds: metric(
    'evaluation_timestamp_seconds',
    'gauge',
    [],
    'Every evaluation asked for before this time is over.',
  ),
  alertsFiring: metric('alerts_firing', 'gauge', ['service', 'step', 'severity'], 'Alerts firing now.'),
  notifications: metric(
    'notifications_total',
    'counter',
    ['receiver'],
    'Notifications handed to a receiver.',
  ),
  notificationsFailed: metric(
    'notifications_failed_total',
    'counter',
    ['receiver', 'reason'],
    'Notification attempts that failed.',
  ),
  outboxOldestAgeSeconds: metric(
    'outbox_oldest_age_seconds',
    'gauge',
    [],
    'Age of the oldest undelivered notification.',
  ),
  buildInfo: metric('build_info', 'gauge', ['version'], 'Always 1; the version is the label.'),
  connectionsRefused: metric(
    'connections_refused_total',
    'counter',
    ['reason'],
    'Agent connections refused or closed by the daemon, by reason.',
  ),
  counterSaturations: metric(
    'tally_saturations_total',
    'counter',
    [],
    'Minute counters that reached their ceiling.',
  ),
  configReloads: metric('config_reloads_total', 'counter', ['result'], 'Configuration reloads, by result.'),
  outcomesClamped: metric(
    'outcomes_clamped_total',
    'counter',
    [],
    'Outcomes that came from the future and were counted in the minute after now.',
  ),
  storeApplyFailures: metric(
    'store_apply_failures_total',
    'counter',
    ['reason'],
    'Store calls that applied nothing and are repeated, by reason.',
  ),
  evaluationFailures: metric(
    'evaluation_failures_total',
    'counter',
    [],
    'Evaluations of a service that failed and are repeated.',
  ),
  storeUp: metric('store_up', 'gauge', [], '1 while the store answers.'),
} as const satisfies Record<string, MetricSpec>;

export const AGENT_METRICS = {
  spoolBatches: metric('agent_spool_batches', 'gauge', [], 'Sealed batches not yet acknowledged.'),
  spoolBytes: metric('agent_spool_bytes', 'gauge', [], 'Bytes of the spool on disk.'),
  spoolOldestTimestampSeconds: metric(
    'agent_spool_oldest_timestamp_seconds',
    'gauge',
    [],
    'When the oldest unacknowledged batch was sealed; 0 when there is none.',
  ),
  outcomesAccepted: metric(
    'agent_outcomes_accepted_total',
    'counter',
    ['source'],
    'Outcomes accepted and on disk, by way in.',
  ),
  outcomesRejected: metric('agent_outcomes_rejected_total', 'counter', ['code'], 'Records refused, by code.'),
  requestsRefused: metric(
    'agent_http_requests_refused_total',
    'counter',
    ['code'],
    'Requests and connections refused over HTTP as a whole, by code.',
  ),
  outcomesRepeated: metric(
    'agent_outcomes_repeated_total',
    'counter',
    [],
    'Outcomes not counted because their id was seen before, also by an earlier try of the agent itself.',
  ),
  trtcCallbacks: metric(
    'agent_trtc_callbacks_total',
    'counter',
    ['result'],
    'Callbacks of the vendor, by what became of them: entered, left, repeated, ignored, or why they were refused.',
  ),
  outcomesLost: metric(
    'agent_outcomes_lost_total',
    'counter',
    ['reason'],
    'Accepted outcomes that had to be given up.',
  ),
  followedUnreadBytes: metric(
    'agent_followed_unread_bytes',
    'gauge',
    [],
    'Bytes of followed files, and of rotated ones before them or still written to, that are not read yet; compressed ones packed.',
  ),
  followedFilesOpen: metric(
    'agent_followed_files_open',
    'gauge',
    [],
    'Followed files that are being read, of those that were named.',
  ),
  followedFilesSkipped: metric(
    'agent_followed_files_skipped_total',
    'counter',
    ['reason'],
    'Rotated files that could not be read, or not to their end: broken, cut-off, compression.',
  ),
  batchesSealed: metric('agent_batches_sealed_total', 'counter', [], 'Batches sealed.'),
  batchesAcknowledged: metric(
    'agent_batches_acknowledged_total',
    'counter',
    [],
    'Batches acknowledged by the daemon.',
  ),
  rewinds: metric('agent_rewinds_total', 'counter', [], 'Times the daemon asked for batches again.'),
  connected: metric('agent_connected', 'gauge', [], '1 while connected to the daemon.'),
  connects: metric('agent_connects_total', 'counter', ['result'], 'Connection attempts, by result.'),
  disconnects: metric(
    'agent_disconnects_total',
    'counter',
    ['reason'],
    'Connections that ended after their welcome, by reason.',
  ),
  clockOffsetSeconds: metric('agent_clock_offset_seconds', 'gauge', [], 'Daemon clock minus agent clock.'),
  servicesForbidden: metric(
    'agent_services_forbidden',
    'gauge',
    [],
    'Services reported here that the token does not cover: their outcomes are refused.',
  ),
  roundTripSeconds: metric('agent_round_trip_seconds', 'gauge', [], 'Lowest round trip of the last eight.'),
  buildInfo: metric('agent_build_info', 'gauge', ['version'], 'Always 1; the version is the label.'),
} as const satisfies Record<string, MetricSpec>;
