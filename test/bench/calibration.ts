import { parseArgs } from 'node:util';
import { probabilityOfMore, stepDistribution } from '../../sla/chain.ts';
import { emptyFacts, MEASURE_COUNT, MEASURE_INDEX } from '../../sla/facts.ts';
import { addTransitions, DEFAULT_PRIOR, type Transitions } from '../../sla/forecast.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { read } from '../../sla/read.ts';
import { presetTerms } from '../../sla/terms.ts';
import { seededRandom } from '../support/random.ts';

/**
 * Whether a predicted breach probability is worth its number: months of known on-off processes are read at a
 * random time, and what was predicted of 99.9 % is laid beside what came, decile by decile. With processes as
 * the prior expects them and with rougher ones that have been watched for long, every decile should hold; with
 * rougher ones that are nearly unknown it cannot, and the bench shows what the prior costs there. Prints
 * figures; asserts nothing.
 *
 *     npm run bench -- calibration
 */

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, seed: { type: 'string', default: '1' } },
});
const months = values.quick ? 600 : 2_000;
const random = seededRandom(Number(values.seed));

const terms = presetTerms('trtc');
const month = monthOf('2026-04');
const target = terms.target.text;

function monthOf(name: string): ServiceMonth {
  const found = serviceMonth(name, terms);
  if (!found.ok) throw new Error(found.message);
  return found.month;
}

/** P(down after up) and P(down after down) of one provider. */
interface Provider {
  readonly a: number;
  readonly b: number;
}

/** Drawn from the default prior itself. */
function expectedProvider(): Provider {
  const { up, down } = DEFAULT_PRIOR;
  return { a: beta(up.lost, up.kept), b: beta(down.lost, down.kept) };
}

/** Outages from one in half a year to nine a month, one window to twenty long: even in logarithms. */
function roughProvider(): Provider {
  const between = (low: number, high: number) => low * (high / low) ** random.next();
  return { a: between(2e-5, 1e-3), b: 1 - between(0.05, 1) };
}

function beta(lost: number, kept: number): number {
  const x = gamma(lost);
  return x / (x + gamma(kept));
}

/** A gamma variable of a shape of at least 1, by Marsaglia and Tsang's squeeze. */
function gamma(shape: number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

interface Path {
  readonly lost: Uint8Array;
  readonly seen: Transitions;
}

function simulate(windows: number, { a, b }: Provider): Path {
  const lost = new Uint8Array(windows);
  const seen = { upUp: 0, upDown: 0, downUp: 0, downDown: 0 };
  let wasDown = false;
  for (let window = 0; window < windows; window += 1) {
    const isDown: boolean = random.next() < (wasDown ? b : a);
    if (wasDown) seen[isDown ? 'downDown' : 'downUp'] += 1;
    else seen[isDown ? 'upDown' : 'upUp'] += 1;
    lost[window] = isDown ? 1 : 0;
    wasDown = isDown;
  }
  return { lost, seen };
}

/** What each way of forecasting predicted of a month, and whether it was breached. */
interface Case {
  readonly reading: number;
  readonly means: number;
  readonly known: number;
  readonly line: number;
  readonly breached: number;
}

const WAYS = {
  reading: 'the reading',
  means: 'the same at the posterior means alone',
  known: 'the true process, which nobody knows',
  line: 'a straight line through the month',
} as const;

/** A month read at a random time, after so many earlier ones; null when it was breached already. */
function randomCase(provider: Provider, earlierMonths: number): Case | null {
  let history: Transitions = { upUp: 0, upDown: 0, downUp: 0, downDown: 0 };
  for (let earlier = earlierMonths; earlier > 0; earlier -= 1) {
    history = addTransitions(history, simulate(month.windows, provider).seen);
  }
  const { lost } = simulate(month.windows, provider);
  const elapsed = random.integer(0, month.windows - 1);
  const facts = emptyFacts(month.firstMinute, month.minuteCount);
  for (let window = 0; window < elapsed; window += 1) {
    const at = window * month.windowMinutes * MEASURE_COUNT;
    facts.tallies[at] = 1_000;
    if (lost[window] === 1) facts.tallies[at + MEASURE_INDEX.provider] = 500;
  }
  const nowMs = month.startMs + elapsed * month.windowMinutes * 60_000;
  const reading = read({ service: 'acme', month, facts, terms, exclusions: [], nowMs, history });
  const { allowed, left } = reading.budget;
  if (reading.budget.lost > allowed) return null;

  const outlook = { windows: month.windows - elapsed, run: elapsed > 0 ? lost[elapsed - 1]! : 0 };
  const atKnown = ({ a, b }: Provider) =>
    probabilityOfMore(stepDistribution(outlook, { a, b, least: 1 }, left), left);
  const straight = elapsed === 0 ? 0 : (reading.budget.lost / elapsed) * month.windows;
  return {
    reading: reading.projection.breachProbability[target]!,
    means: atKnown(reading.projection),
    known: atKnown(provider),
    line: straight > allowed ? 1 : 0,
    breached: sum([...lost]) > allowed ? 1 : 0,
  };
}

/** Sampling errors within which an observed share agrees with a predicted one. */
const TOLERATED_ERRORS = 2;

interface Population {
  readonly name: string;
  readonly provider: () => Provider;
  /** Months that were watched before, at least and at most. */
  readonly earlier: readonly [number, number];
}

const POPULATIONS: readonly Population[] = [
  { name: 'processes as the prior expects them', provider: expectedProvider, earlier: [0, 3] },
  { name: 'rougher processes, watched for two years', provider: roughProvider, earlier: [24, 24] },
  { name: 'rougher processes, watched for three months at most', provider: roughProvider, earlier: [0, 3] },
];

for (const { name, provider, earlier } of POPULATIONS) {
  const cases = readMonths(() => randomCase(provider(), random.integer(...earlier)));
  const base = mean(cases.map((one) => one.breached));
  console.log(`${name}: ${cases.length} months, not breached when read`);
  console.log(`of which ${(100 * base).toFixed(1)} % were breached in the end\n`);
  printScores(cases);
  printDeciles(cases);
}

function readMonths(one: () => Case | null): Case[] {
  const cases: Case[] = [];
  while (cases.length < months) {
    const found = one();
    if (found !== null) cases.push(found);
  }
  return cases;
}

function printScores(cases: readonly Case[]): void {
  const base = mean(cases.map((one) => one.breached));
  console.log('  Brier score (mean squared error of the probability; less is better)');
  const scoreOf = (way: keyof typeof WAYS) => mean(cases.map((one) => (one[way] - one.breached) ** 2));
  for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    const ratio = (scoreOf(way) / scoreOf('line')).toFixed(2);
    console.log(`    ${WAYS[way].padEnd(38)} ${scoreOf(way).toFixed(4)}  ${ratio} times the straight line's`);
  }
  console.log(`    ${'always the base rate'.padEnd(38)} ${(base * (1 - base)).toFixed(4)}\n`);
}

function printDeciles(cases: readonly Case[]): void {
  console.log('  the reading by decile: predicted, and observed with its sampling error');
  let kept = 0;
  let held = 0;
  for (let decile = 0; decile < 10; decile += 1) {
    const inside = cases.filter((one) => Math.min(9, Math.floor(one.reading * 10)) === decile);
    if (inside.length === 0) continue;
    const predicted = mean(inside.map((one) => one.reading));
    const observed = mean(inside.map((one) => one.breached));
    const error = Math.sqrt(sum(inside.map((one) => one.reading * (1 - one.reading)))) / inside.length;
    const errors = Math.abs(observed - predicted) / error;
    kept += 1;
    if (errors <= TOLERATED_ERRORS) held += 1;
    const count = `${inside.length}`.padStart(5);
    const figures = `${predicted.toFixed(3)}  ${observed.toFixed(3)} +- ${error.toFixed(3)}`;
    console.log(
      `    ${decile * 10}-${(decile + 1) * 10} %`.padEnd(14) +
        `${count} months  ${figures}  ${errors.toFixed(1)} errors off`,
    );
  }
  console.log(`  within ${TOLERATED_ERRORS} sampling errors: ${held} of ${kept} deciles\n`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
