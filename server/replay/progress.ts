/** What a progress line shows; pure, so that a test can read it. */
export interface Progress {
  readonly readBytes: number;
  /** Undefined when an input's size is not known. */
  readonly totalBytes: number | undefined;
  readonly lines: number;
  readonly elapsedMs: number;
}

const BAR_CELLS = 24;
/** Columns below which the bar is left out. */
const BAR_COLUMNS = 72;
/** Before this much time an estimate says nothing. */
const ESTIMATE_AFTER_MS = 1_000;

/** One line of at most `columns - 1` characters, as the last column would make some terminals wrap. */
export function progressLine(progress: Progress, columns: number): string {
  const { readBytes, totalBytes, lines, elapsedMs } = progress;
  const seconds = Math.max(elapsedMs, 1) / 1_000;
  const rate = `${compact(lines / seconds)} lines/s`;
  const parts: string[] = [];
  if (totalBytes === undefined) {
    parts.push(`${bytesText(readBytes)} read`, `${compact(lines)} lines`, rate);
  } else {
    const share = Math.min(1, readBytes / totalBytes);
    const full = Math.floor(share * BAR_CELLS);
    if (columns >= BAR_COLUMNS) parts.push(`[${'#'.repeat(full)}${'-'.repeat(BAR_CELLS - full)}]`);
    parts.push(`${Math.floor(share * 100)} %`, `of ${bytesText(totalBytes)}`, rate);
    if (share > 0 && elapsedMs >= ESTIMATE_AFTER_MS) {
      parts.push(`${durationText((elapsedMs * (1 - share)) / share)} left`);
    }
  }
  return parts.join('  ').slice(0, Math.max(0, columns - 1));
}

function compact(value: number): string {
  if (value < 1_000) return `${Math.round(value)}`;
  const [scaled, unit] = value < 1_000_000 ? [value / 1_000, 'k'] : [value / 1_000_000, 'M'];
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)}${unit}`;
}

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const scaled = bytes / 1024 ** power;
  return `${power === 0 || scaled >= 10 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power]}`;
}

function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  const pad = (value: number) => `${value}`.padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}
