import type { IngestObserver } from '../ingest/observer.ts';
import type { Log } from '../log.ts';
import type { DaemonMetrics } from '../metrics/daemon-metrics.ts';
import type { LossLog } from './loss-log.ts';

/** Counts what ingest does, and logs what an operator must mend. */
export function observeIngest(metrics: DaemonMetrics, losses: LossLog, log: Log): IngestObserver {
  return {
    batches: (outcome, n) => metrics.batches(outcome, n),
    counted: (service, region, platform, tallies) => metrics.counted(service, region, platform, tallies),
    calledBack: (service, counts) => metrics.calledBack(service, counts),
    lost: (reason, outcomes, from) => {
      metrics.lost(reason, outcomes);
      losses.add(reason, outcomes, from);
    },
    clamped: (outcomes) => metrics.clamped(outcomes),
    delayed: (delayMs, outcomes) => metrics.delayed(delayMs, outcomes),
    applied: (service, apply) => {
      metrics.applied(service, apply);
      if (apply.saturated > 0) {
        const { saturated } = apply;
        log.error({ service, saturated }, 'minute counters reached their ceiling: counts were cut');
      }
    },
    applyFailed: (service, reason, error) => {
      metrics.applyFailed(service, reason);
      // An unreachable store is logged once, by its health; a call that it refuses is a bug or damage.
      if (reason === 'fault') log.error({ service, error }, 'the store refused a call; it is repeated');
    },
  };
}
