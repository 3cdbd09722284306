import { describe, expect, it } from 'vitest';
import { addBusinessDays, isBusinessDay, isYearKnown } from '../../sla/business-days.ts';
import { claimOf } from '../../sla/claim.ts';
import { dateText, parseDate } from '../../sla/instant.ts';
import { monthOf, readScene, termsOf } from './months.ts';

function claim(name: string, record = {}) {
  const terms = termsOf(record);
  return claimOf(monthOf(name, terms), terms);
}

describe('a claim (3.2)', () => {
  it.each([
    ['2026-09', '2026-10-13', '2026-10-14', '2026-11-29'],
    ['2026-03', '2026-04-08', '2026-04-09', '2026-05-30'],
    ['2026-04', '2026-05-11', '2026-05-12', '2026-06-29'],
    ['2019-03', '2019-04-08', '2019-04-09', '2019-05-30'],
    ['2025-12', '2026-01-08', '2026-01-09', '2026-03-01'],
  ])(
    'for %s has its fifth business day on %s, opens on %s and ends with %s',
    (name, businessDate, opens, deadline) => {
      expect(claim(name)).toMatchObject({ businessDate, opens, deadline });
      expect(claim(name).warning).toBeUndefined();
    },
  );

  it('opens at 00:00 of the contract zone and is over when its last day is', () => {
    const found = claim('2026-09');
    expect(new Date(found.opensAtMs).toISOString()).toBe('2026-10-13T16:00:00.000Z');
    expect(new Date(found.closesAtMs).toISOString()).toBe('2026-11-29T16:00:00.000Z');
    const summer = claim('2026-09', { timeZone: 'America/New_York', claim: { calendar: 'weekdays' } });
    expect(new Date(summer.opensAtMs).toISOString()).toBe('2026-10-08T04:00:00.000Z');
    expect(new Date(summer.closesAtMs).toISOString()).toBe('2026-11-30T05:00:00.000Z');
  });

  it('opens on another day by Monday to Friday', () => {
    expect(claim('2026-09', { claim: { calendar: 'weekdays' } })).toMatchObject({
      businessDate: '2026-10-07',
      opens: '2026-10-08',
    });
  });

  it('of a month that the service ends in counts its sixty days from that end', () => {
    expect(claim('2026-06', { serviceEnd: '2026-06-16' })).toMatchObject({
      deadline: '2026-08-15',
      opens: '2026-07-08',
    });
    const full = { serviceEnd: '2026-06-16', partialMonth: 'full' };
    expect(claim('2026-06', full).deadline).toBe('2026-08-15');
    expect(claim('2026-06').deadline).toBe('2026-08-29');
  });

  it('says so when the calendar does not hold the year yet', () => {
    const december = claim('2098-12');
    expect(december.warning).toContain('2099');
    expect(december.opens).toBe('2099-01-08');
    expect(claim('2098-12', { claim: { calendar: 'weekdays' } }).warning).toBeUndefined();
    expect(readScene({ month: '2098-12' }).warnings).toEqual([december.warning]);
    expect(readScene({ month: '2026-07' }).warnings).toEqual([]);
  });

  it('obeys other terms', () => {
    expect(claim('2026-09', { claim: { openAfterBusinessDay: 0, deadlineDays: 1 } })).toMatchObject({
      opens: '2026-10-01',
      deadline: '2026-10-01',
    });
  });
});

describe('business days', () => {
  const day = (date: string) => parseDate(date)!;

  it('include make-up Saturdays and leave out holidays in China only', () => {
    expect(isBusinessDay(day('2026-10-10'), 'CN')).toBe(true);
    expect(isBusinessDay(day('2026-10-10'), 'weekdays')).toBe(false);
    expect(isBusinessDay(day('2026-10-05'), 'CN')).toBe(false);
    expect(isBusinessDay(day('2026-10-05'), 'weekdays')).toBe(true);
    expect(isBusinessDay(day('2026-10-11'), 'CN')).toBe(false);
  });

  it('are counted after a day, not with it', () => {
    expect(dateText(addBusinessDays(day('2026-10-09'), 1, 'weekdays'))).toBe('2026-10-12');
    expect(dateText(addBusinessDays(day('2026-10-09'), 1, 'CN'))).toBe('2026-10-10');
    expect(addBusinessDays(day('2026-10-09'), 0, 'CN')).toBe(day('2026-10-09'));
  });

  it('are known for the years that were published', () => {
    expect([2019, 2025, 2026].every((year) => isYearKnown(`${year}`, 'CN'))).toBe(true);
    expect(isYearKnown('1999', 'CN')).toBe(false);
    expect(isYearKnown('1999', 'weekdays')).toBe(true);
  });
});
