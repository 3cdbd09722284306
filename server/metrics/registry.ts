import type { MetricSpec } from '../../protocol/metrics.ts';

/**
 * The families of a process and their Prometheus text.
 *
 * prom-client renders a thousand services (80,000 series) in about 200 ms, during which nothing is
 * ingested. Here a series keeps its rendered prefix, and a page of series keeps its rendered text until one of
 * them changes; `render` yields page by page, so that a scrape never holds the event loop.
 *
 * A removed series leaves its slot behind and takes it up again when it returns: one scrape, read in several
 * turns of the event loop, never shows a series twice. Callers bound their label values (see caps.ts).
 */

/** Label values by name, exactly the labels of the metric's specification. */
export type LabelsOf<S extends MetricSpec> = Readonly<Record<S['labels'][number], string>>;

/** What can be rendered: its text is complete lines, in pieces. */
export interface Family {
  readonly spec: MetricSpec;
  pages(): Iterable<string>;
}

export type ExpositionFormat = 'text' | 'openmetrics';

const SERIES_PER_PAGE = 128;

interface Series {
  readonly prefix: string;
  readonly page: Page;
  /** undefined: removed, its slot waits for it. */
  value: number | undefined;
}

class Page {
  readonly series: Series[] = [];
  private text: string | null = null;

  invalidate(): void {
    this.text = null;
  }

  render(): string {
    if (this.text === null) {
      let text = '';
      for (const { prefix, value } of this.series) {
        if (value !== undefined) text += `${prefix} ${formatNumber(value)}\n`;
      }
      this.text = text;
    }
    return this.text;
  }
}

/** Counters and gauges: one number per set of label values. */
class NumberFamily<S extends MetricSpec> implements Family {
  readonly spec: S;
  private readonly bySignature = new Map<string, Series>();
  private readonly allPages: Page[] = [];

  constructor(spec: S) {
    this.spec = spec;
  }

  *pages(): Iterable<string> {
    for (const page of this.allPages) yield page.render();
  }

  /** @returns undefined when there is no such series */
  value(labels: LabelsOf<S>): number | undefined {
    return this.bySignature.get(this.signature(labels))?.value;
  }

  remove(labels: LabelsOf<S>): void {
    const series = this.bySignature.get(this.signature(labels));
    if (series) this.write(series, undefined);
  }

  protected series(labels: LabelsOf<S>): Series {
    const signature = this.signature(labels);
    const known = this.bySignature.get(signature);
    if (known) return known;
    let page = this.allPages.at(-1);
    if (!page || page.series.length === SERIES_PER_PAGE) {
      page = new Page();
      this.allPages.push(page);
    }
    const series: Series = { prefix: this.prefix(labels), page, value: undefined };
    page.series.push(series);
    this.bySignature.set(signature, series);
    return series;
  }

  protected write(series: Series, value: number | undefined): void {
    if (Object.is(series.value, value)) return;
    series.value = value;
    series.page.invalidate();
  }

  private signature(labels: LabelsOf<S>): string {
    const names = this.spec.labels as readonly (keyof LabelsOf<S>)[];
    let signature = '';
    // The length before each value keeps ('a', 'bc') and ('ab', 'c') apart, whatever the values contain.
    for (const name of names) signature += `${labels[name].length}:${labels[name]}`;
    return signature;
  }

  private prefix(labels: LabelsOf<S>): string {
    const names = this.spec.labels as readonly (keyof LabelsOf<S> & string)[];
    if (names.length === 0) return this.spec.name;
    return `${this.spec.name}{${names.map((name) => `${name}="${escapeLabel(labels[name])}"`).join(',')}}`;
  }
}

export class Gauge<S extends MetricSpec = MetricSpec> extends NumberFamily<S> {
  set(labels: LabelsOf<S>, value: number): void {
    this.write(this.series(labels), value);
  }
}

export class Counter<S extends MetricSpec = MetricSpec> extends NumberFamily<S> {
  /**
   * @param by non-negative; 0 makes the series known, which lets `rate` see its first step
   * @returns whether it was not known before
   */
  add(labels: LabelsOf<S>, by = 1): boolean {
    if (!(by >= 0)) throw new RangeError(`${this.spec.name} cannot grow by ${by}`);
    const series = this.series(labels);
    const isNew = series.value === undefined;
    this.write(series, (series.value ?? 0) + by);
    return isNew;
  }
}

/** A histogram without labels; buckets are upper bounds in base units, ascending, +Inf implied. */
export class Histogram implements Family {
  readonly spec: MetricSpec;
  private readonly bounds: readonly number[];
  private readonly counts: number[];
  private sum = 0;

  constructor(spec: MetricSpec & { readonly labels: readonly [] }, bounds: readonly number[]) {
    this.spec = spec;
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** @param times how many equal observations this stands for */
  observe(value: number, times = 1): void {
    const index = this.bounds.findIndex((bound) => value <= bound);
    const bucket = index === -1 ? this.bounds.length : index;
    this.counts[bucket] = this.counts[bucket]! + times;
    this.sum += value * times;
  }

  *pages(): Iterable<string> {
    const { name } = this.spec;
    let cumulative = 0;
    let text = '';
    for (const [index, bound] of [...this.bounds, Number.POSITIVE_INFINITY].entries()) {
      cumulative += this.counts[index]!;
      text += `${name}_bucket{le="${formatNumber(bound)}"} ${cumulative}\n`;
    }
    yield `${text}${name}_sum ${formatNumber(this.sum)}\n${name}_count ${cumulative}\n`;
  }
}

/** The exposition of some families, in pieces that each take well under a millisecond. */
export function* render(families: Iterable<Family>, format: ExpositionFormat): Iterable<string> {
  for (const family of families) {
    yield header(family.spec, format);
    yield* family.pages();
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

function header({ name, type, help }: MetricSpec, format: ExpositionFormat): string {
  // OpenMetrics names a counter's family without its suffix, and escapes quotes in help.
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  const escaped = help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
  const text = format === 'openmetrics' ? escaped.replace(/"/g, '\\"') : escaped;
  return `# HELP ${family} ${text}\n# TYPE ${family} ${type}\n`;
}

export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

export function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}
