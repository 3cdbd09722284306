import { cpus } from 'node:os';

/** Fewer and shorter cycles, to see that a benchmark runs; its figures are no evidence. */
export const isQuick = process.argv.includes('--quick');

/** How often the sides take turns, and how long each turn is. */
export const CYCLES = isQuick ? 2 : 7;
export const TURN_MS = isQuick ? 700 : 2_000;

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { median, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** `1,234 [1,100-1,300]`, or with decimals below 100. */
export function show({ median, least, most }: Spread): string {
  return `${number(median)} [${number(least)}-${number(most)}]`;
}

export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  for (const row of rows) {
    console.log(
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Ratios are taken within a cycle: absolute figures drift with whatever else the machine does. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(ours.map((value, cycle) => value / (theirs[cycle] ?? Number.NaN)));
}

export function printMachine(): void {
  console.log(
    `${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}; median [range] of ${CYCLES} cycles`,
  );
}
