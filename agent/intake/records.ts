/** What a request's body holds. */
export type Records =
  /** Values of a JSON array, or one value. */
  | { readonly kind: 'values'; readonly values: readonly unknown[] }
  /** Lines of NDJSON, blank ones left out. */
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'fault'; readonly message: string };

/**
 * Reads a body as one object, an array or NDJSON. The content type says which when it names NDJSON; otherwise
 * the text is tried as JSON and, if that fails and there are several lines, taken as NDJSON: libraries and
 * browsers' beacons rarely let their users choose the type.
 */
export function readRecords(text: string, isNdjson: boolean): Records {
  if (isNdjson) return { kind: 'lines', lines: linesOf(text) };
  try {
    const value: unknown = JSON.parse(text);
    return { kind: 'values', values: Array.isArray(value) ? value : [value] };
  } catch (error) {
    const lines = linesOf(text);
    if (lines.length > 1 && lines[0]?.trimStart().startsWith('{')) return { kind: 'lines', lines };
    const message = `the body is not JSON (${(error as Error).message}); send one object, an array, or one object a line`;
    return { kind: 'fault', message };
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
