import { readCallbacks } from './callbacks.ts';
import type { Exclusion } from './exclusion.ts';
import type { MinuteFacts } from './facts.ts';
import { figuresOf } from './figures.ts';
import { type Prior, project, type Transitions } from './forecast.ts';
import { judgeMonth, type MonthInput } from './judge-month.ts';
import type { ServiceMonth } from './month.ts';
import { countSpan, readOpenWindow } from './open-window.ts';
import type { Reading } from './reading.ts';
import type { Terms } from './terms.ts';

export interface ReadInput {
  readonly service: string;
  readonly month: ServiceMonth;
  /** May cover more or less than the month; what is missing is zero. */
  readonly facts: MinuteFacts;
  readonly terms: Terms;
  /** Those of other services are passed over. */
  readonly exclusions: readonly Exclusion[];
  /** The instant of the reading; minutes that begin later are not looked at. */
  readonly nowMs: number;
  /** Of the service's earlier months, for the forecast. */
  readonly history?: Transitions;
  /** For the forecast of a service without history; DEFAULT_PRIOR when left out. */
  readonly prior?: Prior;
}

/** Minutes of the trailing figure, the current one included. */
export const ROLLING_MINUTES = 5;

/**
 * The reading of a service month at an instant: the one function behind the daemon, the replay of a file, the
 * explanation of a window, the statement and the tests.
 *
 * A window counts once it has ended. The one in progress is `remaining`, however many failures it already has,
 * as later successes may still save it: `openWindow.alreadyLost` tells, and the projection takes it as lost.
 */
export function read(input: ReadInput): Reading {
  const { service, history, prior, nowMs } = input;
  const monthInput: MonthInput = {
    ...input,
    exclusions: input.exclusions.filter((exclusion) => exclusion.service === service),
  };
  const verdicts = judgeMonth(monthInput);
  const figures = figuresOf(verdicts);
  const openWindow = readOpenWindow(monthInput);
  const minuteNow = Math.floor(nowMs / 60_000);
  const rolling = countSpan(monthInput, minuteNow - ROLLING_MINUTES + 1, minuteNow + 1);
  const { lost } = figures.budget;
  const callbacks = readCallbacks(input);
  return {
    service,
    ...figures,
    projection: project({ verdicts, lost, lines: figures.lines, openWindow, history, prior }),
    openWindow,
    rolling: { attempts: rolling.attempts, failures: rolling.failures },
    ...(callbacks && { callbacks }),
  };
}
