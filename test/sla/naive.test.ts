import { describe, expect, it } from 'vitest';
import { CAUSES } from '../../sla/cause.ts';
import { causeOf, createCauseLookup } from '../../sla/causes.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { parseOutcomeText } from '../../sla/outcome.ts';
import { read } from '../../sla/read.ts';
import { createTally } from '../../sla/tally.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { monthOf, termsOf } from './months.ts';
import { type NaiveContract, type NaiveFigures, type NaiveRecord, naiveFigures } from './naive.ts';

const DAYS_OF_2026 = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const MINUTE = 60_000;

interface Month {
  readonly contract: NaiveContract;
  readonly records: readonly NaiveRecord[];
  readonly terms: Readonly<Record<string, unknown>>;
}

/** A random contract, month and traffic; `days` in service. */
function randomMonth(random: Random, days: number): Month {
  const month = random.integer(1, 12);
  const inMonth = DAYS_OF_2026[month - 1]!;
  const firstDay = random.integer(1, Math.max(1, inMonth - days + 1));
  const lastDay = Math.min(inMonth, firstDay + days - 1);
  const hoursEast = random.pick([8, 8, 8, 0, -5, 14, -11]);
  const windowMinutes = random.pick([5, 5, 5, 5, 5, 5, 5, 15, 60, random.pick([1, 3])]);
  const startMs = Date.UTC(2026, month - 1, firstDay) - hoursEast * 60 * MINUTE;
  const endMs = Date.UTC(2026, month - 1, lastDay + 1) - hoursEast * 60 * MINUTE;
  const minutes = (endMs - startMs) / MINUTE;

  const records: NaiveRecord[] = [];
  const add = (minute: number, failed: boolean, count: number) =>
    records.push({
      atMs: startMs + minute * MINUTE + random.integer(0, MINUTE - 1),
      failed,
      cause: failed ? random.pick(CAUSES) : 'unknown',
      count,
    });
  // Windows around the threshold: 99 or 100 attempts and a failure or two, and more of them than may be lost.
  for (let i = random.integer(0, 60); i > 0; i -= 1) {
    const minute = random.integer(-windowMinutes, minutes + windowMinutes);
    add(minute, false, random.pick([1, 40, 97, 98, 99, 198]));
    for (let n = random.integer(0, 3); n > 0; n -= 1) {
      add(minute + random.integer(0, windowMinutes), true, random.integer(1, 3));
    }
  }
  // An outage, so that runs occur.
  const outage = random.integer(0, minutes - 1);
  for (let minute = outage; minute < outage + random.integer(0, 80); minute += random.integer(1, 3)) {
    add(minute, true, random.integer(1, 9));
  }

  const exclusions = Array.from({ length: random.integer(0, 3) }, () => {
    const fromMs = startMs + random.integer(-600, minutes * 60) * 1_000 + random.integer(0, 999);
    return { fromMs, toMs: fromMs + random.integer(1, 3_000_000) };
  });
  const aliveFrom = Math.floor(startMs / MINUTE) + random.integer(-10, minutes);
  const counted = CAUSES.filter((cause) => cause === 'provider' || random.next() < 0.4);
  const fullMonth = random.next() < 0.1;
  const contract: NaiveContract = {
    year: 2026,
    month,
    hoursEast,
    firstDay,
    lastDay,
    fullMonth,
    windowMinutes,
    threshold: random.pick([9_900n, 9_900n, 9_995n, 5_000n, 10_000n]),
    minAttempts: random.pick([1n, 1n, 50n]),
    minConsecutive: random.pick([1, 1, 1, 1, 2, 3]),
    emptyIsDown: random.next() < 0.02,
    counted: random.next() < 0.5 ? ['provider', 'unknown'] : counted,
    othersStay: random.next() < 0.2,
    exclusions,
    aliveFrom,
    aliveTo: aliveFrom + random.integer(0, minutes),
    nowMs: random.next() < 0.5 ? endMs : startMs + random.integer(-3_600_000, endMs - startMs),
  };
  const date = (day: number) => `2026-${`${month}`.padStart(2, '0')}-${`${day}`.padStart(2, '0')}`;
  const sign = hoursEast < 0 ? '-' : '+';
  const terms = {
    timeZone: `${sign}${`${Math.abs(hoursEast)}`.padStart(2, '0')}:00`,
    serviceStart: date(firstDay),
    serviceEnd: date(lastDay),
    partialMonth: fullMonth ? 'full' : 'actual',
    windowMinutes,
    threshold: (Number(contract.threshold) / 100).toFixed(2),
    minAttempts: Number(contract.minAttempts),
    minConsecutive: contract.minConsecutive,
    emptyWindow: contract.emptyIsDown ? 'down' : 'up',
    countedCauses: contract.counted,
    uncountedFailures: contract.othersStay ? 'succeed' : 'leave',
  };
  return { contract, records, terms };
}

const lookup = createCauseLookup();

/** The same month through the product: text of outcomes, tallies, reading. */
function readingFigures({ contract, records, terms: record }: Month): NaiveFigures {
  const terms = termsOf(record);
  const month = monthOf(`2026-${`${contract.month}`.padStart(2, '0')}`, terms);
  const tally = createTally(month.firstMinute, month.minuteCount);
  for (const { atMs, failed, cause, count } of records) {
    const at = new Date(atMs).toISOString();
    const line = JSON.stringify({
      service: 'acme',
      at,
      result: failed ? 'failed' : 'ok',
      count,
      ...(failed && { cause }),
    });
    const parsed = parseOutcomeText(line, {});
    if (!parsed.ok) throw new Error(parsed.fault.message);
    tally.add(parsed.outcome, causeOf(parsed.outcome, lookup));
  }
  for (let minute = contract.aliveFrom; minute < contract.aliveTo; minute += 1) tally.markAlive(minute);
  const exclusions = contract.exclusions.map(
    (span): Exclusion => ({ service: 'acme', ...span, clause: '4.12', author: 'ops', reason: 'flood' }),
  );
  const reading = read({
    service: 'acme',
    month,
    facts: tally.facts(),
    terms,
    exclusions,
    nowMs: contract.nowMs,
  });
  const { lowVolumeDown, ...classes } = reading.windows;
  return {
    windows: reading.period.windows,
    minutes: reading.period.minutes,
    classes,
    lowVolumeDown,
    attempts: reading.attempts,
    failures: reading.failures,
    downtimeMinutes: reading.downtimeMinutes,
    display: reading.availability.display,
    meetsTarget: reading.availability.meetsTarget,
    voucherPercent: reading.voucherPercent,
    left: reading.budget.left,
    lost: {
      providerOnly: reading.figures.providerOnly.lost,
      providerAndUnknown: reading.figures.providerAndUnknown.lost,
      raw: reading.figures.raw.lost,
    },
    lostWindows: reading.lostWindows.map(({ start, attempts, failures }) => ({
      startMs: Date.parse(start),
      attempts,
      failures,
    })),
  };
}

describe('the contract read twice, independently', () => {
  const seed = Number(process.env.ROOMWATCH_TEST_SEED ?? Date.now() % 1_000_000);

  it.each([
    ['4,800 short service months', 4_800, 1, 2],
    ['200 service months of up to their full length', 200, 3, 31],
  ])(
    'gives the same figures of %s',
    (_, months, least, most) => {
      const random = seededRandom(seed + most);
      const met = { lost: 0, excluded: 0, vouchers: new Set<number>() };
      for (let i = 0; i < months; i += 1) {
        const month = randomMonth(random, random.integer(least, most));
        const naive = naiveFigures(month.contract, month.records);
        const figures = readingFigures(month);
        // As text first: comparing thousands of lost windows one by one is most of the time otherwise.
        if (JSON.stringify(figures) !== JSON.stringify(naive)) {
          expect(figures, `seed ${seed}, month ${i} of ${months}`).toEqual(naive);
        }
        met.lost += naive.classes.down;
        met.excluded += naive.classes.excluded;
        met.vouchers.add(naive.voucherPercent);
      }
      // Agreement about nothing would prove nothing.
      expect(met.lost).toBeGreaterThan(months);
      expect(met.excluded).toBeGreaterThan(months / 10);
      expect([...met.vouchers].sort((a, b) => a - b)).toEqual([0, 10, 20, 50]);
    },
    300_000,
  );
});
