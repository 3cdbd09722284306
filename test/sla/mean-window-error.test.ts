import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { replayCommand } from '../../server/commands/replay.ts';
import { termsYaml } from '../../server/commands/terms.ts';
import { renderStatement } from '../../server/statement/render.ts';
import { verifyStatement } from '../../server/statement/verify-statement.ts';
import { canonicalize } from '../../sla/canonical.ts';
import { exceeds, ratioLeft, roundedUp, stepsLeft, sumErrors } from '../../sla/error-sum.ts';
import { exhaustionOf } from '../../sla/exhaustion.ts';
import { explainWindow } from '../../sla/explain.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import type { Reading } from '../../sla/reading.ts';
import { buildStatement, compareStatement, type Statement } from '../../sla/statement.ts';
import { seededRandom } from '../support/random.ts';
import { runCommand } from '../support/run-command.ts';
import { type Entry, excluding, factsOf, losing, monthOf, readScene, type Scene, termsOf } from './months.ts';

const MEAN = { measure: 'mean-window-error' } as const;
const ONE_DAY = { ...MEAN, serviceStart: '2026-07-01', serviceEnd: '2026-07-01' };
/** Four days have 1,152 windows: at 99.9 % the line is 1.152 of them. */
const FOUR_DAYS = { ...MEAN, serviceStart: '2026-07-01', serviceEnd: '2026-07-04' };

const readMean = (scene: Scene) => readScene({ ...scene, terms: { ...MEAN, ...scene.terms } });

/** So many windows in a row from the first, each with these counts. */
function windows(count: number, attempts: number, failed: number, from = 0): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    minute: (from + i) * 5,
    attempts,
    failures: { provider: failed },
  }));
}

describe('the mean of error rates', () => {
  it('of 50 %, 2 % and 1 % in three of 288 windows is 0.53 / 288', () => {
    const entries = [...windows(1, 10, 5), ...windows(1, 100, 2, 1), ...windows(1, 200, 2, 2)];
    const reading = readMean({ terms: ONE_DAY, entries });
    expect(reading.availability).toEqual({
      ratio: (288 - 0.53) / 288,
      display: '99.815%',
      meetsTarget: false,
    });
    expect(reading.budget).toEqual({ allowed: 0, lost: 1, left: 0 });
    expect(reading.lines.map(({ target, crossed, left }) => [target, crossed, left])).toEqual([
      ['99.9', true, 0],
      ['99.5', false, 0],
      ['99', false, 1],
    ]);
    expect(reading.voucherPercent).toBe(10);
    // Exactly 99 % is up, as under the threshold; the lost ones are listed and their minutes counted.
    expect(reading.lostWindows.map(({ attempts }) => attempts)).toEqual([10, 100]);
    expect([reading.windows.down, reading.downtimeMinutes]).toEqual([2, 10]);
  });

  it('differs from the threshold both ways', () => {
    // Ten windows at 97 % are lost and cost 0.3; nine hundred at 99 % are not and cost 9.
    const short = { entries: windows(10, 100, 3) };
    expect(readScene(short).availability).toMatchObject({ display: '99.887%', meetsTarget: false });
    expect(readMean(short).availability).toMatchObject({ display: '99.996%', meetsTarget: true });
    const long = { entries: windows(900, 100, 1) };
    expect(readScene(long).availability).toMatchObject({ display: '100.000%', meetsTarget: true });
    expect(readMean(long)).toMatchObject({
      availability: { display: '99.899%', meetsTarget: false },
      windows: { down: 0 },
      budget: { allowed: 8, lost: 9, left: 0 },
      voucherPercent: 10,
    });
  });

  it.each<[string, boolean, string, Entry[]]>([
    ['a failure short of it', true, '99.900%', windows(863, 100, 1)],
    ['exactly on it', true, '99.900%', windows(864, 100, 1)],
    [
      'on it in thirds, sevenths and hundredths',
      true,
      '99.900%',
      [...windows(21, 3, 1), ...windows(7, 7, 1, 50), ...windows(64, 100, 1, 100)],
    ],
    [
      'one failure of 4,000,000,000 beyond it',
      false,
      '99.899%',
      [...windows(864, 100, 1), ...windows(1, 4e9, 1, 900)],
    ],
  ])('holds a line of 8.64 windows of 8,640: %s', (_, isMet, display, entries) => {
    const reading = readMean({ month: '2026-09', entries });
    expect(reading.availability).toMatchObject({ meetsTarget: isMet, display });
    expect(reading.budget.lost > reading.budget.allowed).toBe(!isMet);
    expect(reading.lines[0]).toMatchObject({ target: '99.9', crossed: !isMet, left: 0 });
    expect(reading.voucherPercent).toBe(isMet ? 0 : 10);
  });

  it('rounds what is spent up to whole windows, and never past a line that holds', () => {
    const spent = (entries: Entry[]) => readMean({ month: '2026-09', entries }).budget;
    expect(spent(windows(1, 1_000_000, 1))).toEqual({ allowed: 8, lost: 1, left: 7 });
    expect(spent(windows(300, 100, 1))).toEqual({ allowed: 8, lost: 3, left: 5 });
    expect(spent([...windows(300, 100, 1), ...windows(1, 4e9, 1, 400)])).toEqual({
      allowed: 8,
      lost: 4,
      left: 4,
    });
    expect(spent(windows(850, 100, 1))).toEqual({ allowed: 8, lost: 8, left: 0 });
    expect(spent(windows(865, 100, 1))).toEqual({ allowed: 8, lost: 9, left: 0 });
  });

  it('leaves out windows with fewer attempts than the least, which stay in the total', () => {
    const entries = [...windows(1, 249, 249), ...windows(1, 250, 125, 1)];
    const reading = readMean({ terms: { ...FOUR_DAYS, minAttempts: 250 }, entries });
    expect(reading.availability.ratio).toBe((1_152 - 0.5) / 1_152);
    expect(reading.period.windows).toBe(1_152);
    expect(reading.windows).toMatchObject({ down: 1, up: 1 });
    const all = readMean({ terms: FOUR_DAYS, entries });
    expect(all.availability.ratio).toBe((1_152 - 1.5) / 1_152);
  });

  it('counts as 0 what is excluded, idle, unmeasured or to come, and judges the rest of a window alone', () => {
    const month = monthOf('2026-07', termsOf(FOUR_DAYS));
    const entries: Entry[] = [
      { minute: 0, attempts: 10, failures: { provider: 10 } },
      { minute: 6, attempts: 10, failures: { provider: 10 } },
      { minute: 9, attempts: 8, failures: { provider: 2, customer: 4 } },
      { minute: 20, attempts: 10, failures: { provider: 10 } },
    ];
    const exclusions = [excluding(month, 0, 5), excluding(month, 5, 7)];
    const scene = { terms: FOUR_DAYS, entries, exclusions, alive: [0, 10] };
    const reading = readMean({ ...scene, atMinute: 20 });
    expect(reading.windows).toMatchObject({ excluded: 1, down: 1, idle: 1, unmeasured: 1, remaining: 1_148 });
    expect(reading.availability.ratio).toBe((1_152 - 0.5) / 1_152);
    expect(readMean(scene).availability.ratio).toBe((1_152 - 1.5) / 1_152);
  });

  it('takes a window without requests as failed wholly where the terms call it down', () => {
    const terms = { ...FOUR_DAYS, emptyWindow: 'down' };
    const reading = readMean({ terms, alive: [0, 5] });
    expect(reading).toMatchObject({ windows: { down: 2 }, availability: { ratio: 1_150 / 1_152 } });
  });

  it('gives its three figures by whose failures count', () => {
    const entries: Entry[] = [
      { minute: 0, attempts: 100, failures: { provider: 10, unknown: 20, customer: 40, network: 20 } },
    ];
    const { figures, availability } = readMean({ terms: FOUR_DAYS, entries });
    const without = (failures: number, attempts: number) =>
      (1_152 * attempts - failures) / (1_152 * attempts);
    expect(figures.providerOnly).toEqual({ lost: 1, ratio: without(10, 20), display: '99.956%' });
    expect(figures.providerAndUnknown).toEqual({ lost: 1, ratio: without(30, 40), display: '99.934%' });
    expect(figures.raw).toEqual({ lost: 1, ratio: without(90, 100), display: '99.921%' });
    expect(availability.ratio).toBe(figures.providerAndUnknown.ratio);
  });

  it('shows 100 % for no failure alone', () => {
    expect(readMean({ entries: windows(50, 100, 0) }).availability.display).toBe('100.000%');
    expect(readMean({ entries: windows(1, 4e9, 1) }).availability.display).toBe('99.999%');
  });

  it('is never lowered by a success', () => {
    const entry = fc.record({
      minute: fc.nat(1_439),
      attempts: fc.integer({ min: 5, max: 400 }),
      provider: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), fc.nat(19), (made, which) => {
        const entries = made.map(({ provider, ...rest }): Entry => ({ ...rest, failures: { provider } }));
        const more = { minute: made[which % made.length]!.minute, attempts: 1 };
        const before = readMean({ terms: ONE_DAY, entries });
        const after = readMean({ terms: ONE_DAY, entries: [...entries, more] });
        expect(after.availability.ratio).toBeGreaterThanOrEqual(before.availability.ratio);
        expect(after.budget.left).toBeGreaterThanOrEqual(before.budget.left);
        expect(after.voucherPercent).toBeLessThanOrEqual(before.voucherPercent);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a sum of error rates', () => {
  const rate = fc
    .tuple(fc.integer({ min: 1, max: 2 ** 42 }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([attempts, share]) => ({ attempts, failures: Math.floor(attempts * share) }));

  it('is compared, rounded and shown as the fraction itself would be', () => {
    fc.assert(
      fc.property(fc.array(rate, { maxLength: 30 }), fc.integer({ min: 30, max: 9_000 }), (rates, total) => {
        let [n, d] = [0n, 1n];
        for (const one of rates) {
          n = n * BigInt(one.attempts) + BigInt(one.failures) * d;
          d *= BigInt(one.attempts);
        }
        const sum = sumErrors(rates);
        expect(exceeds(sum, n, d)).toBe(false);
        if (n > 0n) expect(exceeds(sum, n * 2n ** 200n - 1n, d * 2n ** 200n)).toBe(true);
        expect(exceeds(sum, n * 2n ** 200n + 1n, d * 2n ** 200n)).toBe(false);
        expect(roundedUp(sum)).toBe(Number((n + d - 1n) / d));
        const whole = BigInt(total) * d;
        expect(stepsLeft(sum, total, 100_000)).toBe(Number(((whole - n) * 100_000n) / whole));
        expect(ratioLeft(sum, total)).toBeCloseTo(Number(((whole - n) * 10n ** 15n) / whole) / 1e15, 14);
      }),
    );
  });

  it('of a month of windows that have nothing in common is decided on both sides of itself', () => {
    const rates = Array.from({ length: 8_928 }, (_, i) => ({ failures: 1, attempts: 1_000_003 + 2 * i }));
    const sum = sumErrors(rates);
    const { numerator, denominator } = sum.exact();
    expect(exceeds(sum, numerator, denominator)).toBe(false);
    expect(exceeds(sum, numerator - 1n, denominator)).toBe(true);
    expect(sum.exact()).toBe(sum.exact());
  });
});

describe('the mean read twice, independently', () => {
  it('agrees on 300 random short months', () => {
    const seed = Number(process.env.ROOMWATCH_TEST_SEED ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    const met = { crossed: 0, exact: 0, small: 0 };
    for (let i = 0; i < 300; i += 1) {
      const days = random.integer(1, 2);
      const minAttempts = random.pick([1, 1, 50]);
      const terms = { ...MEAN, serviceStart: '2026-07-01', serviceEnd: `2026-07-0${days}`, minAttempts };
      const month = monthOf('2026-07', termsOf(terms));
      const used = new Set<number>();
      const entries: Entry[] = [];
      // Multiples of 1/1000 around the line, so that it is met exactly now and then.
      const thousandths = i % 3 === 0 ? 288 * days + random.integer(-1, 1) : random.integer(0, 7_000);
      for (let left = thousandths; left > 0; ) {
        const window = random.integer(0, 287);
        if (used.has(window)) continue;
        used.add(window);
        const part = Math.min(left, random.integer(1, 100));
        left -= part;
        entries.push({ minute: window * 5, attempts: 1_000, failures: { provider: part } });
      }
      if (i % 3 === 1)
        entries.push({
          minute: random.integer(0, 1_439),
          attempts: random.pick([7, 49, 53]),
          failures: { unknown: 1 },
        });
      const exclusions =
        i % 3 === 2 ? [excluding(month, random.integer(0, 700), random.integer(701, 1_400))] : [];
      const atMinute = random.pick([1_440 * days, random.integer(0, 1_440 * days)]);
      const reading = readMean({ terms, entries, exclusions, atMinute });
      const naive = naiveMean({
        entries,
        exclusions,
        total: 288 * days,
        minAttempts,
        atMinute,
        startMs: month.startMs,
      });
      const found = {
        display: reading.availability.display,
        meetsTarget: reading.availability.meetsTarget,
        voucherPercent: reading.voucherPercent,
        left: reading.budget.left,
        crossed: reading.lines.map((line) => line.crossed),
      };
      const { isExact, ...expected } = naive;
      expect(found, `seed ${seed}, month ${i}`).toEqual(expected);
      if (!naive.meetsTarget) met.crossed += 1;
      if (isExact) met.exact += 1;
      if (minAttempts > 1) met.small += 1;
    }
    expect(met.crossed).toBeGreaterThan(50);
    expect(met.exact).toBeGreaterThan(5);
    expect(met.small).toBeGreaterThan(20);
  });
});

/** The definition, window by window, as one fraction; it shares no code with sla/. */
function naiveMean(given: {
  readonly entries: readonly Entry[];
  readonly exclusions: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly total: number;
  readonly minAttempts: number;
  readonly atMinute: number;
  readonly startMs: number;
}) {
  let [n, d] = [0n, 1n];
  for (let window = 0; window < given.total; window += 1) {
    if ((window + 1) * 5 > given.atMinute) continue;
    let [attempts, failures] = [0n, 0n];
    for (const entry of given.entries) {
      const atMs = given.startMs + entry.minute * 60_000;
      const isExcluded = given.exclusions.some((one) => atMs >= one.fromMs && atMs < one.toMs);
      if (Math.floor(entry.minute / 5) !== window || isExcluded) continue;
      attempts += BigInt(entry.attempts);
      for (const count of Object.values(entry.failures ?? {})) failures += BigInt(count);
    }
    if (attempts === 0n || attempts < BigInt(given.minAttempts)) continue;
    n = n * attempts + failures * d;
    d *= attempts;
  }
  const total = BigInt(given.total);
  const isCrossed = (perMille: bigint) => n * 1_000n > total * (1_000n - perMille) * d;
  const allowed = (total * 1n) / 1_000n;
  const spent = (n + d - 1n) / d;
  const thousandths = ((total * d - n) * 100_000n) / (total * d);
  return {
    display: `${thousandths / 1_000n}.${`${thousandths % 1_000n}`.padStart(3, '0')}%`,
    meetsTarget: !isCrossed(999n),
    voucherPercent: isCrossed(990n) ? 50 : isCrossed(995n) ? 20 : isCrossed(999n) ? 10 : 0,
    left: Number(spent > allowed ? 0n : allowed - spent),
    crossed: [isCrossed(999n), isCrossed(995n), isCrossed(990n)],
    isExact: n * 1_000n === total * d,
  };
}

describe('the forecast of a mean', () => {
  it('ends at what is spent when nothing is to come', () => {
    const reading = readMean({ month: '2026-09', entries: windows(864, 100, 1) });
    const { expected, low, high } = reading.projection.availability;
    for (const ratio of [expected, low, high]) expect(ratio).toBeCloseTo(0.999, 12);
    expect(reading.projection.expectedLost).toBeCloseTo(8.64, 9);
    expect(reading.projection.breachProbability).toEqual({ '99.9': 0, '99.5': 0, '99': 0 });
    const crossed = readMean({ month: '2026-09', entries: windows(865, 100, 1) });
    expect(crossed.projection.breachProbability).toEqual({ '99.9': 1, '99.5': 0, '99': 0 });
  });

  it('is darker the more a lost window has cost so far', () => {
    const at = (failed: number) =>
      readMean({ entries: windows(12, 100, failed), atMinute: 20_000 }).projection;
    const [mild, hard] = [at(3), at(50)];
    expect(mild.breachProbability['99.9']!).toBeLessThan(hard.breachProbability['99.9']!);
    expect(mild.availability.expected).toBeGreaterThan(hard.availability.expected);
    for (const { availability } of [mild, hard]) {
      expect(availability.low).toBeLessThanOrEqual(availability.expected);
      expect(availability.high).toBeGreaterThanOrEqual(availability.low);
    }
  });

  it('carries a steady error rate on, though no window is lost, and not that of the first window alone', () => {
    // 1 failure of 500 all the time: 0.2 %, twice what the target allows.
    const steady = readMean({ entries: windows(2_000, 500, 1), atMinute: 10_000 });
    expect(steady.availability.meetsTarget).toBe(true);
    expect(steady.projection.breachProbability['99.9']).toBe(1);
    expect(steady.projection.availability.expected).toBeGreaterThan(0.9975);
    expect(steady.projection.availability.expected).toBeLessThan(0.9985);
    const first = readMean({ entries: windows(1, 500, 1), atMinute: 5 });
    expect(first.projection.breachProbability['99.9']).toBeLessThan(0.2);
  });

  it('takes a window in progress that is lost already as spending its rate', () => {
    const entries = [...windows(12, 1_000, 0), ...windows(1, 1_000, 900, 12)];
    const open = readMean({ entries, atMinute: 64 });
    expect(open.openWindow?.alreadyLost).toBe(true);
    expect(open.budget.lost).toBe(0);
    const calm = readMean({ entries: windows(12, 1_000, 0), atMinute: 60 });
    expect(open.projection.expectedLost).toBeGreaterThan(calm.projection.expectedLost + 0.5);
  });

  it('says no later than it happens when a line is lost', () => {
    // 1.152 windows may be spent and 0.5 are: one wholly failed window more is too much.
    const entries = windows(1, 100, 50);
    const reading = readMean({ terms: FOUR_DAYS, entries, atMinute: 10 });
    expect(reading.budget).toEqual({ allowed: 1, lost: 1, left: 0 });
    expect(exhaustionOf(reading, '99.9')).toMatchObject({ inMs: 300_000 });
    const gone = readMean({ terms: FOUR_DAYS, entries: [...entries, ...windows(1, 9, 9, 2)], atMinute: 15 });
    expect(gone.availability.meetsTarget).toBe(false);
  });
});

describe('a statement of a mean', () => {
  const terms = termsOf({ ...FOUR_DAYS, minAttempts: 50, monthlyFee: { amount: '100', currency: 'USD' } });
  const month = monthOf('2026-07', terms);
  const entries = [...windows(3, 300, 149), ...windows(1, 49, 49, 9), ...windows(7, 120, 1, 20)];
  const verdicts = judgeMonth({
    month,
    facts: factsOf(month, entries),
    terms,
    exclusions: [],
    nowMs: month.endMs,
  });
  const statement = buildStatement('acme', verdicts, []);
  const written = () => JSON.parse(canonicalize(statement)) as Statement;

  it('carries the measure, and verifies from a file in either form', () => {
    expect(statement.terms).toMatchObject({ measure: 'mean-window-error', minAttempts: 50 });
    expect(statement.figures).toMatchObject({ windows: { down: 3 }, voucherPercent: 10 });
    expect(compareStatement(written())).toEqual({ ok: true });
    for (const format of ['json', 'csv'] as const) {
      expect(verifyStatement(renderStatement(statement, format).body)).toMatchObject({ status: 'verified' });
    }
  });

  it('shows the same availability in every form for people', () => {
    for (const format of ['text', 'html'] as const) {
      const text = renderStatement(statement, format).body;
      expect(text).toContain(statement.figures.availability.display);
      expect(text.replace(/\s+/g, ' ')).toContain('2 spent on error rates; 3 below 99 %, 15 minutes');
    }
  });

  it.each<[string, string, readonly (string | number)[], unknown]>([
    ['the measure', 'figures.availability.display', ['terms', 'measure'], 'window-threshold'],
    ['the least attempts', 'rows[9].verdict', ['terms', 'minAttempts'], 49],
    ['the display', 'figures.availability.display', ['figures', 'availability', 'display'], '99.999%'],
    ['a figure', 'figures.figures.raw.display', ['figures', 'figures', 'raw', 'display'], '99.999%'],
    ['the voucher', 'figures.voucherPercent', ['figures', 'voucherPercent'], 20],
    ['a failure', 'rows[20].counted.failures', ['rows', 20, 'failures', 'provider'], 2],
  ])('altered is found out: %s, at %s', (_, path, place, value) => {
    const altered = written();
    let at = altered as unknown as Record<string | number, unknown>;
    for (const key of place.slice(0, -1)) at = at[key] as typeof at;
    at[place.at(-1)!] = value;
    expect(compareStatement(altered)).toMatchObject({ ok: false, path });
  });
});

describe('the explanation under a mean', () => {
  it.each<[string, Entry[], string]>([
    ['an up window', windows(1, 1_500, 1), "It adds 1/1,500 of a window to the month's errors."],
    ['a lost window', windows(1, 100, 7), "It adds 7/100 of a window to the month's errors."],
    ['a window that failed wholly', windows(1, 60, 60), "It adds 1 of a window to the month's errors."],
    [
      'a small window',
      windows(1, 49, 49),
      "It adds nothing to the month's errors, having fewer than 50 counted attempts; it stays in the total.",
    ],
    ['an idle window', [], "It adds nothing to the month's errors."],
  ])('says what %s adds', (_, entries, sentence) => {
    const terms = termsOf({ ...ONE_DAY, minAttempts: 50 });
    const month = monthOf('2026-07', terms);
    const at = (nowMs: number) =>
      explainWindow(
        judgeMonth({ month, facts: factsOf(month, entries), terms, exclusions: [], nowMs }),
        0,
        [],
      );
    expect(at(month.endMs).sentences).toContain(sentence);
    expect(at(month.startMs + 60_000).sentences.join()).not.toContain('It adds');
  });

  it('adds nothing to the explanation of a threshold', () => {
    const terms = termsOf();
    const month = monthOf('2026-07', terms);
    const input = { month, facts: factsOf(month, losing([0])), terms, exclusions: [], nowMs: month.endMs };
    expect(explainWindow(judgeMonth(input), 0, []).sentences.join()).not.toContain('It adds');
  });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mean-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('prints the measure among the terms, and replays a month by a terms file that names another', async () => {
    const yaml = termsYaml('trtc');
    expect(parse(yaml)).toMatchObject({ measure: 'window-threshold' });
    const terms = join(folder, 'terms.yaml');
    writeFileSync(
      terms,
      yaml.replace('"window-threshold"', '"mean-window-error"').replace('minAttempts: 1', 'minAttempts: 250'),
    );
    const outcomes = join(folder, 'outcomes.ndjson');
    const outcome = (at: string, result: string, count: number) =>
      `${JSON.stringify({ service: 'acme', at, result, count, ...(result === 'failed' && { cause: 'provider' }) })}\n`;
    writeFileSync(
      outcomes,
      [
        outcome('2026-11-03T02:00:00Z', 'ok', 300),
        outcome('2026-11-03T02:01:00Z', 'failed', 100),
        outcome('2026-11-03T02:05:00Z', 'failed', 249),
      ].join(''),
    );
    const args = [outcomes, '--service', 'acme', '--month', '2026-11', '--terms', terms];
    const json = await runCommand(replayCommand, [...args, '--json']);
    expect(json.code, json.stderr).toBe(0);
    expect(JSON.parse(json.stdout) as Reading).toMatchObject({
      availability: { ratio: (8_640 - 0.25) / 8_640, display: '99.997%', meetsTarget: true },
      budget: { allowed: 8, lost: 1, left: 7 },
      windows: { down: 1 },
    });
    const text = await runCommand(replayCommand, args);
    expect(text.stdout).toContain('1 spent on error rates; 1 below 99 %');
    const explained = await runCommand(replayCommand, [...args, '--explain', '2026-11-03T02:05:00Z']);
    expect(explained.stdout.replace(/\s+/g, ' ')).toContain('having fewer than 250 counted attempts');
  });
});
