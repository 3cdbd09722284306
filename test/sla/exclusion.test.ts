import { describe, expect, it } from 'vitest';
import { EXCLUSION_CLAUSES, excludedMinutes, exclusionRecord, parseExclusion } from '../../sla/exclusion.ts';
import { monthOf, termsOf } from './months.ts';

const entry = {
  service: 'acme',
  from: '2026-07-03T10:02:00+08:00',
  to: '2026-07-03T10:04:00+08:00',
  clause: '4.10',
  author: 'ops',
  reason: 'announced cutover',
  noticeAt: '2026-06-28T09:00:00+08:00',
};

function faultsOf(input: unknown, terms = termsOf()) {
  const parsed = parseExclusion(input, terms);
  if (parsed.ok) throw new Error('was accepted');
  return parsed.faults.map(({ field, message }) => `${field}: ${message}`);
}

function accepted(input: unknown, terms = termsOf()) {
  const parsed = parseExclusion(input, terms);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.exclusion;
}

describe('an exclusion', () => {
  it('is read and written back', () => {
    const exclusion = accepted(entry);
    expect(exclusion.toMs - exclusion.fromMs).toBe(120_000);
    expect(accepted(exclusionRecord(exclusion))).toEqual(exclusion);
    const { noticeAt: _, ...noNotice } = entry;
    const flood = accepted({ ...noNotice, clause: '4.12' });
    expect('noticeAtMs' in flood).toBe(false);
    expect(accepted(exclusionRecord(flood))).toEqual(flood);
  });

  it('may name each of the fourteen clauses', () => {
    expect(EXCLUSION_CLAUSES).toHaveLength(14);
    for (const clause of EXCLUSION_CLAUSES)
      expect(accepted({ ...entry, clause, noticeAt: '2026-06-01T00:00:00Z' }).clause).toBe(clause);
  });

  it.each([
    ['service', { service: '' }],
    ['service', { service: undefined }],
    ['from', { from: '2026-07-03 10:02' }],
    ['from', { from: 1_782_000_000_000 }],
    ['to', { to: entry.from }],
    ['to', { to: '2026-07-03T10:01:59+08:00' }],
    ['to', { to: '2027-07-05T10:02:00+08:00' }],
    ['clause', { clause: '4.15' }],
    ['clause', { clause: 4.1 }],
    ['clause', { clause: '4.01' }],
    ['author', { author: '' }],
    ['author', { author: 'a\nb' }],
    ['reason', { reason: 'x'.repeat(1_001) }],
    ['noticeAt', { noticeAt: undefined }],
    ['noticeAt', { noticeAt: entry.from }],
    ['noticeAt', { clause: '4.9', noticeAt: 'yesterday' }],
    ['reasons', { reasons: 'x' }],
  ])('names %s as the fault of %j', (field, change) => {
    const faults = faultsOf({ ...entry, ...change });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${field}: .*; |^${field}: .*split|^${field}: `));
  });

  it('tells all faults at once', () => {
    expect(faultsOf({ clause: '4.10' }).map((fault) => fault.split(':')[0])).toEqual([
      'service',
      'from',
      'to',
      'author',
      'reason',
      'noticeAt',
    ]);
    expect(faultsOf(null)).toEqual([': an exclusion is an object, not null']);
  });

  it('warns that an unquoted 4.10 is another clause', () => {
    expect(faultsOf({ ...entry, clause: 4.1 })[0]).toContain('in quotation marks');
  });
});

describe('the notice of a surge (4.6)', () => {
  // 22 to 26 June 2026 are business days; the interval begins on Friday 3 July.
  const surge = { ...entry, clause: '4.6' };

  it('must be five business days ahead: the fifth one after it is the day of the interval at the latest', () => {
    expect(accepted({ ...surge, noticeAt: '2026-06-26T23:59:00+08:00' }).clause).toBe('4.6');
    expect(faultsOf({ ...surge, noticeAt: '2026-06-29T00:00:00+08:00' })[0]).toContain('5 business days');
  });

  it('counts the days of the contract zone', () => {
    // 26 June in Shanghai, still 25 June in UTC, and the reverse at the other end.
    expect(accepted({ ...surge, noticeAt: '2026-06-28T15:59:00Z' }).clause).toBe('4.6');
    expect(faultsOf({ ...surge, noticeAt: '2026-06-28T16:00:00Z' })).toHaveLength(1);
  });

  it('skips the holidays of the calendar in force', () => {
    // 1 to 7 October are holidays; 10 October is a make-up working day.
    const october = {
      ...surge,
      from: '2026-10-09T10:00:00+08:00',
      to: '2026-10-09T11:00:00+08:00',
      noticeAt: '2026-09-30T10:00:00+08:00',
    };
    expect(faultsOf(october)).toHaveLength(1);
    expect(accepted(october, termsOf({ claim: { calendar: 'weekdays' } })).clause).toBe('4.6');
  });

  it('is not asked for by 4.9 and 4.10, which only need one beforehand', () => {
    expect(accepted({ ...entry, clause: '4.9', noticeAt: '2026-07-03T10:01:59+08:00' }).clause).toBe('4.9');
    expect(faultsOf({ ...entry, clause: '4.9', noticeAt: '2026-07-03T10:02:00+08:00' })).toHaveLength(1);
  });
});

describe('the minutes of exclusions', () => {
  const month = monthOf('2026-07');
  const at = (fromMs: number, toMs: number) => ({
    ...accepted(entry),
    fromMs: month.startMs + fromMs,
    toMs: month.startMs + toMs,
  });
  const marked = (...exclusions: ReturnType<typeof at>[]) => {
    const marks = excludedMinutes(exclusions, month);
    return marks === null ? null : [...marks.keys()].filter((i) => marks[i] === 1);
  };

  it('are all that the interval touches, and its end is not in it', () => {
    expect(marked(at(120_000, 240_000))).toEqual([2, 3]);
    expect(marked(at(120_000, 240_001))).toEqual([2, 3, 4]);
    expect(marked(at(179_999, 180_000))).toEqual([2]);
    expect(marked(at(179_999, 180_001))).toEqual([2, 3]);
  });

  it('are marked once where exclusions overlap', () => {
    expect(marked(at(60_000, 180_000), at(120_000, 240_000))).toEqual([1, 2, 3]);
  });

  it('are cut at the edges of the month', () => {
    expect(marked(at(-300_000, 60_000))).toEqual([0]);
    expect(marked(at(-300_000, 0))).toBeNull();
    expect(marked(at(month.minuteCount * 60_000, month.minuteCount * 60_000 + 1))).toBeNull();
    expect(marked()).toBeNull();
  });
});
