import type { MetricSpec } from '../protocol/metrics.ts';

/** A label must equal a text, or match an anchored regular expression. */
export type Match<S extends MetricSpec> = Partial<Record<S['labels'][number], string | RegExp>>;

/** The service chosen at the top of a dashboard; Grafana puts the name in. */
export const CHOSEN_SERVICE = { service: '$service' } as const;

/**
 * A PromQL selector for a metric of the protocol, so that a renamed metric or label breaks the build.
 * @param match  text is compared as it is and may name a dashboard variable; a RegExp is anchored by PromQL
 */
export function select<S extends MetricSpec>(spec: S, match: Match<S> = {}): string {
  return spec.name + braces(match);
}

/** @param spec  a histogram */
export function quantile(q: number, spec: MetricSpec): string {
  return `histogram_quantile(${q}, sum by (le) (rate(${spec.name}_bucket[$__rate_interval])))`;
}

/**
 * A gauge that every daemon of a deployment derives from the same books: any one of them is right, so take
 * one per service instead of adding them up.
 */
export function gauge<S extends MetricSpec>(
  spec: S,
  match: Match<S> = {},
  by: readonly string[] = ['service'],
) {
  return `max by (${by.join(', ')}) (${select(spec, match)})`;
}

/** A counter's rate per second; each daemon counts its own part, so the parts are added. */
export function rate<S extends MetricSpec>(
  spec: S,
  match: Match<S> = {},
  by: readonly string[] = [],
): string {
  const added = by.length > 0 ? `sum by (${by.join(', ')})` : 'sum';
  return `${added} (rate(${select(spec, match)}[$__rate_interval]))`;
}

/** A counter's growth over the time shown; 0 rather than nothing when it has no series yet. */
export function growth<S extends MetricSpec>(spec: S, match: Match<S> = {}): string {
  return `sum (increase(${select(spec, match)}[$__range])) or vector(0)`;
}

/**
 * An availability cut to three decimals of a percent, as everywhere else: nine lost windows in a 31-day month
 * are 99.899 %, and rounding would call that a kept promise. The millionth absorbs binary noise only: two
 * availabilities of one month differ by more than a ten-thousandth of the last decimal.
 */
export function truncated(availability: string): string {
  return `floor(${availability} * 1e5 + 1e-6) / 1e5`;
}

function braces(match: Readonly<Record<string, string | RegExp | undefined>>): string {
  const matchers = Object.entries(match).map(([label, value]) =>
    value instanceof RegExp ? `${label}=~"${value.source}"` : `${label}="${value}"`,
  );
  return matchers.length > 0 ? `{${matchers.join(', ')}}` : '';
}
