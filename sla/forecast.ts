import {
  type Chain,
  expectedLosses,
  lossDistribution,
  lossesOfStep,
  meanOf,
  type Outlook,
  probabilityOfMore,
  quantileOf,
  stepDistribution,
} from './chain.ts';
import type { MonthVerdicts } from './judge-month.ts';
import { costsOf, toleratedLosses } from './mean-error.ts';
import type { Line, OpenWindow, Projection } from './reading.ts';
import { VERDICT_INDEX } from './verdict.ts';

/**
 * What the rest of the month will bring. A straight line through the month so far is not a forecast: one lost
 * window on day 1 would project 30. Here a service's own windows teach the chain of `chain.ts` how often an
 * outage begins and how long it lasts.
 */

/** How often windows followed each other, counted in closed windows. */
export interface Transitions {
  readonly upUp: number;
  readonly upDown: number;
  readonly downUp: number;
  readonly downDown: number;
}

const NONE: Transitions = { upUp: 0, upDown: 0, downUp: 0, downDown: 0 };

/** Imagined observations before the first real one; each number above 0. */
export interface Prior {
  readonly up: { readonly lost: number; readonly kept: number };
  readonly down: { readonly lost: number; readonly kept: number };
}

/**
 * Weak: one outage in five weeks of windows, three windows long on average, with a heavy tail as real ones have.
 * A month or two of the service's own windows outweigh it. With much less, the first lost window of a new
 * service would announce a breach; test/bench/calibration.ts shows what the choice costs.
 */
export const DEFAULT_PRIOR: Prior = { up: { lost: 1, kept: 9_999 }, down: { lost: 1, kept: 1.5 } };

/** Transitions between a month's closed windows; one that is excluded or that nobody watched joins nothing. */
export function transitionsOf(verdicts: MonthVerdicts): Transitions {
  const counts = { ...NONE };
  let before: boolean | null = null;
  for (let window = 0; window < verdicts.verdict.length; window += 1) {
    if (verdicts.minutes[window] === 0) continue;
    const isDown = stateOf(verdicts, window);
    if (before !== null && isDown !== null) {
      if (before) counts[isDown ? 'downDown' : 'downUp'] += 1;
      else counts[isDown ? 'upDown' : 'upUp'] += 1;
    }
    before = isDown;
  }
  return counts;
}

/** Whether a window was down by itself; null when it tells nothing. */
function stateOf({ verdict, isBelow }: MonthVerdicts, window: number): boolean | null {
  const one = verdict[window];
  const tells = one === VERDICT_INDEX.up || one === VERDICT_INDEX.down || one === VERDICT_INDEX.idle;
  return tells ? isBelow[window] === 1 : null;
}

export function addTransitions(x: Transitions, y: Transitions): Transitions {
  return {
    upUp: x.upUp + y.upUp,
    upDown: x.upDown + y.upDown,
    downUp: x.downUp + y.downUp,
    downDown: x.downDown + y.downDown,
  };
}

/** The chain's two posteriors. */
export function chainOf(seen: Transitions, prior: Prior = DEFAULT_PRIOR): Chain {
  return {
    a: { kind: 'beta', lost: prior.up.lost + seen.upDown, kept: prior.up.kept + seen.upUp },
    b: { kind: 'beta', lost: prior.down.lost + seen.downDown, kept: prior.down.kept + seen.downUp },
  };
}

export interface ProjectionInput {
  readonly verdicts: MonthVerdicts;
  readonly lost: number;
  readonly lines: readonly Line[];
  readonly openWindow: OpenWindow | null;
  /** Of earlier months. */
  readonly history?: Transitions | undefined;
  readonly prior?: Prior | undefined;
}

/** Further losses worked out at least, for the interval. */
const INTERVAL_LOSSES = 100;
/** The interval leaves out a twentieth on either side: this many standard deviations of a normal distribution. */
const TAIL = { share: 0.05, deviations: 1.645 } as const;

/**
 * What the month will come to: its losses so far, and the chain for the windows that can still be lost, which
 * are those that have not ended and are not wholly excluded. A window in progress that is already lost is taken
 * as lost, and the chain learns from it, so that nothing jumps when it ends.
 *
 * Breach probabilities and the interval are exact under the posteriors; the expectation is at their means `a` and
 * `b`, as its exact value hangs on a tail of outages that never end. When only runs count (`minConsecutive`),
 * everything is at the means. What the losses come to is the measure's, see `accountOf`.
 */
export function project(input: ProjectionInput): Projection {
  const { verdicts, lines, openWindow, history } = input;
  const least = verdicts.terms.minConsecutive;
  const run = lastRun(verdicts);
  const isOpenLost = openWindow?.alreadyLost ?? false;
  let seen = transitionsOf(verdicts);
  if (isOpenLost) seen = addTransitions(seen, run > 0 ? { ...NONE, downDown: 1 } : { ...NONE, upDown: 1 });
  if (history !== undefined) seen = addTransitions(seen, history);
  const chain = chainOf(seen, input.prior);
  const means = { a: meanOf(chain.a), b: meanOf(chain.b), least };
  const lost = input.lost + (isOpenLost ? lossesOfStep(run, least) : 0);
  const outlook = {
    windows: windowsToCome(verdicts) - (isOpenLost ? 1 : 0),
    run: isOpenLost ? run + 1 : run,
  };

  // A run that is still too short to count is lost with the window that completes it.
  const reach = outlook.windows + (outlook.run < least ? outlook.run : 0);
  const account = accountOf(input, { lost, toCome: outlook.windows });
  const tolerances = lines.map((line) => account.tolerated(line));
  const farthest = Math.max(INTERVAL_LOSSES, ...tolerances.filter(Number.isFinite));
  const most = Math.min(reach, farthest);
  const distribution =
    least === 1 ? lossDistribution(outlook, chain, most) : stepDistribution(outlook, means, most);
  const expected = expectedLosses(outlook, means);
  const bound = (share: number, deviations: number) =>
    quantileOf(distribution, share) ?? beyond(outlook, { ...means, expected, deviations, most });
  return {
    availability: {
      expected: account.ratioAfter(expected),
      low: account.ratioAfter(bound(1 - TAIL.share, TAIL.deviations)),
      high: account.ratioAfter(bound(TAIL.share, -TAIL.deviations)),
    },
    expectedLost: account.spentAfter(expected),
    breachProbability: Object.fromEntries(
      lines.map((line, i) => {
        const allowed = tolerances[i]!;
        return [line.target, allowed >= reach ? 0 : probabilityOfMore(distribution, allowed)];
      }),
    ),
    a: means.a,
    b: means.b,
  };
}

/** What further lost windows come to at the end of the month. */
interface Account {
  /** In windows. */
  spentAfter(losses: number): number;
  ratioAfter(losses: number): number;
  /** Further losses that do not cross the line; negative when it is crossed, Infinity when nothing to come can. */
  tolerated(line: Line): number;
}

/**
 * By the threshold, a lost window costs a window. By the mean of error rates, it costs what the month's lost
 * windows did on average, and each of the others what those did: an estimate, whose own spread the interval and
 * the probabilities leave out.
 */
function accountOf(
  { verdicts, openWindow }: ProjectionInput,
  { lost, toCome }: { readonly lost: number; readonly toCome: number },
): Account {
  const { windows } = verdicts.month;
  if (verdicts.terms.measure === 'window-threshold') {
    return {
      spentAfter: (losses) => lost + losses,
      ratioAfter: (losses) => (windows - lost - losses) / windows,
      tolerated: (line) => line.allowed - lost,
    };
  }
  const past = costsOf(verdicts);
  // Lost whatever comes: its rate if all else succeeds is what is known of it.
  const open = openWindow?.alreadyLost ? openWindow.failures / (openWindow.expectedAttempts ?? 1) : 0;
  const costs = { ...past, spent: past.spent + open };
  const spentAfter = (losses: number) =>
    Math.min(windows, costs.spent + costs.lost * losses + costs.kept * (toCome - losses));
  return {
    spentAfter,
    ratioAfter: (losses) => (windows - spentAfter(losses)) / windows,
    tolerated: (line) => toleratedLosses(line, costs, { windows, toCome }),
  };
}

/**
 * A bound of the interval beyond the losses worked out: the normal approximation at the means. Every line of a
 * contract like the preset's is crossed by then, and what is left to say is how badly.
 */
function beyond(
  { windows }: Outlook,
  at: Readonly<Record<'a' | 'b' | 'expected' | 'deviations' | 'most', number>>,
): number {
  const memory = at.b - at.a;
  const settled = at.a / (1 - memory);
  const variance = windows * settled * (1 - settled) * ((1 + memory) / (1 - memory));
  const normal = Math.round(at.expected + at.deviations * Math.sqrt(variance));
  return Math.min(windows, Math.max(at.most + 1, normal));
}

/** Windows that have not ended and still have a minute that no exclusion touches. */
function windowsToCome({ verdict, minutes, excludedMinutes }: MonthVerdicts): number {
  let toCome = 0;
  for (let window = 0; window < verdict.length; window += 1) {
    const isWhollyExcluded = excludedMinutes[window] === minutes[window];
    if (verdict[window] === VERDICT_INDEX.remaining && !isWhollyExcluded) toCome += 1;
  }
  return toCome;
}

/** Down windows in a row up to the last one that has ended. */
function lastRun(verdicts: MonthVerdicts): number {
  const { verdict, minutes } = verdicts;
  let run = 0;
  for (let window = 0; window < verdict.length && verdict[window] !== VERDICT_INDEX.remaining; window += 1) {
    if (minutes[window] === 0) continue;
    run = stateOf(verdicts, window) === true ? run + 1 : 0;
  }
  return run;
}
