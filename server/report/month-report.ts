import { percentDisplay } from '../../sla/display.ts';
import type { MonthVerdicts } from '../../sla/judge-month.ts';
import type { Reading } from '../../sla/reading.ts';
import { VERDICT_INDEX } from '../../sla/verdict.ts';
import { clockText, windowText } from './contract-time.ts';
import { monthMap } from './month-map.ts';
import { type Paint, painter, paragraph, type Row, rows, table } from './paint.ts';

export interface ReportStyle {
  readonly columns: number;
  readonly isColoured: boolean;
}

/** Lost windows that are listed; a month of total failure has thousands. */
export const LOST_WINDOWS_SHOWN = 20;
const REVISIONS_SHOWN = 5;
/** The report is no narrower than this, whatever the terminal says. */
const NARROWEST_COLUMNS = 32;
/** Columns from which a lost window's line has its share beside its counts. */
const ROOMY_COLUMNS = 64;

interface Page {
  readonly reading: Reading;
  readonly verdicts: MonthVerdicts;
  readonly columns: number;
  readonly paint: Paint;
}

/**
 * A month's reading for people: the answer first, then what it rests on. Pure text of the reading and the
 * verdicts that it was made from.
 */
export function monthReport(reading: Reading, verdicts: MonthVerdicts, style: ReportStyle): string {
  const columns = Math.max(NARROWEST_COLUMNS, style.columns);
  const page: Page = { reading, verdicts, columns, paint: painter(style.isColoured) };
  const sections = [
    title(page),
    rows(headline(page), page),
    rows(outlook(page), page),
    figures(page),
    lines(page),
    monthMap(verdicts, page),
    counts(page),
    lostWindows(page),
    revisions(page),
    warnings(page),
  ];
  const shown = sections.filter((section) => section.length > 0);
  return `${shown.map((section) => section.join('\n')).join('\n\n')}\n`;
}

function title({ reading, verdicts, columns, paint }: Page): string[] {
  const { timeZone } = verdicts.month;
  const asOf = `observed, as of ${clockText(Date.parse(reading.asOf), timeZone)} (${timeZone})`;
  const days = plural(reading.period.days, 'day');
  return [paint('strong', `${reading.service}  ${reading.month}`), ...paragraph(`${days}, ${asOf}`, columns)];
}

function headline({ reading, verdicts }: Page): Row[] {
  const { availability, budget, voucherPercent, voucher, claim, downtimeMinutes, windows } = reading;
  const target = `${verdicts.terms.target.text} %`;
  const sofar = windows.remaining > 0 ? ' if nothing more is lost' : '';
  const owed =
    voucherPercent === 0
      ? `no voucher; claims for the month are open from ${claim.opens} to ${claim.deadline}`
      : `of the monthly fee as voucher${voucher ? `, ${voucher.amount} ${voucher.currency}` : ''}; claim from ${claim.opens} to ${claim.deadline}`;
  return [
    {
      label: availability.display,
      text: availability.meetsTarget ? `available, ${target} is met${sofar}` : `available, below ${target}`,
      tone: availability.meetsTarget ? 'good' : 'bad',
    },
    {
      label: plural(budget.left, 'window'),
      text: `left of ${budget.allowed} that may be lost; ${budget.lost} lost, ${plural(downtimeMinutes, 'minute')}`,
    },
    { label: `${voucherPercent} %`, text: owed },
  ];
}

/** Only while the month lasts: a closed one has nothing to be foretold. */
function outlook({ reading, verdicts }: Page): Row[] {
  if (reading.windows.remaining === 0) return [];
  const { availability, breachProbability } = reading.projection;
  const [expected, low, high] = [availability.expected, availability.low, availability.high].map(
    (ratio) => `${(Math.floor(ratio * 100_000) / 1_000).toFixed(3)}%`,
  );
  const probabilities = Object.entries(breachProbability).map(
    ([line, probability]) => `${chance(probability)} for ${line} %`,
  );
  const outlookRows: Row[] = [
    {
      label: 'expected',
      text: `${expected} at the end of the month, ${low} to ${high} in nine cases of ten`,
    },
    { label: 'breach', text: `probability ${probabilities.join(', ')}` },
  ];
  const { openWindow } = reading;
  if (openWindow === null) return outlookRows;
  const { attempts, failures, alreadyLost, failuresUntilLost } = openWindow;
  const since = clockText(Date.parse(openWindow.start), verdicts.month.timeZone).slice(11);
  const state = alreadyLost
    ? 'it is lost already'
    : `${plural(failuresUntilLost, 'more failure')} would lose it`;
  outlookRows.push({
    label: 'now',
    text: `window of ${since}: ${count(failures)} of ${plural(attempts, 'attempt')} failed; ${state}`,
    ...(alreadyLost && { tone: 'bad' as const }),
  });
  return outlookRows;
}

/** The three figures: what the month comes to, depending on whose failures are counted. */
function figures({ reading, verdicts }: Page): string[] {
  const { providerOnly, providerAndUnknown, raw } = reading.figures;
  const { windows } = reading.period;
  const share = (lost: number) => percentDisplay(windows - lost, windows, verdicts.terms.displayDecimals);
  const row = (name: string, { lost }: { readonly lost: number }) => [name, count(lost), share(lost)];
  return table([
    ['counting', 'lost', 'available'],
    row('provider only', providerOnly),
    row('provider, unknown', providerAndUnknown),
    row('every failure', raw),
  ]);
}

function lines({ reading }: Page): string[] {
  return table([
    ['line', 'may lose', 'left', 'voucher', ''],
    ...reading.lines.map(({ target, allowed, left, crossed, voucherPercent }) => [
      `${target} %`,
      count(allowed),
      count(left),
      `${voucherPercent} %`,
      crossed ? 'crossed' : '',
    ]),
  ]);
}

function counts({ reading, columns }: Page): string[] {
  const { attempts, failures, windows, period } = reading;
  const elapsed = period.windows - windows.remaining;
  const measured = elapsed === 0 ? '100.0%' : percentDisplay(elapsed - windows.unmeasured, elapsed, 1);
  const states = (['up', 'down', 'idle', 'unmeasured', 'excluded', 'remaining'] as const)
    .filter((state) => windows[state] > 0)
    .map((state) => `${count(windows[state])} ${STATE_NAMES[state]}`);
  return [
    `${plural(period.windows, 'window')}: ${states.join(', ')}; coverage ${measured}`,
    `${plural(attempts, 'attempt')}; failures: ${count(failures.provider)} provider, ` +
      `${count(failures.unknown)} unknown, ${count(failures.customer)} customer, ${count(failures.network)} network`,
  ].flatMap((text) => paragraph(text, columns));
}

const STATE_NAMES = {
  up: 'up',
  down: 'lost',
  idle: 'idle',
  unmeasured: 'unmeasured',
  excluded: 'excluded',
  remaining: 'to come',
} as const;

function lostWindows({ verdicts, columns, paint }: Page): string[] {
  const { month, verdict, attempts, failures, terms } = verdicts;
  const lost = [...verdict.keys()].filter((window) => verdict[window] === VERDICT_INDEX.down);
  if (lost.length === 0) return [];
  const isRoomy = columns >= ROOMY_COLUMNS;
  const cells = lost.slice(0, LOST_WINDOWS_SHOWN).map((window) => {
    const [asked, failed] = [attempts[window]!, failures[window]!];
    const share = asked === 0 ? '' : percentDisplay(asked - failed, asked, 2);
    const mark = asked < terms.lowVolumeBelow ? 'low volume' : '';
    const shown = [windowText(month, window), count(failed), count(asked)];
    return isRoomy ? [...shown, share, mark] : shown;
  });
  const heads = ['lost windows', 'failed', 'of'];
  const [head, ...rest] = table([isRoomy ? [...heads, 'success', ''] : heads, ...cells]);
  const more = lost.length - LOST_WINDOWS_SHOWN;
  const tail = more > 0 ? paragraph(`and ${count(more)} more; --json lists them all`, columns) : [];
  return [paint('strong', head ?? ''), ...rest, ...tail];
}

function revisions({ reading, verdicts, columns }: Page): string[] {
  const { revisions: changed } = reading;
  if (changed.length === 0) return [];
  const named = changed.slice(0, REVISIONS_SHOWN).map(({ start, lateAttempts }) => {
    return `${clockText(Date.parse(start), verdicts.month.timeZone)} (${plural(lateAttempts, 'attempt')})`;
  });
  const more = changed.length - REVISIONS_SHOWN;
  const list = [...named, ...(more > 0 ? [`${count(more)} more`] : [])].join(', ');
  return paragraph(`revised after they had closed: ${list}`, columns);
}

function warnings({ reading, columns, paint }: Page): string[] {
  const { windows } = reading;
  const own: string[] = [];
  if (windows.lowVolumeDown > 0) {
    own.push(
      `${count(windows.lowVolumeDown)} of the lost windows had little traffic, where one failure is enough.`,
    );
  }
  if (windows.unmeasured > 0) {
    own.push(`Nobody was watching in ${plural(windows.unmeasured, 'window')}; they count as up.`);
  }
  return [...own, ...reading.warnings].flatMap((text) =>
    paragraph(`! ${text}`, columns, '  ').map((line) => paint('warn', line)),
  );
}

function chance(probability: number): string {
  if (probability > 0 && probability < 0.01) return 'below 1 %';
  if (probability < 1 && probability > 0.99) return 'above 99 %';
  return `${Math.round(probability * 100)} %`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
