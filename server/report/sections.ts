import { percentDisplay } from '../../sla/display.ts';
import type { Figure } from '../../sla/reading.ts';
import type { Terms } from '../../sla/terms.ts';
import { clockText, windowText } from './contract-time.ts';
import type { MonthView } from './month-view.ts';
import { type Paint, paragraph, type Row, table } from './paint.ts';

/** The parts that the report of a month and its statement have in common. Each is a list of lines. */

export interface Sheet {
  readonly columns: number;
  readonly paint: Paint;
}

/** Columns from which a lost window's line has its share beside its counts. */
const ROOMY_COLUMNS = 64;

export function titleLines({ service, month, figures }: MonthView, { columns, paint }: Sheet): string[] {
  const asOf = `observed, as of ${clockText(Date.parse(figures.asOf), month.timeZone)} (${month.timeZone})`;
  const days = plural(figures.period.days, 'day');
  return [paint('strong', `${service}  ${figures.month}`), ...paragraph(`${days}, ${asOf}`, columns)];
}

/** What a reader asks first: is it met, what is left, what is owed and until when. */
export function headline({ figures, terms }: MonthView): Row[] {
  const { availability, budget, voucherPercent, voucher, claim, downtimeMinutes, windows } = figures;
  const target = `${terms.target.text} %`;
  const soFar = windows.remaining > 0 ? ' if nothing more is lost' : '';
  const amount = voucher ? `, ${voucher.amount} ${voucher.currency}` : '';
  const owed =
    voucherPercent === 0
      ? `no voucher; claims for the month are open from ${claim.opens} to ${claim.deadline}`
      : `of the monthly fee as voucher${amount}; claim from ${claim.opens} to ${claim.deadline}`;
  const downtime = plural(downtimeMinutes, 'minute');
  const spent =
    terms.measure === 'window-threshold'
      ? `${budget.lost} lost, ${downtime}`
      : `${budget.lost} spent on error rates; ${windows.down} below ${terms.threshold.text} %, ${downtime}`;
  return [
    {
      label: availability.display,
      text: availability.meetsTarget ? `available, ${target} is met${soFar}` : `available, below ${target}`,
      tone: availability.meetsTarget ? 'good' : 'bad',
    },
    {
      label: plural(budget.left, 'window'),
      text: `left of ${budget.allowed} that may be lost; ${spent}`,
    },
    { label: `${voucherPercent} %`, text: owed },
  ];
}

/** The three figures: what the month comes to, depending on whose failures are counted. */
export function figureLines({ figures, terms }: MonthView): string[] {
  const { providerOnly, providerAndUnknown, raw } = figures.figures;
  const { windows } = figures.period;
  const row = (name: string, figure: Figure) => [
    name,
    count(figure.lost),
    figureDisplay(figure, windows, terms),
  ];
  return table([
    ['counting', 'lost', 'available'],
    row('provider only', providerOnly),
    row('provider, unknown', providerAndUnknown),
    row('every failure', raw),
  ]);
}

/** A figure's availability, truncated. */
export function figureDisplay({ lost, display }: Figure, windows: number, terms: Terms): string {
  return display ?? percentDisplay(windows - lost, windows, terms.displayDecimals);
}

export function contractLines({ figures }: MonthView): string[] {
  return table([
    ['line', 'may lose', 'left', 'voucher', ''],
    ...figures.lines.map(({ target, allowed, left, crossed, voucherPercent }) => [
      `${target} %`,
      count(allowed),
      count(left),
      `${voucherPercent} %`,
      crossed ? 'crossed' : '',
    ]),
  ]);
}

const STATE_NAMES = {
  up: 'up',
  down: 'lost',
  idle: 'idle',
  unmeasured: 'unmeasured',
  excluded: 'excluded',
  remaining: 'to come',
} as const;

export function countLines({ figures }: MonthView, { columns }: Sheet): string[] {
  const { attempts, failures, windows, period } = figures;
  const elapsed = period.windows - windows.remaining;
  const coverage = elapsed === 0 ? '100.0%' : percentDisplay(elapsed - windows.unmeasured, elapsed, 1);
  const states = (['up', 'down', 'idle', 'unmeasured', 'excluded', 'remaining'] as const)
    .filter((state) => windows[state] > 0)
    .map((state) => `${count(windows[state])} ${STATE_NAMES[state]}`);
  const causes = `${count(failures.provider)} provider, ${count(failures.unknown)} unknown, ${count(failures.customer)} customer, ${count(failures.network)} network`;
  return [
    `${plural(period.windows, 'window')}: ${states.join(', ')}; coverage ${coverage}`,
    `${plural(attempts, 'attempt')}; failures: ${causes}`,
  ].flatMap((text) => paragraph(text, columns));
}

/** @param most  windows that are listed; of the others only their number */
export function lostWindowLines(view: MonthView, { columns, paint }: Sheet, most: number): string[] {
  const lost = [...view.rows.entries()].filter(([, { verdict }]) => verdict === 'down');
  if (lost.length === 0) return [];
  const isRoomy = columns >= ROOMY_COLUMNS;
  const cells = lost.slice(0, most).map(([window, { counted, lowVolume }]) => {
    const { attempts, failures } = counted;
    const shown = [windowText(view.month, window), count(failures), count(attempts)];
    const share = attempts === 0 ? '' : percentDisplay(attempts - failures, attempts, 2);
    return isRoomy ? [...shown, share, lowVolume ? 'low volume' : ''] : shown;
  });
  const heads = ['lost windows', 'failed', 'of'];
  const [head, ...rest] = table([isRoomy ? [...heads, 'success', ''] : heads, ...cells]);
  const more = lost.length - most;
  const tail = more > 0 ? paragraph(`and ${count(more)} more; --json lists them all`, columns) : [];
  return [paint('strong', head ?? ''), ...rest, ...tail];
}

/** @param most  revisions that are named; of the others only their number */
export function revisionLines({ figures, month }: MonthView, { columns }: Sheet, most: number): string[] {
  const { revisions } = figures;
  if (revisions.length === 0) return [];
  const named = revisions.slice(0, most).map(({ start, lateAttempts }) => {
    return `${clockText(Date.parse(start), month.timeZone)} (${plural(lateAttempts, 'attempt')})`;
  });
  const more = revisions.length - most;
  const list = [...named, ...(more > 0 ? [`${count(more)} more`] : [])].join(', ');
  return paragraph(`revised after they had closed: ${list}`, columns);
}

export function warningLines({ figures }: MonthView, { columns, paint }: Sheet): string[] {
  const { windows, warnings } = figures;
  const own: string[] = [];
  if (windows.lowVolumeDown > 0) {
    own.push(
      `${count(windows.lowVolumeDown)} of the lost windows had little traffic, where one failure is enough.`,
    );
  }
  if (windows.unmeasured > 0) {
    own.push(`Nobody was watching in ${plural(windows.unmeasured, 'window')}; they count as up.`);
  }
  return [...own, ...warnings].flatMap((text) =>
    paragraph(`! ${text}`, columns, '  ').map((line) => paint('warn', line)),
  );
}

/** Sections below each other, the empty ones left out. */
export function pageText(sections: readonly (readonly string[])[]): string {
  const shown = sections.filter((section) => section.length > 0);
  return `${shown.map((section) => section.join('\n')).join('\n\n')}\n`;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
