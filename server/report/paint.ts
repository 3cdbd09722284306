/** What a stretch of a report says; how it is coloured is decided here alone. */
export type Tone = 'bad' | 'warn' | 'good' | 'left-out' | 'faint' | 'strong';

const CODES: Readonly<Record<Tone, string>> = {
  bad: '1;31',
  warn: '33',
  good: '32',
  'left-out': '36',
  faint: '2',
  strong: '1',
};

export type Paint = (tone: Tone, text: string) => string;

/** Colours text with ANSI sequences, or leaves it alone. Lay out first, as the sequences take no columns. */
export function painter(isColoured: boolean): Paint {
  return isColoured ? (tone, text) => `\x1b[${CODES[tone]}m${text}\x1b[0m` : (_tone, text) => text;
}

/**
 * Breaks a text at blanks into lines of at most `columns`; a longer word stands alone.
 * @param indent  put before every line but the first
 */
export function paragraph(text: string, columns: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** A label to the right, and beside it a text that may take several lines. */
export interface Row {
  readonly label: string;
  readonly text: string;
  readonly tone?: Tone;
}

export function rows(
  list: readonly Row[],
  { columns, paint }: { readonly columns: number; readonly paint: Paint },
): string[] {
  const width = Math.max(0, ...list.map(({ label }) => label.length));
  return list.flatMap(({ label, text, tone }) =>
    paragraph(text, columns - width - 2).map((line, index) => {
      const shown = tone === undefined ? line : paint(tone, line);
      return `${index === 0 ? paint('strong', label.padStart(width)) : ' '.repeat(width)}  ${shown}`;
    }),
  );
}

/** The first column to the left and the others to the right, each as wide as its widest cell. */
export function table(cells: readonly (readonly string[])[]): string[] {
  const heads = cells[0] ?? [];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
