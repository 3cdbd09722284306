import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricType } from '../../protocol/metrics.ts';
import { escapeLabel, type Family, formatNumber } from './registry.ts';

/**
 * What prom-client knows of the process: CPU, memory, event-loop lag, garbage collection. It measures; the
 * text is ours, so that one renderer writes the whole exposition.
 *
 * One collector for the process, however many daemons a test boots in it: its observers cannot be stopped.
 */
let collector: Registry | undefined;

const TYPES: readonly string[] = ['counter', 'gauge', 'histogram'];

export async function runtimeFamilies(): Promise<Family[]> {
  if (!collector) {
    collector = new Registry();
    collectDefaultMetrics({ register: collector });
  }
  const metrics = await collector.getMetricsAsJSON();
  return (
    metrics
      // Three gauges of prom-client's bear a counter's suffix, which `promtool check metrics` refuses.
      .filter(({ name, type }) => TYPES.includes(String(type)) && !(isGauge(type) && name.endsWith('_total')))
      .map(({ name, help, type, values }) => ({
        spec: { name, help, type: String(type) as MetricType, labels: [] },
        pages: () => [values.map((value) => line(name, value)).join('')],
      }))
  );
}

function isGauge(type: unknown): boolean {
  return String(type) === 'gauge';
}

interface Value {
  readonly value: number;
  readonly labels: Partial<Record<string, string | number>>;
  /** Of a histogram: with its suffix. */
  readonly metricName?: string;
}

function line(name: string, { value, labels, metricName }: Value): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${metricName ?? name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${formatNumber(value)}\n`;
}
