import type { Cell } from '../protocol/frame.ts';
import { type CauseLookup, causeOf, codeLabel } from '../sla/causes.ts';
import type { Outcome } from '../sla/outcome.ts';

/** An outcome's labels in a cell. */
export type OutcomeLabels = Omit<Cell, 'minute' | 'n'>;

export function outcomeLabels(outcome: Outcome, lookup: CauseLookup): OutcomeLabels {
  const { service, region, platform, result } = outcome;
  const cause = result === 'ok' ? '' : causeOf(outcome, lookup);
  return { service, region, platform, result, cause, code: codeLabel(outcome) };
}
