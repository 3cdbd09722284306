import { STEPS, type Step } from '../../alerts/alert.ts';
import { FAILURE_REASONS } from '../../alerts/notify/notifier.ts';
import { severityOf } from '../../alerts/snapshot.ts';
import { METRICS } from '../../protocol/metrics.ts';
import { CAUSES } from '../../sla/cause.ts';
import { CALLBACK_INDEX, MEASURE_INDEX } from '../../sla/facts.ts';
import type { Reading } from '../../sla/reading.ts';
import type { BatchOutcome, IngestObserver } from '../ingest/observer.ts';
import { LabelBounds, type LabelCaps } from './caps.ts';
import { Counter, type Family, Gauge, Histogram } from './registry.ts';

/** Seconds. From a batch that was just sealed to one that waited out a long disconnection. */
const DELAY_BOUNDS = [0.5, 1, 2, 5, 10, 30, 60, 180, 600, 3_600, 21_600, 86_400];
const APPLY_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const EVALUATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

const BATCH_OUTCOMES: readonly BatchOutcome[] = ['applied', 'duplicate', 'rewound', 'refused'];
const APPLY_FAILURES = ['unavailable', 'moved', 'fenced', 'fault'] as const;
const WINDOWS = ['open', 'rolling'] as const;

/** Everything that this daemon exposes, under the names of protocol/metrics.ts. */
export class DaemonMetrics implements IngestObserver {
  readonly entryAttempts = new Counter(METRICS.entryAttempts);
  readonly entryFailures = new Counter(METRICS.entryFailures);
  readonly callbackEntries = new Counter(METRICS.callbackEntries);
  readonly callbackExits = new Counter(METRICS.callbackExits);
  readonly callbackReturns = new Counter(METRICS.callbackReturns);
  readonly windowSuccessRatio = new Gauge(METRICS.windowSuccessRatio);
  readonly windowLost = new Gauge(METRICS.windowLost);
  readonly monthAvailabilityRatio = new Gauge(METRICS.monthAvailabilityRatio);
  readonly monthProjectedAvailabilityRatio = new Gauge(METRICS.monthProjectedAvailabilityRatio);
  readonly monthBreachProbabilityRatio = new Gauge(METRICS.monthBreachProbabilityRatio);
  readonly monthWindowsLost = new Gauge(METRICS.monthWindowsLost);
  readonly monthWindowsLeft = new Gauge(METRICS.monthWindowsLeft);
  readonly monthWindowsAllowed = new Gauge(METRICS.monthWindowsAllowed);
  readonly monthDowntimeSeconds = new Gauge(METRICS.monthDowntimeSeconds);
  readonly monthCoverageRatio = new Gauge(METRICS.monthCoverageRatio);
  readonly monthVoucherRatio = new Gauge(METRICS.monthVoucherRatio);
  readonly monthProjectedVoucherRatio = new Gauge(METRICS.monthProjectedVoucherRatio);
  readonly monthCallbackCoverageRatio = new Gauge(METRICS.monthCallbackCoverageRatio);
  readonly callbackConcurrencyRise = new Gauge(METRICS.callbackConcurrencyRise);
  readonly monthSurges = new Gauge(METRICS.monthSurges);
  readonly agentsConnected = new Gauge(METRICS.agentsConnected);
  readonly agentLastBatchTimestampSeconds = new Gauge(METRICS.agentLastBatchTimestampSeconds);
  readonly batchesTotal = new Counter(METRICS.batches);
  readonly outcomesLost = new Counter(METRICS.outcomesLost);
  readonly outcomesClamped = new Counter(METRICS.outcomesClamped);
  readonly ingestDelaySeconds = new Histogram(METRICS.ingestDelaySeconds, DELAY_BOUNDS);
  readonly storeApplySeconds = new Histogram(METRICS.storeApplySeconds, APPLY_BOUNDS);
  readonly storeApplyFailures = new Counter(METRICS.storeApplyFailures);
  readonly evaluationSeconds = new Histogram(METRICS.evaluationSeconds, EVALUATION_BOUNDS);
  readonly evaluationTimestampSeconds = new Gauge(METRICS.evaluationTimestampSeconds);
  readonly evaluationFailures = new Counter(METRICS.evaluationFailures);
  readonly alertsFiring = new Gauge(METRICS.alertsFiring);
  readonly notifications = new Counter(METRICS.notifications);
  readonly notificationsFailed = new Counter(METRICS.notificationsFailed);
  readonly outboxOldestAgeSeconds = new Gauge(METRICS.outboxOldestAgeSeconds);
  readonly connectionsRefused = new Counter(METRICS.connectionsRefused);
  readonly counterSaturations = new Counter(METRICS.counterSaturations);
  readonly configReloads = new Counter(METRICS.configReloads);
  readonly storeUp = new Gauge(METRICS.storeUp);
  readonly buildInfo = new Gauge(METRICS.buildInfo);

  private readonly bounds: LabelBounds;
  /** Of each service: the lines last published, which a change of its terms may take away. */
  private readonly targets = new Map<string, readonly string[]>();

  constructor({ version, caps }: { readonly version: string; readonly caps: LabelCaps }) {
    this.bounds = new LabelBounds(caps);
    this.buildInfo.set({ version }, 1);
    for (const outcome of BATCH_OUTCOMES) this.batchesTotal.add({ outcome }, 0);
    for (const reason of APPLY_FAILURES) this.storeApplyFailures.add({ reason }, 0);
    for (const result of ['applied', 'refused']) this.configReloads.add({ result }, 0);
    for (const total of [this.outcomesClamped, this.counterSaturations, this.evaluationFailures]) {
      total.add({}, 0);
    }
    this.evaluationTimestampSeconds.set({}, 0);
    this.outboxOldestAgeSeconds.set({}, 0);
    this.storeUp.set({}, 0);
  }

  families(): Family[] {
    return Object.values(this).filter(
      (field): field is Family => typeof field === 'object' && field !== null && 'pages' in field,
    );
  }

  batches(outcome: BatchOutcome, n: number): void {
    this.batchesTotal.add({ outcome }, n);
  }

  counted(service: string, region: string, platform: string, tallies: readonly number[]): void {
    const labels = this.bounds.bounded(service, region, platform);
    const isNew = this.entryAttempts.add(labels, tallies[MEASURE_INDEX.attempts] ?? 0);
    for (const cause of CAUSES) {
      const failures = tallies[MEASURE_INDEX[cause]] ?? 0;
      // Zeros too at first: a series that appears with its first failure hides that failure from rate().
      if (failures > 0 || isNew) this.entryFailures.add({ ...labels, cause }, failures);
    }
  }

  calledBack(service: string, counts: readonly number[]): void {
    const labels = { service: this.bounds.labelOf(service) };
    this.callbackEntries.add(labels, counts[CALLBACK_INDEX.entered] ?? 0);
    this.callbackExits.add(labels, counts[CALLBACK_INDEX.left] ?? 0);
    this.callbackReturns.add(labels, counts[CALLBACK_INDEX.returned] ?? 0);
  }

  lost(reason: string, outcomes: number): void {
    this.outcomesLost.add({ reason }, outcomes);
  }

  clamped(outcomes: number): void {
    this.outcomesClamped.add({}, outcomes);
  }

  delayed(delayMs: number, outcomes: number): void {
    this.ingestDelaySeconds.observe(delayMs / 1_000, outcomes);
  }

  applied(
    service: string,
    { durationMs, saturated, atMs }: { durationMs: number; saturated: number; atMs: number },
  ): void {
    this.storeApplySeconds.observe(durationMs / 1_000);
    if (saturated > 0) this.counterSaturations.add({}, saturated);
    if (this.bounds.admits(service)) this.agentLastBatchTimestampSeconds.set({ service }, atMs / 1_000);
  }

  applyFailed(_service: string, reason: (typeof APPLY_FAILURES)[number]): void {
    this.storeApplyFailures.add({ reason });
  }

  /** Receivers of the configuration: their failures show from the first one on. */
  knowReceivers(names: readonly string[]): void {
    for (const receiver of names) {
      this.notifications.add({ receiver }, 0);
      for (const reason of FAILURE_REASONS) this.notificationsFailed.add({ receiver, reason }, 0);
    }
  }

  /** @param firing  the step of each alert that fires; a line of the contract has alerts of its own */
  alerts(service: string, firing: readonly Step[]): void {
    if (!this.bounds.admits(service)) return;
    for (const step of STEPS) {
      const labels = { service, step, severity: severityOf(step) };
      this.alertsFiring.set(labels, firing.filter((one) => one === step).length);
    }
  }

  connected(service: string, agents: number): void {
    if (this.bounds.admits(service)) this.agentsConnected.set({ service }, agents);
  }

  evaluated(durationMs: number): void {
    this.evaluationSeconds.observe(durationMs / 1_000);
  }

  /** @param completedAtMs  of the evaluator; null before the first complete evaluation */
  evaluatedUntil(completedAtMs: number | null): void {
    if (completedAtMs !== null) this.evaluationTimestampSeconds.set({}, completedAtMs / 1_000);
  }

  /** Shows a reading; that of a service beyond the cap is not shown, as gauges of several do not add up. */
  publish(reading: Reading): void {
    const { service } = reading;
    if (!this.bounds.admits(service)) return;
    this.publishWindow(reading);
    const { figures, projection, budget } = reading;
    const availability = {
      provider_and_unknown: figures.providerAndUnknown,
      provider_only: figures.providerOnly,
      raw: figures.raw,
    };
    for (const [figure, { ratio }] of Object.entries(availability)) {
      this.monthAvailabilityRatio.set({ service, figure }, ratio);
    }
    for (const bound of ['low', 'expected', 'high'] as const) {
      this.monthProjectedAvailabilityRatio.set({ service, bound }, projection.availability[bound]);
    }
    this.monthWindowsLost.set({ service }, budget.lost);
    this.monthDowntimeSeconds.set({ service }, reading.downtimeMinutes * 60);
    this.monthCoverageRatio.set({ service }, reading.coverage);
    this.monthVoucherRatio.set({ service }, reading.voucherPercent / 100);
    this.monthProjectedVoucherRatio.set({ service }, projectedVoucherRatio(reading));
    this.publishLines(reading);
    this.publishCallbacks(reading);
  }

  /** Takes a service's month away: it has none now. */
  withdraw(service: string): void {
    for (const window of WINDOWS) this.windowSuccessRatio.remove({ service, window });
    for (const figure of ['provider_and_unknown', 'provider_only', 'raw']) {
      this.monthAvailabilityRatio.remove({ service, figure });
    }
    for (const bound of ['low', 'expected', 'high']) {
      this.monthProjectedAvailabilityRatio.remove({ service, bound });
    }
    const ofService = [
      this.windowLost,
      this.monthWindowsLost,
      this.monthDowntimeSeconds,
      this.monthCoverageRatio,
      this.monthVoucherRatio,
      this.monthProjectedVoucherRatio,
    ];
    for (const gauge of ofService) gauge.remove({ service });
    this.withdrawCallbacks(service);
    this.withdrawLines(service, this.targets.get(service) ?? []);
    this.targets.delete(service);
  }

  private publishWindow({ service, openWindow, rolling }: Reading): void {
    const ratios = { open: openWindow, rolling };
    for (const window of WINDOWS) {
      const counted = ratios[window];
      // Without an attempt there is no ratio; neither 0 nor 1 would be true.
      if (!counted || counted.attempts === 0) this.windowSuccessRatio.remove({ service, window });
      else this.windowSuccessRatio.set({ service, window }, 1 - counted.failures / counted.attempts);
    }
    this.windowLost.set({ service }, openWindow?.alreadyLost ? 1 : 0);
  }

  private publishCallbacks({ service, callbacks }: Reading): void {
    if (callbacks === undefined) {
      this.withdrawCallbacks(service);
      return;
    }
    const { coverage, rise, surges } = callbacks;
    // Nobody entered: neither 0 nor 1 would be true.
    if (coverage === null) this.monthCallbackCoverageRatio.remove({ service });
    else this.monthCallbackCoverageRatio.set({ service }, coverage);
    this.callbackConcurrencyRise.set({ service }, rise);
    this.monthSurges.set({ service }, surges.length);
  }

  private withdrawCallbacks(service: string): void {
    this.monthCallbackCoverageRatio.remove({ service });
    this.callbackConcurrencyRise.remove({ service });
    this.monthSurges.remove({ service });
  }

  private publishLines({ service, lines, projection }: Reading): void {
    const targets = lines.map((line) => ratioLabel(line.target));
    const former = this.targets.get(service) ?? [];
    this.withdrawLines(
      service,
      former.filter((target) => !targets.includes(target)),
    );
    this.targets.set(service, targets);
    for (const [i, line] of lines.entries()) {
      const labels = { service, target: targets[i]! };
      this.monthWindowsLeft.set(labels, line.left);
      this.monthWindowsAllowed.set(labels, line.allowed);
      const probability = projection.breachProbability[line.target];
      if (probability !== undefined) this.monthBreachProbabilityRatio.set(labels, probability);
    }
  }

  private withdrawLines(service: string, targets: readonly string[]): void {
    for (const target of targets) {
      this.monthWindowsLeft.remove({ service, target });
      this.monthWindowsAllowed.remove({ service, target });
      this.monthBreachProbabilityRatio.remove({ service, target });
    }
  }
}

/** '99.9' -> '0.999', exactly: a float would make 0.9990000000000001 of it. */
export function ratioLabel(percent: string): string {
  const [whole = '', decimals = ''] = percent.split('.');
  const digits = whole.padStart(3, '0');
  const fraction = `${digits.slice(-2)}${decimals}`.replace(/0+$/, '');
  const units = String(Number(digits.slice(0, -2)));
  return fraction === '' ? units : `${units}.${fraction}`;
}

/**
 * Crossing a line adds what it owes more than the line above, at the probability that it is crossed by the end of
 * the month. Lines come with the highest first, and owe no less downwards (clause 3.1).
 */
export function projectedVoucherRatio({ lines, projection }: Pick<Reading, 'lines' | 'projection'>): number {
  return lines.reduce((sum, { target, voucherPercent }, i) => {
    const more = voucherPercent - (lines[i - 1]?.voucherPercent ?? 0);
    return sum + (more / 100) * (projection.breachProbability[target] ?? 0);
  }, 0);
}
