import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '../protocol/metrics.ts';
import { board, UID } from './board.ts';
import { agents } from './health-agents.ts';
import { counting, telling, watching } from './health-daemon.ts';
import { COLOUR, FULL_WIDTH, NONE_EXPECTED, type Panel, type Step, stat } from './panels.ts';
import { growth, select } from './query.ts';

const SIXTH = FULL_WIDTH / 6;

/** The evaluation runs every few seconds; half a minute without one is a daemon in trouble. */
const FRESH_SECONDS: readonly Step[] = [
  { from: null, colour: COLOUR.good },
  { from: 30, colour: COLOUR.near },
  { from: 120, colour: COLOUR.lost },
];
const IS_UP: readonly Step[] = [
  { from: null, colour: COLOUR.lost },
  { from: 1, colour: COLOUR.good },
];

/** Can the numbers be trusted? Agents, coverage, delays, the store, the outbox, and everything that was lost. */
export function health(): dashboard.DashboardBuilder {
  const builder = board({
    uid: UID.health,
    title: 'roomwatch / Health',
    about: 'Can the numbers be trusted? What watches, how late it counts, and what was lost on the way.',
    from: 'now-3h',
    to: 'now',
    refresh: '30s',
  });
  atAGlance(builder);
  watching(builder);
  counting(builder);
  telling(builder);
  agents(builder);
  return builder;
}

function atAGlance(builder: dashboard.DashboardBuilder): void {
  const one = (panel: Pick<Panel, 'title' | 'about' | 'steps' | 'unit' | 'empty'>, expr: string) =>
    stat({ ...panel, width: SIXTH, height: 4, decimals: 0, queries: [{ expr }] });
  builder
    .withPanel(
      one(
        { title: 'Store', about: '1 while the store answers.', steps: IS_UP },
        `min(${select(METRICS.storeUp)})`,
      ).mappings([
        {
          type: dashboard.MappingType.ValueToText,
          options: { '0': { text: 'down', index: 0 }, '1': { text: 'up', index: 1 } },
        },
      ]),
    )
    .withPanel(
      one(
        { title: 'Agents', about: 'Connections of agents, over all services.', steps: IS_UP, empty: 'none' },
        `sum(${select(METRICS.agentsConnected)})`,
      ),
    )
    .withPanel(
      one(
        {
          title: 'Last evaluation',
          about: 'Age of the numbers on every screen.',
          unit: 's',
          steps: FRESH_SECONDS,
        },
        `time() - max(${select(METRICS.evaluationTimestampSeconds)})`,
      ),
    )
    .withPanel(
      one(
        {
          title: 'Oldest undelivered message',
          about: 'Age of the oldest notification that no receiver took yet.',
          unit: 's',
          steps: FRESH_SECONDS,
        },
        `max(${select(METRICS.outboxOldestAgeSeconds)})`,
      ),
    )
    .withPanel(
      one(
        {
          title: 'Outcomes lost',
          about: 'Given up on the way, in the time shown. Should be none.',
          steps: NONE_EXPECTED,
        },
        growth(METRICS.outcomesLost),
      ),
    )
    .withPanel(
      one(
        {
          title: 'Counters at their ceiling',
          about: 'Minutes whose count no longer fits: reports with absurd counts.',
          steps: NONE_EXPECTED,
        },
        growth(METRICS.counterSaturations),
      ),
    );
}
