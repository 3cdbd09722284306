import type { Cause } from './cause.ts';

/**
 * The reading of one service month: what a person sees, what Prometheus scrapes and what an alert says.
 * Instants are RFC 3339 text in UTC with milliseconds; ratios 0 to 1; dates are contract dates (YYYY-MM-DD).
 */
export interface Reading {
  readonly service: string;
  readonly month: string;
  readonly asOf: string;
  readonly period: {
    readonly start: string;
    readonly end: string;
    readonly days: number;
    readonly windows: number;
    readonly minutes: number;
  };
  /** up + down + excluded + idle + unmeasured + remaining = period.windows */
  readonly windows: {
    readonly up: number;
    readonly down: number;
    readonly excluded: number;
    readonly idle: number;
    readonly unmeasured: number;
    readonly remaining: number;
    /** of `down`: lost with fewer than 100 counted attempts, where one failure is enough */
    readonly lowVolumeDown: number;
  };
  /** All attempts of the month as recorded, before causes and exclusions are taken out. */
  readonly attempts: number;
  readonly failures: Readonly<Record<Cause, number>>;
  /** Minutes of the windows that are down, under any measure. */
  readonly downtimeMinutes: number;
  readonly availability: { readonly ratio: number; readonly display: string; readonly meetsTarget: boolean };
  readonly figures: {
    readonly providerOnly: Figure;
    readonly providerAndUnknown: Figure;
    readonly raw: Figure;
  };
  /** In whole windows; under `mean-window-error` error rates add up to `lost`, rounded up. Missed = lost > allowed. */
  readonly budget: { readonly allowed: number; readonly lost: number; readonly left: number };
  readonly lines: readonly Line[];
  readonly voucherPercent: number;
  readonly voucher?: { readonly amount: string; readonly currency: string };
  readonly projection: Projection;
  readonly claim: { readonly opens: string; readonly deadline: string };
  /** Windows elapsed that are not `unmeasured`, over all that have elapsed; 1 while none has. */
  readonly coverage: number;
  readonly openWindow: OpenWindow | null;
  /** The trailing five whole-or-partial minutes, counted as in the contract. */
  readonly rolling: { readonly attempts: number; readonly failures: number };
  readonly lostWindows: readonly LostWindow[];
  /** Windows that changed after they had closed. */
  readonly revisions: readonly { readonly start: string; readonly lateAttempts: number }[];
  /** What a reader of the figures must know, e.g. a year that the business calendar lacks. */
  readonly warnings: readonly string[];
  /** What the vendor's own callbacks say; absent when none came. Evidence: nothing above depends on it. */
  readonly callbacks?: CallbackEvidence;
}

/** See `callbacks.ts` for how it is read, and for why `coverage` may differ from 1 though nothing is missing. */
export interface CallbackEvidence {
  /** The minutes compared: those of the month's first callback to its last; `to` excluded. */
  readonly from: string;
  readonly to: string;
  /** Users who entered a room, as the vendor tells; not those back after a time-out. */
  readonly entered: number;
  /** Successful entries that agents reported for the same minutes, of all applications, also of one without callbacks. */
  readonly reported: number;
  /**
   * `reported` / `entered`: how much of what the vendor saw was measured; null when nobody entered. Too high unless every
   * application of the service calls back.
   */
  readonly coverage: number | null;
  /** Concurrent users in the last minute looked at over the least of the hour before it. */
  readonly rise: number;
  /** Clause 4.6: for a person to decide about, never applied. */
  readonly surges: readonly Surge[];
}

/** Minutes in which more users than SURGE allows were on top of the hour's least. */
export interface Surge {
  readonly from: string;
  readonly to: string;
  /** The most there were, from the low that it is measured from to its peak: `entered` + `returned` less who left. */
  readonly rise: number;
  /** Users who entered in the minutes of that rise: after the last minute of the low, up to the first of the peak. */
  readonly entered: number;
  /**
   * Users back after a time-out in these minutes, who are no new ones. Most of a rise after an outage; also beside a
   * rise of new users, when they timed out in it too, so that neither this nor `rise - returned` says it alone.
   */
  readonly returned: number;
}

export interface Figure {
  /** Windows that are down. */
  readonly lost: number;
  readonly ratio: number;
  /** Truncated; only under `mean-window-error`, where it does not follow from `lost`. */
  readonly display?: string;
}

/** One line of the contract: the target or a voucher tier. */
export interface Line {
  readonly target: string;
  readonly allowed: number;
  readonly left: number;
  readonly crossed: boolean;
  /** Owed once this line is crossed. */
  readonly voucherPercent: number;
}

/**
 * At the end of the month. Breach probabilities and the interval (nine tenths) are exact under the posteriors of
 * the chain's two probabilities; `expected` and `expectedLost` are taken at the posteriors' means `a` and `b`.
 */
export interface Projection {
  readonly availability: { readonly expected: number; readonly low: number; readonly high: number };
  readonly expectedLost: number;
  /** by line, keyed as in `lines[].target` */
  readonly breachProbability: Readonly<Record<string, number>>;
  /** Posterior means of P(down after up) and P(down after down) for the rest of the month. */
  readonly a: number;
  readonly b: number;
}

export interface OpenWindow {
  readonly start: string;
  readonly attempts: number;
  readonly failures: number;
  /** Lost even if every attempt still to be expected succeeds. */
  readonly alreadyLost: boolean;
  /** Attempts expected in the whole window, null in its first minute without an observed hour before it. */
  readonly expectedAttempts: number | null;
  /** Further failures, all else succeeding as expected, that would lose the window; 0 when already lost. */
  readonly failuresUntilLost: number;
}

export interface LostWindow {
  readonly start: string;
  readonly attempts: number;
  readonly failures: number;
  readonly lowVolume: boolean;
}
