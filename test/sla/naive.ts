/**
 * The contract once more, straight from its clauses and deliberately naive: records in, figures out, one window at
 * a time, whole numbers only. It shares no code with `sla/`, so that both must be wrong in the same way to agree
 * on a mistake. Fixed offsets only.
 */

export interface NaiveRecord {
  readonly atMs: number;
  readonly failed: boolean;
  readonly cause: 'provider' | 'unknown' | 'customer' | 'network';
  readonly count: number;
}

export interface NaiveContract {
  readonly year: number;
  /** 1 to 12 */
  readonly month: number;
  /** The zone is this many hours east of UTC. */
  readonly hoursEast: number;
  /** First and last day of the month in service. */
  readonly firstDay: number;
  readonly lastDay: number;
  readonly fullMonth: boolean;
  readonly windowMinutes: number;
  /** Percent in hundredths: 9900 is 99 %. */
  readonly threshold: bigint;
  readonly minAttempts: bigint;
  readonly minConsecutive: number;
  readonly emptyIsDown: boolean;
  readonly counted: readonly string[];
  readonly othersStay: boolean;
  /** End excluded. */
  readonly exclusions: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** An agent was alive in these minutes of the epoch, the end excluded. */
  readonly aliveFrom: number;
  readonly aliveTo: number;
  readonly nowMs: number;
}

export interface NaiveFigures {
  readonly windows: number;
  readonly minutes: number;
  readonly classes: Record<'up' | 'down' | 'excluded' | 'idle' | 'unmeasured' | 'remaining', number>;
  readonly lowVolumeDown: number;
  readonly attempts: number;
  readonly failures: Record<'provider' | 'unknown' | 'customer' | 'network', number>;
  readonly downtimeMinutes: number;
  readonly display: string;
  readonly meetsTarget: boolean;
  readonly voucherPercent: number;
  readonly left: number;
  readonly lost: { readonly providerOnly: number; readonly providerAndUnknown: number; readonly raw: number };
  readonly lostWindows: readonly {
    readonly startMs: number;
    readonly attempts: number;
    readonly failures: number;
  }[];
}

const CAUSES = ['provider', 'unknown', 'customer', 'network'] as const;
const MINUTE = 60_000;

interface Window {
  readonly startMs: number;
  readonly inService: boolean;
  /** Of requests that started in it, and before now. */
  readonly records: NaiveRecord[];
}

export function naiveFigures(contract: NaiveContract, records: readonly NaiveRecord[]): NaiveFigures {
  const windows = windowsOf(contract);
  const firstMs = windows[0]!.startMs;
  for (const record of records) {
    if (minuteOf(record) * MINUTE >= contract.nowMs) continue;
    windows[Math.floor((record.atMs - firstMs) / (contract.windowMinutes * MINUTE))]?.records.push(record);
  }

  const failures = { provider: 0, unknown: 0, customer: 0, network: 0 };
  let attempts = 0;
  for (const window of windows) {
    if (!window.inService) continue;
    for (const record of window.records) {
      attempts += record.count;
      if (record.failed) failures[record.cause] += record.count;
    }
  }

  const classes = { up: 0, down: 0, excluded: 0, idle: 0, unmeasured: 0, remaining: 0 };
  const judged = windows.map((window) => judge(window, contract, contract.counted));
  const down = inARow(judged, contract.minConsecutive);
  const lostWindows: { startMs: number; attempts: number; failures: number }[] = [];
  let lowVolumeDown = 0;
  for (const [i, one] of judged.entries()) {
    const verdict = one.verdict === 'down' && !down[i] ? 'up' : one.verdict;
    classes[verdict] += 1;
    if (verdict !== 'down') continue;
    const counts = { attempts: Number(one.attempts), failures: Number(one.failures) };
    lostWindows.push({ startMs: windows[i]!.startMs, ...counts });
    if (one.attempts < 100n) lowVolumeDown += 1;
  }

  const total = BigInt(windows.length);
  const lost = BigInt(lostWindows.length);
  const lostCounting = (causes: readonly string[]) => {
    const again = windows.map((window) => judge(window, contract, causes));
    return inARow(again, contract.minConsecutive).filter((isDown) => isDown).length;
  };
  // 2.2: no less than 99.9 %. 3.1: 10 % below 99.9, 20 % below 99.5, 50 % below 99.
  const below = (perMille: bigint) => (total - lost) * 1_000n < total * perMille;
  let left = 0n;
  while ((total - lost - left - 1n) * 1_000n >= total * 999n) left += 1n;
  const thousandths = ((total - lost) * 100_000n) / total;
  return {
    windows: windows.length,
    minutes: windows.length * contract.windowMinutes,
    classes,
    lowVolumeDown,
    attempts,
    failures,
    downtimeMinutes: lostWindows.length * contract.windowMinutes,
    display: `${thousandths / 1_000n}.${`${thousandths % 1_000n}`.padStart(3, '0')}%`,
    meetsTarget: !below(999n),
    voucherPercent: below(990n) ? 50 : below(995n) ? 20 : below(999n) ? 10 : 0,
    left: Number(left),
    lost: {
      providerOnly: lostCounting(['provider']),
      providerAndUnknown: lostCounting(['provider', 'unknown']),
      raw: lostCounting(CAUSES),
    },
    lostWindows,
  };
}

/** 1.5 and 1.6: every window of every counted day, in order. */
function windowsOf(contract: NaiveContract): Window[] {
  const windows: Window[] = [];
  for (let day = 1; day <= 31; day += 1) {
    const date = new Date(Date.UTC(contract.year, contract.month - 1, day));
    const inService = day >= contract.firstDay && day <= contract.lastDay;
    if (date.getUTCMonth() !== contract.month - 1 || (!inService && !contract.fullMonth)) continue;
    const midnight = date.getTime() - contract.hoursEast * 60 * MINUTE;
    for (let minute = 0; minute < 24 * 60; minute += contract.windowMinutes) {
      const startMs = midnight + minute * MINUTE;
      windows.push({ startMs, inService, records: [] });
    }
  }
  return windows;
}

/** 4.x: every minute that an exclusion touches is left out. */
function isExcluded(minute: number, { exclusions }: NaiveContract): boolean {
  return exclusions.some((one) => one.fromMs < (minute + 1) * MINUTE && one.toMs > minute * MINUTE);
}

function minuteOf(record: NaiveRecord): number {
  return Math.floor(record.atMs / MINUTE);
}

interface Judged {
  readonly verdict: keyof NaiveFigures['classes'];
  readonly attempts: bigint;
  readonly failures: bigint;
}

const nothing = { attempts: 0n, failures: 0n };
const REMAINING: Judged = { verdict: 'remaining', ...nothing };
const EXCLUDED: Judged = { verdict: 'excluded', ...nothing };
const EMPTY: Judged = { verdict: 'down', ...nothing };
const IDLE: Judged = { verdict: 'idle', ...nothing };
const UNMEASURED: Judged = { verdict: 'unmeasured', ...nothing };

function judge(window: Window, contract: NaiveContract, counted: readonly string[]): Judged {
  if (!window.inService) return IDLE;
  if (window.startMs + contract.windowMinutes * MINUTE > contract.nowMs) return REMAINING;

  let remaining = 0;
  let observed = 0;
  for (let i = 0; i < contract.windowMinutes; i += 1) {
    const minute = window.startMs / MINUTE + i;
    if (isExcluded(minute, contract)) continue;
    remaining += 1;
    if (minute >= contract.aliveFrom && minute < contract.aliveTo) observed += 1;
  }
  if (remaining === 0) return EXCLUDED;

  // 1.4: success rate = successes / requests, of what is attributable.
  let requests = 0n;
  let attempts = 0n;
  let failures = 0n;
  for (const record of window.records) {
    if (isExcluded(minuteOf(record), contract)) continue;
    const count = BigInt(record.count);
    requests += count;
    const counts = counted.includes(record.cause);
    if (!record.failed || counts || contract.othersStay) attempts += count;
    if (record.failed && counts) failures += count;
  }
  if (requests === 0n) {
    if (observed === 0) return UNMEASURED;
    return contract.emptyIsDown ? EMPTY : IDLE;
  }
  // 1.5: lower than the threshold.
  const isLower = (attempts - failures) * 10_000n < attempts * contract.threshold;
  const isDown = attempts >= contract.minAttempts && isLower;
  return { verdict: isDown ? 'down' : 'up', attempts, failures };
}

/** 1.5: the state must last; what is down at least `least` times in a row. */
function inARow(judged: readonly Judged[], least: number): boolean[] {
  const isDown = (i: number) => judged[i]?.verdict === 'down';
  return judged.map((_, i) => {
    if (!isDown(i)) return false;
    let from = i;
    let to = i;
    while (isDown(from - 1)) from -= 1;
    while (isDown(to + 1)) to += 1;
    return to - from + 1 >= least;
  });
}
