import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LOST_WINDOWS_SHOWN, monthReport } from '../../server/report/month-report.ts';
import { viewOf } from '../../server/report/month-view.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { serviceMonth } from '../../sla/month.ts';
import { type ReadInput, read } from '../../sla/read.ts';
import { createTally } from '../../sla/tally.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';

function termsFrom(record: Record<string, unknown> = {}): Terms {
  const parsed = parseTerms(record);
  if (!parsed.ok) throw new Error(parsed.faults[0]?.message);
  return parsed.terms;
}

const at = (text: string) => Date.parse(text);

/**
 * A month with every mark: watched from the 2nd, 40 entries a minute, failing for 25 minutes on the 10th and the
 * last 5 minutes of an hour on the 21st, silent for two hours on the 13th, little traffic on the 16th, half of an
 * hour of the 17th excluded.
 */
function eventfulMonth(nowMs: number, terms = termsFrom()): ReadInput {
  const found = serviceMonth('2026-11', terms);
  if (!found.ok) throw new Error(found.message);
  const { month } = found;
  const tally = createTally(month.firstMinute, month.minuteCount);
  const [from, to] = [at('2026-11-02T00:00:00+08:00'), Math.min(nowMs, month.endMs)];
  for (let startedAtMs = from; startedAtMs < to; startedAtMs += 60_000) {
    const clock = new Date(startedAtMs + 8 * 3_600_000).toISOString();
    const [day, hour, minute] = [clock.slice(8, 10), clock.slice(11, 13), Number(clock.slice(14, 16))];
    if (day === '13' && (hour === '03' || hour === '04')) continue;
    const isQuiet = day === '16' && hour === '04';
    const isFailing =
      (day === '10' && hour === '14' && minute < 25) || (day === '21' && hour === '20' && minute > 54);
    tally.add({ startedAtMs, result: 'ok', count: isQuiet ? 5 : 40 }, 'unknown');
    if (isFailing)
      tally.add({ startedAtMs, result: 'failed', count: 12 }, minute % 2 ? 'provider' : 'unknown');
    if (isQuiet && minute === 7) tally.add({ startedAtMs, result: 'failed', count: 1 }, 'provider');
  }
  tally.markWatched();
  const exclusions: Exclusion[] = [
    {
      service: 'acme',
      fromMs: at('2026-11-17T03:00:00+08:00'),
      toMs: at('2026-11-17T03:30:00+08:00'),
      clause: '4.10',
      author: 'ops',
      reason: 'announced cutover',
      noticeAtMs: at('2026-11-10T00:00:00+08:00'),
    },
  ];
  return { service: 'acme', month, facts: tally.facts(), terms, exclusions, nowMs };
}

function report(input: ReadInput, columns: number, isColoured = false): string {
  const reading = read(input);
  return monthReport(reading, viewOf(input.service, judgeMonth(input), reading), { columns, isColoured });
}

const DURING_MS = at('2026-11-22T18:03:00+08:00');
const AFTER_MS = at('2026-12-01T00:00:00+08:00');

describe('the report of a month', () => {
  for (const columns of [100, 56, 40]) {
    it(`reads well in ${columns} columns while the month lasts`, async () => {
      const text = report(eventfulMonth(DURING_MS), columns);
      await expect(text).toMatchFileSnapshot(`../fixtures/reports/during-${columns}.txt`);
    });
  }

  it('reads well when the month is over and breached', async () => {
    const terms = termsFrom({
      target: '99.95',
      tiers: [{ below: '99.95', voucherPercent: 15 }],
      monthlyFee: { amount: '1234.50', currency: 'USD' },
    });
    const text = report(eventfulMonth(AFTER_MS, terms), 80);
    await expect(text).toMatchFileSnapshot('../fixtures/reports/breached-80.txt');
    expect(text).not.toMatch(/expected|probability/);
  });

  it('keeps within its columns from 40 on, and is as wide as 40 in anything less', () => {
    const input = eventfulMonth(DURING_MS);
    for (const columns of [1, 39, 40, 41, 43, 44, 45, 59, 60, 63, 64, 65, 79, 80, 81, 120, 200]) {
      const widths = report(input, columns)
        .split('\n')
        .map((line) => line.length);
      expect(Math.max(...widths), `${columns} columns`).toBeLessThanOrEqual(Math.max(columns, 40));
    }
    expect(report(input, 1)).toBe(report(input, 40));
  });

  it('says the same with and without colour, and leaves no colour switched on at a line end', () => {
    const input = eventfulMonth(DURING_MS);
    for (const columns of [40, 60, 100]) {
      const coloured = report(input, columns, true);
      expect(coloured).not.toBe(report(input, columns));
      expect(stripVTControlCharacters(coloured)).toBe(report(input, columns));
      for (const line of coloured.split('\n').filter((one) => one.includes('\x1b'))) {
        expect(line.lastIndexOf('\x1b[0m')).toBeGreaterThanOrEqual(line.lastIndexOf('\x1b['));
      }
    }
  });

  it('marks each hour by the worst of its twelve windows, in a shape of its own', () => {
    const rows = report(eventfulMonth(DURING_MS), 60).split('\n');
    const row = (day: string) => rows.find((line) => line.slice(4, 8) === `${day}  `)?.slice(8);
    expect(row('01')).toBe('?????? ?????? ?????? ??????');
    expect(row('10')).toBe('...... ...... ..#... ......  5 lost');
    expect(row('13')).toBe('...--. ...... ...... ......');
    expect(row('16')).toBe('....+. ...... ...... ......  1 lost');
    expect(row('17')).toBe('...E.. ...... ...... ......');
    expect(row('22')).toBe('...... ...... ......');
    expect(row('30')).toBeUndefined();
    expect(rows).toContain('Mon 30');
  });

  it('lists twenty lost windows and the number of the others', () => {
    const input = eventfulMonth(
      AFTER_MS,
      termsFrom({ threshold: '100', countedCauses: ['provider', 'unknown'] }),
    );
    const few = report(input, 80);
    expect(few).not.toContain('more; --json');
    const { month } = input;
    const tally = createTally(month.firstMinute, month.minuteCount);
    for (let window = 0; window < LOST_WINDOWS_SHOWN + 1; window++) {
      const startedAtMs = month.startMs + window * 300_000;
      tally.add({ startedAtMs, result: 'failed', count: 200 }, 'provider');
    }
    const many = report({ ...input, facts: tally.facts() }, 80);
    expect(many).toContain(
      '2026-11-01 01:35 to 01:40     200  200    0.00%\nand 1 more; --json lists them all\n',
    );
    expect(many).not.toContain('2026-11-01 01:40 to 01:45');
  });
});
