import { AGENT_METRICS, type MetricSpec } from '../protocol/metrics.ts';

type AgentMetricName = keyof typeof AGENT_METRICS;
/** Label values of one counter that are kept; beyond it they are summed under `other`. */
const SERIES_MAX = 100;

/** There from the start: of a counter that appears with its first loss, Prometheus sees no increase. */
const LOSS_REASONS = [
  ...['spool-full', 'disk-full', 'spool-age', 'spool-damaged', 'spool-copied'],
  ...['rejected', 'not-retained'],
];

/** Values read when somebody asks. */
export type Gauges = Partial<Record<AgentMetricName, number>>;

/** The agent's own figures, as Prometheus text (exposition format 0.0.4). */
export class AgentMetrics {
  readonly #counters = new Map<AgentMetricName, Map<string, { n: number }>>();
  readonly #gauges: () => Gauges;
  readonly #version: string;

  constructor({ version, gauges }: { version: string; gauges: () => Gauges }) {
    this.#gauges = gauges;
    this.#version = version;
    for (const reason of LOSS_REASONS) this.count('outcomesLost', 0, reason);
  }

  /** @param label value of the counter's only label; '' for a counter without one */
  count(name: AgentMetricName, n = 1, label = ''): void {
    let series = this.#counters.get(name);
    const counter = series?.get(label);
    if (counter) {
      // As nearly always: once for each outcome of a stream.
      counter.n += n;
      return;
    }
    if (!series) {
      series = new Map();
      this.#counters.set(name, series);
    }
    const key = series.has(label) || series.size < SERIES_MAX ? label : 'other';
    const other = series.get(key);
    if (other) other.n += n;
    else series.set(key, { n });
  }

  /** What a counter stands at, all labels together. */
  total(name: AgentMetricName): number {
    return [...(this.#counters.get(name)?.values() ?? [])].reduce((sum, { n }) => sum + n, 0);
  }

  render(): string {
    const gauges = this.#gauges();
    return Object.entries(AGENT_METRICS)
      .map(([key, spec]) => {
        const name = key as AgentMetricName;
        if (name === 'buildInfo') return block(spec, [[this.#version, 1]]);
        if (spec.type === 'gauge') return block(spec, [['', gauges[name] ?? 0]]);
        const counters = [...(this.#counters.get(name) ?? [])];
        const series = counters.map(([label, { n }]) => [label, n] as const);
        return block(spec, series.length > 0 || spec.labels.length > 0 ? series : [['', 0]]);
      })
      .join('');
  }
}

function block(spec: MetricSpec, series: readonly (readonly [string, number])[]): string {
  const [label] = spec.labels;
  const lines = series.map(([value, n]) => {
    const labels = label === undefined ? '' : `{${label}="${escapeLabel(value)}"}`;
    return `${spec.name}${labels} ${n}\n`;
  });
  return `# HELP ${spec.name} ${spec.help}\n# TYPE ${spec.name} ${spec.type}\n${lines.join('')}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
