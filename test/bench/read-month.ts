import { performance } from 'node:perf_hooks';
import { emptyFacts, MEASURE_COUNT, MEASURE_INDEX, type MinuteFacts } from '../../sla/facts.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { parseOutcomeText } from '../../sla/outcome.ts';
import { read } from '../../sla/read.ts';
import { presetTerms } from '../../sla/terms.ts';
import { type Random, seededRandom } from '../support/random.ts';

/**
 * How long the reading of a whole 31-day month takes from its minutes, how that grows with the number of
 * services, and how many outcomes a second are parsed. Prints figures; asserts nothing.
 */

const terms = presetTerms('trtc');
const month = monthOf('2026-07');

function monthOf(name: string): ServiceMonth {
  const found = serviceMonth(name, terms);
  if (!found.ok) throw new Error(found.message);
  return found.month;
}

/** A busy month: every minute has attempts, a few failures of each cause, and some lost windows. */
function busyFacts(random: Random): MinuteFacts {
  const facts = emptyFacts(month.firstMinute, month.minuteCount);
  facts.alive.fill(1);
  for (let minute = 0; minute < month.minuteCount; minute += 1) {
    const at = minute * MEASURE_COUNT;
    facts.tallies[at] = random.integer(500, 6_000);
    facts.tallies[at + MEASURE_INDEX.customer] = random.integer(0, 9);
    facts.tallies[at + MEASURE_INDEX.unknown] = random.integer(0, 3);
    if (minute % 9_000 < 3) facts.tallies[at + MEASURE_INDEX.provider] = 400;
  }
  return facts;
}

interface Spread {
  readonly median: number;
  readonly worst: number;
}

function timesOf(rounds: number, task: () => void): Spread {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    task();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(rounds / 2)]!, worst: times.at(-1)! };
}

const random = seededRandom(1);
const facts = busyFacts(random);
const exclusion = {
  service: 'acme',
  fromMs: month.startMs + 86_400_000,
  toMs: month.startMs + 90_000_000,
  clause: '4.10',
  author: 'ops',
  reason: 'announced cutover',
  noticeAtMs: month.startMs,
} as const;
const nowMs = month.startMs + 15 * 86_400_000 + 123_456;
const input = { service: 'acme', month, facts, terms, exclusions: [exclusion], nowMs };

console.log('one reading of a 31-day month (44,640 minutes, all lines, one exclusion), milliseconds');
const cold = timesOf(1, () => read(input));
console.log(`  first call            ${cold.worst.toFixed(2)}`);
timesOf(50, () => read(input));
for (const [name, at] of [
  ['day 1', month.startMs + 3_600_000],
  ['mid-month', nowMs],
  ['after the month', month.endMs],
] as const) {
  const { median, worst } = timesOf(200, () => read({ ...input, nowMs: at }));
  console.log(`  ${name.padEnd(20)}  median ${median.toFixed(2)}  worst ${worst.toFixed(2)}`);
}

console.log('readings of many services, each with its own facts');
let alone = 0;
for (const services of [1, 10, 100, 1_000]) {
  // Facts of up to 100 services are held; beyond, they are read again, as memory is not what is measured.
  const months = Array.from({ length: Math.min(services, 100) }, () => busyFacts(random));
  const { median } = timesOf(services > 100 ? 3 : 7, () => {
    for (let i = 0; i < services; i += 1) read({ ...input, facts: months[i % months.length]! });
  });
  if (services === 1) alone = median;
  const growth = median / alone;
  console.log(
    `  ${String(services).padStart(5)} services  ${median.toFixed(1).padStart(8)} ms  ${growth.toFixed(0)} times one`,
  );
}

const line =
  '{"service":"acme","at":"2026-11-03T02:00:00.120Z","result":"failed","platform":"web-v5","code":5400,' +
  '"extraCode":-10015,"region":"ap-guangzhou","app":"1400000123","id":"c0ffee","durationMs":812}';
const lines = 200_000;
const json = timesOf(5, () => {
  for (let i = 0; i < lines; i += 1) JSON.parse(line);
});
const parsed = timesOf(5, () => {
  for (let i = 0; i < lines; i += 1) parseOutcomeText(line, {});
});
const rate = (ms: number) => Math.round((lines / ms) * 1_000).toLocaleString('en-US');
console.log('outcomes parsed from text, a second');
console.log(`  JSON.parse alone      ${rate(json.median)}`);
console.log(
  `  parseOutcomeText      ${rate(parsed.median)}  (${(parsed.median / json.median).toFixed(2)} times the time)`,
);
