import { addBusinessDays, isYearKnown } from './business-days.ts';
import { dateText, dayNumber, parseDate } from './instant.ts';
import type { ServiceMonth } from './month.ts';
import type { Terms } from './terms.ts';
import { firstMinuteOfDay } from './zone.ts';

/** When a breached month can be claimed (clause 3.2). Dates are contract dates. */
export interface ClaimWindow {
  /** From 00:00 of this date: the day after the n-th business day of the following calendar month. */
  readonly opens: string;
  /** Last date included; day 1 is the day after the Service Month ends. */
  readonly deadline: string;
  readonly opensAtMs: number;
  /** The instant at which the deadline has passed. */
  readonly closesAtMs: number;
  /** The last business day before it opens. */
  readonly businessDate: string;
  /** Absent unless the dates are uncertain. */
  readonly warning?: string;
}

export function claimOf(month: ServiceMonth, terms: Terms): ClaimWindow {
  const { openAfterBusinessDay, deadlineDays, calendar } = terms.claim;
  const lastDay = parseDate(
    terms.serviceEnd && terms.serviceEnd < month.lastDate ? terms.serviceEnd : month.lastDate,
  )!;
  const [year, number] = month.month.split('-').map(Number) as [number, number];
  const followingMonth = number === 12 ? dayNumber(year + 1, 1, 1) : dayNumber(year, number + 1, 1);
  const businessDay = addBusinessDays(followingMonth - 1, openAfterBusinessDay, calendar);
  const opensDay = businessDay + 1;
  const deadlineDay = lastDay + deadlineDays;
  const dates = {
    opens: dateText(opensDay),
    deadline: dateText(deadlineDay),
    opensAtMs: firstMinuteOfDay(opensDay, terms.timeZone) * 60_000,
    closesAtMs: firstMinuteOfDay(deadlineDay + 1, terms.timeZone) * 60_000,
    businessDate: dateText(businessDay),
  };
  const claimYear = dateText(followingMonth).slice(0, 4);
  if (isYearKnown(claimYear, calendar)) return dates;
  const warning =
    `The business calendar of China for ${claimYear} is not in this version: ` +
    `Monday to Friday were counted, so the claim may open on another day than ${dates.opens}. Upgrade, or check it.`;
  return { ...dates, warning };
}
