import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';

/** Every panel of a dashboard, rows too. */
export function panels(board: Dashboard): Panel[] {
  return (board.panels ?? []).flatMap((panel) => [panel as Panel, ...((panel as RowPanel).panels ?? [])]);
}

/** The queries of a panel, as written. */
export function expressions(panel: Panel): string[] {
  return (panel.targets ?? []).flatMap((target) => {
    const { expr } = target as { expr?: string };
    return expr === undefined ? [] : [expr];
  });
}

/**
 * An expression with the dashboard's variables filled in as Grafana would.
 * @throws when a variable is left over: the dashboard uses one that nobody defines
 */
export function filledIn(expression: string, values: Readonly<Record<string, string>>): string {
  return expression.replace(/\$\{?(\w+)\}?/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${whole} in ${expression} has no value`);
    return value;
  });
}
