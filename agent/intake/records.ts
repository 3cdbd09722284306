import { isUtf8 } from 'node:buffer';
import { lineText, markBytes, NOT_UTF8 } from './line-splitter.ts';

/** What a request's body holds. */
export type Records =
  /** Values of a JSON array, or one value; `NOT_UTF8` for one that is not. */
  | { readonly kind: 'values'; readonly values: readonly unknown[] }
  /** Lines of NDJSON, blank ones left out; `NOT_UTF8` for one that is not. */
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'fault'; readonly message: string };

/**
 * Reads a body as one object, an array or NDJSON. The content type says which when it names NDJSON; otherwise
 * the text is tried as JSON and, if that fails and there are several lines, taken as NDJSON: libraries and
 * browsers' beacons rarely let their users choose the type.
 */
export function readRecords(body: Buffer, isNdjson: boolean): Records {
  const bytes = body.subarray(markBytes(body));
  if (isNdjson) return { kind: 'lines', lines: linesOf(bytes) };
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    const values = Array.isArray(value) ? value : [value];
    return { kind: 'values', values: isUtf8(bytes) ? values : values.map(soundOr) };
  } catch (error) {
    const lines = linesOf(bytes);
    // By its bytes, as the first line may be the one that is not UTF-8.
    const isObjects = bytes.toString('latin1').trimStart().startsWith('{');
    if (lines.length > 1 && isObjects) return { kind: 'lines', lines };
    const message = `the body is not JSON (${(error as Error).message}); send one object, an array, or one object a line`;
    return { kind: 'fault', message };
  }
}

/**
 * A record of a body that is not UTF-8, if it is not one of those that are to blame. One in which the sender itself
 * wrote U+FFFD passes for such a one: it is mostly the trace of bytes that were lost before.
 */
function soundOr(value: unknown): unknown {
  return JSON.stringify(value)?.includes('\uFFFD') ? NOT_UTF8 : value;
}

function linesOf(bytes: Buffer): string[] {
  return textsOf(bytes).filter((line) => line.trim() !== '');
}

function textsOf(bytes: Buffer): string[] {
  if (isUtf8(bytes)) return bytes.toString('utf8').split('\n');
  // No byte but a line feed's own is one, so that each line can be judged alone.
  const lines = bytes.toString('latin1').split('\n');
  return lines.map((line) => lineText(Buffer.from(line, 'latin1')));
}
