import type { Reading } from '../../sla/reading.ts';
import type { Verdict } from '../../sla/verdict.ts';

/**
 * The shapes that the page's modules hand to each other and get from the daemon. Types only: the browser never
 * loads this file.
 */

/** A service month, by the contract's clock: see contract-time.js. */
export interface ContractMonth {
  /** YYYY-MM */
  readonly month: string;
  /** 'UTC', an offset or an IANA name. */
  readonly timeZone: string;
  /** YYYY-MM-DD; not the 1st when the service began within the month. */
  readonly firstDate: string;
  readonly days: number;
  /** Windows a day: 288 of five minutes, also on a day of 23 or 25 hours. */
  readonly perDay: number;
  readonly windowMinutes: number;
  /** What the clock showed when, in order: more than one piece when it changed within the month. */
  readonly clock: readonly { readonly fromMs: number; readonly toMs: number; readonly offsetMs: number }[];
  /** Places without a minute: skipped by the clock, or outside the service period. */
  readonly absent: ReadonlySet<number>;
}

/** The windows of a month as the daemon tells them: a column of each thing, from the place `from` on. */
export interface MonthWindows {
  readonly month: string;
  readonly timeZone: string;
  readonly firstDate: string;
  readonly days: number;
  readonly windowMinutes: number;
  readonly windowsPerDay: number;
  readonly clock: readonly { readonly from: string; readonly to: string; readonly offsetMinutes: number }[];
  readonly from: number;
  readonly verdict: readonly WindowCell['verdict'][];
  readonly attempts: readonly number[];
  readonly failures: readonly number[];
  readonly failuresByCause: Readonly<Record<string, readonly number[]>>;
  readonly lowVolume: readonly boolean[];
}

/** A window that is over. */
export interface WindowCell {
  /** In the month, from 0. */
  readonly place: number;
  readonly verdict: Exclude<Verdict, 'remaining'>;
  /** Counted ones. */
  readonly attempts: number;
  readonly failures: number;
  /** All of them. */
  readonly failuresByCause: Readonly<Record<string, number>>;
  readonly lowVolume: boolean;
}

/** The windows of a month, by place; undefined is still to come. */
export type Cells = readonly (WindowCell | undefined)[];

/** How a window is drawn; `ahead` is still to come, `absent` has no minute. */
export type Look =
  | 'clean'
  | 'some'
  | 'close'
  | 'lost'
  | 'lost-few'
  | 'excluded'
  | 'idle'
  | 'unmeasured'
  | 'absent'
  | 'ahead';

export interface Brush {
  readonly context: CanvasRenderingContext2D;
  readonly colours: Colours;
  /** Device pixels of one CSS pixel, at least 1. */
  readonly hairline: number;
}

/** By the names of style.css, without the dashes. */
export type Colours = Readonly<Record<string, string>>;

/** In device pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A run of lost windows. */
export interface Incident {
  /** Of its first window. */
  readonly place: number;
  readonly windows: number;
  /** Counted ones. */
  readonly attempts: number;
  readonly failures: number;
  /** Every window of it is. */
  readonly lowVolume: boolean;
}

export interface ExclusionRecord {
  readonly id: string;
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly clause: string;
  readonly author: string;
  readonly reason: string;
  readonly noticeAt?: string;
  readonly source: 'api' | 'file';
  /** Ids of others in force that share time with it. */
  readonly overlaps: readonly string[];
  /** Names of tokens. */
  readonly enteredBy?: string;
  readonly withdrawnBy?: string;
  readonly withdrawnAt?: string;
  readonly withdrawnReason?: string;
}

export interface AlertRecord {
  readonly key: string;
  readonly service: string;
  readonly step: string;
  readonly severity: string;
  readonly state: 'pending' | 'firing' | 'resolved';
  readonly summary: string;
  readonly since: string;
  readonly resolvedAt?: string;
  readonly acknowledgedBy?: string;
}

/** One service month as the daemon tells it. */
export interface MonthView {
  readonly reading: Reading;
  readonly month: ContractMonth;
  readonly cells: Cells;
  readonly exclusions: readonly ExclusionRecord[];
  /** null when the daemon has no alerting. */
  readonly alerts: readonly AlertRecord[] | null;
}

/** A service as the daemon lists it; the rest is missing before its first reading. */
export interface ServiceRecord extends Partial<Pick<Reading, 'month' | 'budget'>> {
  readonly service: string;
}

/** A service in the list. */
export interface Headline {
  readonly service: string;
  /** Whole windows; null when there is no reading yet. */
  readonly left: number | null;
  readonly isMissed: boolean;
  /** The current one in its contract's zone, YYYY-MM. */
  readonly month: string | undefined;
}

/** Where on the page one is. */
export interface Route {
  readonly service: string | null;
  /** YYYY-MM; null is the current one. */
  readonly month: string | null;
  /** An instant whose window is asked for. */
  readonly at: string | number | null;
}

/** Of an element: `onclick` and the like are listeners; true is an empty attribute, false and undefined none. */
export type Attributes = Record<string, string | number | boolean | ((event: never) => void) | undefined>;
export type Child = Node | string | number | null | undefined;

/** Takes an exclusion back, and says why. */
export type Withdraw = (id: string, reason: string) => void;
