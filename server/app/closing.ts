import { monthAt, type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import type { Terms } from '../../sla/terms.ts';
import { closesAtMs, windowOf } from '../../sla/window.ts';

/** Months kept for each terms: late outcomes come from the one before, early ones from the one after. */
const MONTHS_KEPT = 4;

/**
 * When the window of a minute closes for a service: its end and the grace of its terms. Asked for every minute
 * of every batch, so the months are kept.
 * @returns epoch milliseconds; Infinity for a minute outside the service period, where nothing is late
 */
export function createClosing(
  termsOf: (service: string) => Terms,
): (service: string, minute: number) => number {
  const monthsOf = new WeakMap<Terms, ServiceMonth[]>();

  const monthOf = (terms: Terms, minute: number): ServiceMonth | undefined => {
    const months = monthsOf.get(terms) ?? [];
    monthsOf.set(terms, months);
    const known = months.find(
      ({ firstMinute, minuteCount }) => minute >= firstMinute && minute < firstMinute + minuteCount,
    );
    if (known) return known;
    const found = serviceMonth(monthAt(minute * 60_000, terms), terms);
    if (!found.ok) return undefined;
    months.unshift(found.month);
    months.length = Math.min(months.length, MONTHS_KEPT);
    return found.month;
  };

  return (service, minute) => {
    const terms = termsOf(service);
    const month = monthOf(terms, minute);
    const window = month ? windowOf(month, minute) : -1;
    return month && window >= 0 ? closesAtMs(month, window, terms.graceMinutes) : Number.POSITIVE_INFINITY;
  };
}
