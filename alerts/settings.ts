import type { Step } from './alert.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What every step has in common. */
export interface StepTiming {
  readonly enabled: boolean;
  /** How long it must hold before it is said. */
  readonly forMs: number;
  /** How long it must be clear, by the separate clear threshold, before it is resolved. */
  readonly clearForMs: number;
  /** Between reminders while firing and not acknowledged; 0 = none. */
  readonly remindEveryMs: number;
}

/** Every threshold of the table in README.md. Shares are 0 to 1, points are percentage points. */
export interface AlertSettings {
  readonly steps: Readonly<Record<Step, StepTiming>>;
  readonly entryFailing: {
    /** Fires below this success percentage of the trailing five minutes, clears at `clearPercent` or above. */
    readonly belowPercent: number;
    readonly clearPercent: number;
    /** Enough volume: this many counted failures ... */
    readonly minFailures: number;
    /** ... or this many windows lost in a row, the one in progress included. */
    readonly windowsInARow: number;
  };
  /** Share of the allowed windows that is lost. */
  readonly budget: { readonly lostShare: number };
  readonly near: {
    readonly marginPoints: number;
    readonly clearMarginPoints: number;
    readonly probability: number;
    readonly clearProbability: number;
    readonly windowsLeft: number;
  };
  readonly blind: {
    /** No agent alive for this long is blind; SLA steps then neither fire nor resolve. */
    readonly silentMs: number;
    /** Share of the last hour's windows that must have been seen; clears at `clearCoverage` or above. */
    readonly coverage: number;
    readonly clearCoverage: number;
  };
  /** Days before a claim's deadline on which it is said again, largest first. */
  readonly claim: { readonly remindDaysBefore: readonly number[] };
}

const said = (timing: Partial<StepTiming>): StepTiming => ({
  enabled: true,
  forMs: 0,
  clearForMs: 0,
  remindEveryMs: 0,
  ...timing,
});

/** A window's last outcomes are still on their way when it ends: what it decides is said when it has settled. */
const SETTLE_MS = 15_000;

/**
 * What somebody can mend now is repeated; the state of the books changes with the next lost window or not at all,
 * so it is said once.
 */
export const DEFAULT_SETTINGS: AlertSettings = {
  steps: {
    'entry-failing': said({ clearForMs: 5 * MINUTE_MS, remindEveryMs: HOUR_MS }),
    budget: said({ forMs: SETTLE_MS }),
    // The forecast moves with every window; an hour of calm separates an improvement from a swing.
    near: said({ forMs: SETTLE_MS, clearForMs: HOUR_MS }),
    'last-window': said({ forMs: SETTLE_MS }),
    breached: said({ forMs: SETTLE_MS }),
    blind: said({ clearForMs: MINUTE_MS, remindEveryMs: 6 * HOUR_MS }),
    claim: said({}),
  },
  entryFailing: { belowPercent: 99, clearPercent: 99.5, minFailures: 10, windowsInARow: 2 },
  budget: { lostShare: 0.5 },
  near: {
    marginPoints: 0.02,
    clearMarginPoints: 0.03,
    probability: 0.25,
    clearProbability: 0.2,
    windowsLeft: 2,
  },
  blind: { silentMs: 3 * MINUTE_MS, coverage: 0.9, clearCoverage: 0.95 },
  claim: { remindDaysBefore: [14, 3] },
};
