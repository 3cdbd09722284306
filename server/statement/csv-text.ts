/** CSV as RFC 4180 has it, with cells that no spreadsheet takes for a formula. */

const LINE_END = '\r\n';
/**
 * What a spreadsheet may take for the beginning of a formula, also in the full-width forms that East Asian
 * versions accept. The apostrophe, which makes the rest text, is among them so that it can be taken off again.
 */
const RISKY = /^[=+\-@\t\r\n'\uFF1D\uFF0B\uFF0D\uFF20]/;
const NEEDS_QUOTES = /[",\r\n]/;

export function csvLine(cells: readonly (string | number | boolean)[]): string {
  return `${cells.map((cell) => quoted(guarded(String(cell)))).join(',')}${LINE_END}`;
}

function guarded(text: string): string {
  return RISKY.test(text) ? `'${text}` : text;
}

function unguarded(text: string): string {
  return text.startsWith("'") && RISKY.test(text.slice(1)) ? text.slice(1) : text;
}

function quoted(text: string): string {
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Lines of cells, with the guards taken off. Takes LF for CR LF, as programs that copy text change it.
 * @returns undefined when a quotation mark is out of place
 */
export function parseCsv(text: string): string[][] | undefined {
  const lines: string[][] = [];
  let cells: string[] = [];
  let at = 0;
  while (at < text.length) {
    const cell = text[at] === '"' ? quotedCell(text, at) : plainCell(text, at);
    if (cell === undefined) return undefined;
    cells.push(unguarded(cell.value));
    at = cell.end;
    if (text[at] === ',') {
      at += 1;
      // A comma at the very end has an empty cell behind it.
      if (at < text.length) continue;
      cells.push('');
    } else if (text.startsWith(LINE_END, at)) {
      at += LINE_END.length;
    } else if (text[at] === '\n') {
      at += 1;
    } else if (at < text.length) {
      return undefined;
    }
    lines.push(cells);
    cells = [];
  }
  return lines;
}

interface Cell {
  readonly value: string;
  readonly end: number;
}

const PLAIN = /[^",\r\n]*/y;

function plainCell(text: string, at: number): Cell {
  PLAIN.lastIndex = at;
  const value = PLAIN.exec(text)?.[0] ?? '';
  return { value, end: at + value.length };
}

function quotedCell(text: string, at: number): Cell | undefined {
  let value = '';
  let from = at + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return undefined;
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    from = quote + 2;
  }
}
