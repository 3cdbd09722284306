import type { Reading } from '../../sla/reading.ts';
import { clockText } from './contract-time.ts';
import { monthMap } from './month-map.ts';
import type { MonthView } from './month-view.ts';
import { painter, type Row, rows } from './paint.ts';
import {
  contractLines,
  count,
  countLines,
  figureLines,
  headline,
  lostWindowLines,
  pageText,
  plural,
  revisionLines,
  titleLines,
  warningLines,
} from './sections.ts';

export interface ReportStyle {
  readonly columns: number;
  readonly isColoured: boolean;
}

/** Lost windows that are listed; a month of total failure has thousands. */
export const LOST_WINDOWS_SHOWN = 20;
const REVISIONS_SHOWN = 5;
/** The report is no narrower than this, whatever the terminal says. */
const NARROWEST_COLUMNS = 40;

/**
 * A month's reading for people: the answer first, then what it rests on. Pure text of the reading and of the
 * windows that it was made from.
 */
export function monthReport(reading: Reading, view: MonthView, style: ReportStyle): string {
  const sheet = {
    columns: Math.max(NARROWEST_COLUMNS, style.columns),
    paint: painter(style.isColoured),
  };
  return pageText([
    titleLines(view, sheet),
    rows(headline(view), sheet),
    rows(outlook(reading, view), sheet),
    figureLines(view),
    contractLines(view),
    monthMap(view, sheet),
    countLines(view, sheet),
    lostWindowLines(view, sheet, LOST_WINDOWS_SHOWN),
    revisionLines(view, sheet, REVISIONS_SHOWN),
    warningLines(view, sheet),
  ]);
}

/** Only while the month lasts: a closed one has nothing to be foretold. */
function outlook(reading: Reading, { month }: MonthView): Row[] {
  if (reading.windows.remaining === 0) return [];
  const { availability, breachProbability } = reading.projection;
  const [expected, low, high] = [availability.expected, availability.low, availability.high].map(
    (ratio) => `${(Math.floor(ratio * 100_000) / 1_000).toFixed(3)}%`,
  );
  // By the lines: an object would put the key 99 before 99.9.
  const probabilities = reading.lines.map(
    ({ target }) => `${chance(breachProbability[target] ?? 0)} for ${target} %`,
  );
  const foretold: Row[] = [
    {
      label: 'expected',
      text: `${expected} at the end of the month, ${low} to ${high} in nine cases of ten`,
    },
    { label: 'breach', text: `probability ${probabilities.join(', ')}` },
  ];
  const { openWindow } = reading;
  if (openWindow === null) return foretold;
  const { attempts, failures, alreadyLost, failuresUntilLost } = openWindow;
  const since = clockText(Date.parse(openWindow.start), month.timeZone).slice(11);
  const state = alreadyLost
    ? 'it is lost already'
    : `${plural(failuresUntilLost, 'more failure')} would lose it`;
  const now: Row = {
    label: 'now',
    text: `window of ${since}: ${count(failures)} of ${plural(attempts, 'attempt')} failed; ${state}`,
  };
  return [...foretold, alreadyLost ? { ...now, tone: 'bad' } : now];
}

function chance(probability: number): string {
  if (probability > 0 && probability < 0.01) return 'below 1 %';
  if (probability < 1 && probability > 0.99) return 'above 99 %';
  return `${Math.round(probability * 100)} %`;
}
