/**
 * JSON of plain data in one spelling: keys sorted by UTF-16 unit, no spaces, undefined left out. The same data
 * gives the same bytes on every machine, and so the same hash.
 * @throws CANONICAL_UNSUITED for what JSON cannot say (NaN, functions, bigints): a hash must not hide it
 */
export function canonicalize(value: unknown): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`;
  if (typeof value === 'object') {
    const fields = value as Readonly<Record<string, unknown>>;
    const parts = Object.keys(fields)
      .sort()
      .filter((key) => fields[key] !== undefined)
      .map((key) => `${JSON.stringify(key)}:${canonicalize(fields[key])}`);
    return `{${parts.join(',')}}`;
  }
  throw new TypeError(`CANONICAL_UNSUITED: ${typeof value} ${String(value)} is not JSON; leave it out`);
}

/** The first place, in the order of the canonical text, in which two plain values differ. */
export interface Difference {
  /** e.g. `rows[17].verdict`; '' for the whole */
  readonly path: string;
  readonly left: unknown;
  readonly right: unknown;
}

export function firstDifference(left: unknown, right: unknown, path = ''): Difference | null {
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
      const found = firstDifference(left[i], right[i], `${path}[${i}]`);
      if (found !== null) return found;
    }
    return null;
  }
  if (isRecord(left) && isRecord(right)) {
    for (const key of [...new Set([...Object.keys(left), ...Object.keys(right)])].sort()) {
      const found = firstDifference(left[key], right[key], path === '' ? key : `${path}.${key}`);
      if (found !== null) return found;
    }
    return null;
  }
  return Object.is(left, right) ? null : { path, left, right };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
