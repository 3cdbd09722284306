import { setTimeout as sleep } from 'node:timers/promises';
import { MINUTE_MS } from '../../sla/facts.ts';
import { Generator } from './generate.ts';
import type { SimulatedOutcome, SimulationPlan } from './plan.ts';

export interface SimulationRun {
  readonly plan: SimulationPlan;
  readonly fromMs: number;
  /** null = for ever. */
  readonly toMs: number | null;
  /** How far the simulation may go now. */
  readonly dueMs: () => number;
  /** Told how far it has come, before the outcomes of that instant. */
  readonly onAdvance?: (atMs: number) => void;
  readonly sink: SimulationSink;
  /** Aborted to stop. */
  readonly signal: AbortSignal;
}

/** Where outcomes go: an agent's receiver, or a file. */
export interface SimulationSink {
  take(outcome: SimulatedOutcome): void;
  /** Called at the end of each simulated minute with the services that nobody called in it. */
  minuteEnded(silent: readonly string[]): Promise<void>;
  /** Called now and then: waits until there is room for more. */
  settle(): Promise<void>;
}

export interface SimulationResult {
  readonly outcomes: number;
  readonly failed: number;
  readonly atMs: number;
}

/** Between two steps of a paced simulation. */
const STEP_MS = 100;
/** Simulated minutes after which a fast simulation waits for its sink. */
const SETTLE_MINUTES = 60;

/** Runs a simulation to its end or until it is stopped. */
export async function simulate(run: SimulationRun): Promise<SimulationResult> {
  const { plan, sink, signal } = run;
  const generator = new Generator(plan);
  const silent = new Set(plan.services);
  let outcomes = 0;
  let failed = 0;
  let atMs = run.fromMs;
  while (!signal.aborted && (run.toMs === null || atMs < run.toMs)) {
    const dueMs = Math.min(run.dueMs(), run.toMs ?? Number.POSITIVE_INFINITY);
    for (let minutes = 0; atMs < dueMs && minutes < SETTLE_MINUTES && !signal.aborted; minutes++) {
      const minuteEndMs = (Math.floor(atMs / MINUTE_MS) + 1) * MINUTE_MS;
      const endMs = Math.min(dueMs, minuteEndMs);
      run.onAdvance?.(atMs);
      for (const outcome of generator.outcomes(atMs, endMs)) {
        outcomes += outcome.count;
        if (outcome.result === 'failed') failed += outcome.count;
        silent.delete(outcome.service);
        sink.take(outcome);
      }
      atMs = endMs;
      if (endMs < minuteEndMs) continue;
      await sink.minuteEnded([...silent]);
      for (const service of plan.services) silent.add(service);
    }
    await sink.settle();
    if (atMs >= dueMs && (run.toMs === null || atMs < run.toMs)) {
      await sleep(STEP_MS, undefined, { signal }).catch(() => {});
    }
  }
  return { outcomes, failed, atMs };
}
