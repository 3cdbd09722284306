import type { ServiceMonth } from './month.ts';

/** The window of a minute of the epoch, from 0; -1 when the minute is not in the service month. */
export function windowOf(month: ServiceMonth, minute: number): number {
  for (const { fromMinute, toMinute, shiftMinutes } of month.stretches) {
    if (minute >= fromMinute && minute < toMinute)
      return Math.floor((minute + shiftMinutes) / month.windowMinutes);
  }
  return -1;
}

/** Minutes [fromMinute, toMinute) of the epoch. */
export interface Span {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/**
 * The elapsed minutes that bear a window's name: one span of `windowMinutes` as a rule, none where the clock
 * skipped them (or the service had not begun), two where it showed them twice.
 */
export function spansOf(month: ServiceMonth, window: number): readonly Span[] {
  const from = window * month.windowMinutes;
  const to = from + month.windowMinutes;
  return month.stretches
    .map(({ fromMinute, toMinute, shiftMinutes }) => ({
      fromMinute: Math.max(fromMinute, from - shiftMinutes),
      toMinute: Math.min(toMinute, to - shiftMinutes),
    }))
    .filter((span) => span.fromMinute < span.toMinute);
}

/** The first elapsed minute of each window and the end of its last one (excluded); 0 and 0 when it has none. */
export interface WindowBounds {
  readonly fromMinute: Int32Array;
  readonly toMinute: Int32Array;
}

export function boundsOf(month: ServiceMonth): WindowBounds {
  const from = new Int32Array(month.windows);
  const to = new Int32Array(month.windows);
  for (const { fromMinute, toMinute, shiftMinutes } of month.stretches) {
    for (let minute = fromMinute; minute < toMinute; ) {
      const window = Math.floor((minute + shiftMinutes) / month.windowMinutes);
      const end = Math.min(toMinute, (window + 1) * month.windowMinutes - shiftMinutes);
      if (to[window] === 0) from[window] = minute;
      to[window] = end;
      minute = end;
    }
  }
  return { fromMinute: from, toMinute: to };
}

/** Epoch milliseconds after which an outcome of the window is late: its end and the grace. */
export function closesAtMs(month: ServiceMonth, window: number, graceMinutes: number): number {
  const end = spansOf(month, window).at(-1)?.toMinute ?? month.firstMinute;
  return (end + graceMinutes) * 60_000;
}
