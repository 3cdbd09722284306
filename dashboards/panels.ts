import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/**
 * The house style: what every panel of every dashboard has in common. Blue for what holds, orange for what
 * comes near, vermilion for what is lost: three colours that people with any kind of colour blindness tell apart.
 */
export const COLOUR = { good: '#4C8FD6', near: '#E69F00', lost: '#D55E00', quiet: '#8A8F98' } as const;

/** Full width of a dashboard, in Grafana's grid. */
export const FULL_WIDTH = 24;

export const DATASOURCE: common.DataSourceRef = { type: 'prometheus', uid: '$datasource' };

/** Windows of a 31-day month: with fewer data points Grafana would widen the step and skip windows. */
const WINDOWS_MAX = 8928;

export interface Panel {
  readonly title: string;
  /** One sentence: what the numbers say and what they do not. */
  readonly about: string;
  /** Grid columns of FULL_WIDTH. */
  readonly width: number;
  readonly height: number;
  readonly unit?: string;
  readonly decimals?: number;
  /** Shown instead of the number when there is none; says what to do. */
  readonly empty?: string;
  readonly steps?: readonly Step[];
  readonly queries: readonly Query[];
}

export interface Query {
  readonly expr: string;
  /** Legend; `{{label}}` is replaced by the label's value. */
  readonly legend?: string;
}

/** From `from` upwards the colour holds; the first step has `from: null`. */
export interface Step {
  readonly from: number | null;
  readonly colour: string;
}

export const PLAIN: readonly Step[] = [{ from: null, colour: COLOUR.good }];
/** One is too many. Prometheus extrapolates growth, so a single event may read as less than one. */
export const NONE_EXPECTED: readonly Step[] = [
  { from: null, colour: COLOUR.good },
  { from: 0.001, colour: COLOUR.lost },
];

/** At nought the next lost window misses the line; the alerts begin at two. */
export const WINDOWS_LEFT: readonly Step[] = [
  { from: null, colour: COLOUR.lost },
  { from: 1, colour: COLOUR.near },
  { from: 3, colour: COLOUR.good },
];

/** The target of clause 2.2. */
export const TARGET: readonly Step[] = [
  { from: null, colour: COLOUR.lost },
  { from: 0.999, colour: COLOUR.good },
];

const EMPTY = 'no data yet';

/** One number, or a few side by side, as of now. */
export function stat(panel: Panel): StatBuilder {
  const builder = new StatBuilder()
    .colorMode(common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.None)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  panel.queries.forEach((query, index) => {
    builder.withTarget(target(query, index).instant());
  });
  return dress(builder, panel);
}

/** Numbers over time. */
export function graph(panel: Panel): TimeseriesBuilder {
  const builder = new TimeseriesBuilder()
    .lineWidth(2)
    .fillOpacity(8)
    .showPoints(common.VisibilityMode.Never)
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassicByName))
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    );
  panel.queries.forEach((query, index) => {
    builder.withTarget(target(query, index).range());
  });
  return dress(builder, panel);
}

/** A graph of the usual height, for the rows of many. */
export function lines(
  title: string,
  about: string,
  width: number,
  rest: Pick<Panel, 'queries' | 'unit' | 'empty'>,
): TimeseriesBuilder {
  return graph({ title, about, width, height: 7, ...rest });
}

/** Rows as of now; `columns` joins the queries on a label they have in common. */
export function table(panel: Panel): TableBuilder {
  const builder = new TableBuilder().cellHeight(common.TableCellHeight.Sm).showHeader(true);
  panel.queries.forEach((query, index) => {
    builder.withTarget(target(query, index).instant().format(PromQueryFormat.Table));
  });
  return dress(builder, panel);
}

/** A row for each step of five minutes in which the one query has a value: the grid of clause 1.5. */
export function windowsTable(panel: Panel): TableBuilder {
  const builder = new TableBuilder()
    .cellHeight(common.TableCellHeight.Sm)
    .showHeader(true)
    .interval('5m')
    .maxDataPoints(WINDOWS_MAX);
  panel.queries.forEach((query, index) => {
    builder.withTarget(target(query, index).range().format(PromQueryFormat.Table));
  });
  return dress(builder, panel);
}

/** A dashed line across a graph at each threshold. */
export function dashedThresholds(): common.GraphThresholdsStyleConfigBuilder {
  return new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed);
}

/** Areas that add up to the whole. */
export function stacked(): common.StackingConfigBuilder {
  return new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A');
}

/**
 * Turns the answers of a table's queries into columns.
 * @param names  column titles in the order of the queries; a label's column keeps its place before them
 */
export function columns(key: string, names: readonly string[]): dashboard.DataTransformerConfig[] {
  const values = names.map((name, index) => [`Value #${refId(index)}`, name] as const);
  return [
    { id: 'joinByField', options: { byField: key, mode: 'outer' } },
    { id: 'filterFieldsByName', options: { include: { names: [key, ...values.map(([field]) => field)] } } },
    {
      id: 'organize',
      options: {
        indexByName: Object.fromEntries(
          [key, ...values.map(([field]) => field)].map((field, i) => [field, i]),
        ),
        renameByName: Object.fromEntries(values),
      },
    },
  ];
}

function thresholds(steps: readonly Step[]): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(steps.map(({ from, colour }) => ({ value: from, color: colour })));
}

/** Thresholds of one column or series. */
export function itsThresholds(steps: readonly Step[]): dashboard.DynamicConfigValue {
  return { id: 'thresholds', value: thresholds(steps).build() };
}

/** One colour for one series, whatever its value. */
export function always(colour: string): dashboard.DynamicConfigValue {
  return { id: 'color', value: { mode: dashboard.FieldColorModeId.Fixed, fixedColor: colour } };
}

/** A line that is drawn in dashes: a bound or an expectation, not a measurement. */
export function dashed(): dashboard.DynamicConfigValue {
  return { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } };
}

/** Letters as Grafana gives them to queries: A, B, C... */
function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  const builder = new DataqueryBuilder().refId(refId(index)).expr(expr).datasource(DATASOURCE);
  return legend === undefined ? builder : builder.legendFormat(legend);
}

function dress<B extends StatBuilder | TimeseriesBuilder | TableBuilder>(builder: B, panel: Panel): B {
  builder
    .title(panel.title)
    .description(panel.about)
    .datasource(DATASOURCE)
    .span(panel.width)
    .height(panel.height)
    .noValue(panel.empty ?? EMPTY)
    .thresholds(thresholds(panel.steps ?? PLAIN));
  if (panel.unit !== undefined) builder.unit(panel.unit);
  if (panel.decimals !== undefined) builder.decimals(panel.decimals);
  return builder;
}
