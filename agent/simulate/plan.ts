import type { Cause } from '../../sla/cause.ts';

/** Traffic to be made up: who calls how often, and what fails when. */
export interface SimulationPlan {
  readonly services: readonly string[];
  readonly regions: readonly string[];
  readonly platforms: readonly string[];
  /** `code` or `code/extraCode`; empty: some of the platform's own. */
  readonly codes: readonly string[];
  /** Attempts of each service in a second of simulated time, the mean over a day. */
  readonly ratePerSecond: number;
  /** How much the rate varies at random, 0 to 1. */
  readonly noise: number;
  /** Share of attempts that fail when nothing is wrong, 0 to 1. */
  readonly failureShare: number;
  readonly curve: 'flat' | 'daily';
  readonly incidents: readonly SimulatedIncident[];
  readonly seed: number;
}

/** In [fromMs, toMs) a share of the attempts fails, of one service, region or all. */
export interface SimulatedIncident {
  readonly fromMs: number;
  readonly toMs: number;
  readonly share: number;
  readonly service?: string;
  readonly region?: string;
  readonly code?: string;
  readonly cause?: Cause;
}

/** As an application would report it; `at` in epoch milliseconds. */
export interface SimulatedOutcome {
  readonly service: string;
  readonly at: number;
  readonly result: 'ok' | 'failed';
  readonly platform: string;
  readonly region: string;
  readonly code?: number;
  readonly extraCode?: number;
  readonly cause?: Cause;
  readonly count: number;
}

export const PLAN_DEFAULTS = {
  services: ['demo'],
  regions: ['ap-guangzhou', 'ap-singapore', 'eu-frankfurt'],
  platforms: ['web-v5', 'native'],
  codes: [],
  ratePerSecond: 10,
  noise: 0.1,
  failureShare: 0.001,
  curve: 'flat',
  incidents: [],
  seed: 1,
} as const satisfies SimulationPlan;
