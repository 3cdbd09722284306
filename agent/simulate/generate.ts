import { MINUTE_MS } from '../../sla/facts.ts';
import { OUTCOME_LIMITS } from '../../sla/outcome.ts';
import type { SimulatedIncident, SimulatedOutcome, SimulationPlan } from './plan.ts';
import { seededRandom } from './random.ts';

/** Codes of room entries that fail for the provider's reasons, or for reasons nobody knows. */
const PLATFORM_CODES: Readonly<Record<string, readonly string[]>> = {
  'web-v5': ['5400/-10016', '5400/0', '5500'],
  'web-v4': ['16388', '16449'],
  native: ['-3301', '-3308'],
};

const DAY_MS = 86_400_000;
/** The quietest hour of the daily curve: 04:00 in UTC+8. */
const QUIET_MS = 20 * 3_600_000;
const DAILY_SWING = 0.7;

interface Stream {
  readonly service: string;
  readonly region: string;
  readonly platform: string;
  /** Parts of an attempt and of a failure carried over to the next span. */
  attempts: number;
  failures: number;
}

/**
 * Makes up the traffic of a plan, span by span. Fractions of attempts and failures are carried over instead of
 * drawn by lot, so that a share of 5 % is 5 % in every window, and a window that an incident covers is lost
 * for certain. Only the noise of the rate and the choice of codes come from the seed.
 */
export class Generator {
  readonly #plan: SimulationPlan;
  readonly #random: () => number;
  readonly #streams: Stream[];
  readonly #edgesMs: readonly number[];

  constructor(plan: SimulationPlan) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed);
    this.#edgesMs = plan.incidents.flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
    this.#streams = plan.services.flatMap((service) =>
      plan.regions.flatMap((region) =>
        plan.platforms.map((platform) => ({ service, region, platform, attempts: 0, failures: 0 })),
      ),
    );
  }

  /** The outcomes of [fromMs, toMs), in order of time; spans of at most a minute each. */
  *outcomes(fromMs: number, toMs: number): Iterable<SimulatedOutcome> {
    for (let startMs = fromMs; startMs < toMs; ) {
      const endMs = Math.min(toMs, nextEdge(startMs, this.#edgesMs));
      for (const stream of this.#streams) yield* this.#spanOf(stream, startMs, endMs);
      startMs = endMs;
    }
  }

  *#spanOf(stream: Stream, startMs: number, endMs: number): Iterable<SimulatedOutcome> {
    const { service, region, platform } = stream;
    const { ratePerSecond, regions, platforms, noise, curve, failureShare, incidents } = this.#plan;
    const rate = ratePerSecond / (regions.length * platforms.length);
    const swing = curve === 'daily' ? dailyFactor(startMs) : 1;
    const jitter = 1 + noise * (2 * this.#random() - 1);
    stream.attempts += ((endMs - startMs) / 1_000) * rate * swing * jitter;
    const attempts = Math.floor(stream.attempts);
    if (attempts === 0) return;
    stream.attempts -= attempts;

    const incident = incidents.find((one) => covers(one, stream, startMs));
    stream.failures += attempts * Math.max(incident?.share ?? 0, failureShare);
    const failures = Math.min(attempts, Math.floor(stream.failures + EPSILON));
    stream.failures = Math.max(0, stream.failures - failures);
    const common = { service, at: startMs, platform, region };
    yield* counted({ ...common, result: 'ok', count: attempts - failures });
    if (failures === 0) return;
    const code = readCode(incident?.code ?? this.#code(platform));
    const cause = incident?.cause === undefined ? {} : { cause: incident.cause };
    yield* counted({ ...common, ...code, ...cause, result: 'failed', count: failures });
  }

  #code(platform: string): string {
    const codes = this.#plan.codes.length > 0 ? this.#plan.codes : (PLATFORM_CODES[platform] ?? []);
    return codes[Math.floor(this.#random() * codes.length)] ?? '';
  }
}

/** What floating point takes away from a sum that should be whole. */
const EPSILON = 1e-9;

/** Splits a count that is more than one record may have. */
function* counted(outcome: SimulatedOutcome): Iterable<SimulatedOutcome> {
  for (let left = outcome.count; left > 0; left -= OUTCOME_LIMITS.count) {
    yield { ...outcome, count: Math.min(left, OUTCOME_LIMITS.count) };
  }
}

function covers(
  { fromMs, toMs, service, region }: SimulatedIncident,
  stream: Pick<Stream, 'service' | 'region'>,
  atMs: number,
): boolean {
  return (
    fromMs <= atMs &&
    atMs < toMs &&
    (service === undefined || service === stream.service) &&
    (region === undefined || region === stream.region)
  );
}

function nextEdge(atMs: number, edgesMs: readonly number[]): number {
  const minuteEnd = (Math.floor(atMs / MINUTE_MS) + 1) * MINUTE_MS;
  return edgesMs.reduce((next, edge) => (edge > atMs && edge < next ? edge : next), minuteEnd);
}

function dailyFactor(atMs: number): number {
  return 1 - DAILY_SWING * Math.cos((2 * Math.PI * (atMs - QUIET_MS)) / DAY_MS);
}

function readCode(text: string): Pick<SimulatedOutcome, 'code' | 'extraCode'> {
  if (text === '') return {};
  const [code, extraCode] = text.split('/').map(Number);
  return extraCode === undefined ? { code: code! } : { code: code!, extraCode };
}
