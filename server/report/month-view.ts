import type { MonthFigures } from '../../sla/figures.ts';
import type { MonthVerdicts } from '../../sla/judge-month.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import type { Terms } from '../../sla/terms.ts';
import { rowOf, type WindowRow } from '../../sla/window-row.ts';

/** A month as reports show it, whether it was just judged or comes out of a statement. */
export interface MonthView {
  readonly service: string;
  readonly month: ServiceMonth;
  readonly terms: Terms;
  readonly figures: MonthFigures;
  /** One a window. */
  readonly rows: readonly WindowRow[];
}

export function viewOf(service: string, verdicts: MonthVerdicts, figures: MonthFigures): MonthView {
  const { month, terms } = verdicts;
  const rows = Array.from({ length: month.windows }, (_, window) => rowOf(verdicts, window));
  return { service, month, terms, figures, rows };
}
