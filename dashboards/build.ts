import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { fleet } from './fleet.ts';
import { health } from './health.ts';
import { month } from './month.ts';

/** Every dashboard by the name of its file in `generated/`. */
export function dashboards(): Readonly<Record<string, Dashboard>> {
  return Object.fromEntries(
    Object.entries({ month, health, fleet }).map(([name, build]) => [name, numbered(build().build())]),
  );
}

/** Grafana wants every panel, rows too, to have a number of its own. */
function numbered(board: Dashboard): Dashboard {
  board.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return board;
}

/** The text of a dashboard's file. */
export function rendered(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

/** Writes `generated/*.json`. Usage: node dist/dashboards/build.js [FOLDER], from the top of the checkout. */
function main(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, dashboard] of Object.entries(dashboards())) {
    writeFileSync(join(folder, `${name}.json`), rendered(dashboard));
  }
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  main(process.argv[2] ?? join('dashboards', 'generated'));
}
