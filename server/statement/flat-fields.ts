/**
 * Plain data as a list of named values and back, so that it fits the rows of a table without losing the
 * difference between a number and a text: {a: [{b: '1'}]} is `a[0].b`, a text, `1`.
 */
export type FieldType = 'text' | 'number' | 'boolean' | 'none' | 'empty list' | 'empty record';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly value: string;
}

/** Levels of nesting; a statement has four. */
const DEPTH_MAX = 8;

/** @param data  JSON; keys are letters and digits and at most DEPTH_MAX deep (asserted), undefined is left out */
export function fieldsOf(data: unknown): Field[] {
  return fieldsBelow(data, '', 0);
}

function fieldsBelow(data: unknown, name: string, depth: number): Field[] {
  if (depth > DEPTH_MAX) throw new TypeError(`FIELD_UNSUITED: ${name} is nested too deeply`);
  if (Array.isArray(data)) {
    if (data.length === 0) return [{ name, type: 'empty list', value: '' }];
    return data.flatMap((item, index) => fieldsBelow(item, `${name}[${index}]`, depth + 1));
  }
  if (typeof data === 'object' && data !== null) {
    const entries = Object.entries(data).filter(([, value]) => value !== undefined);
    if (entries.length === 0) return [{ name, type: 'empty record', value: '' }];
    return entries.flatMap(([key, value]) => {
      if (!KEY.test(key)) throw new TypeError(`FIELD_UNSUITED: ${key} is no key of letters and digits`);
      return fieldsBelow(value, name === '' ? key : `${name}.${key}`, depth + 1);
    });
  }
  if (data === null) return [{ name, type: 'none', value: '' }];
  if (typeof data === 'string') return [{ name, type: 'text', value: data }];
  return [{ name, type: typeof data === 'number' ? 'number' : 'boolean', value: String(data) }];
}

const KEY = /^[A-Za-z][A-Za-z0-9]*$/;
const STEP = /([A-Za-z][A-Za-z0-9]*)|\[(0|[1-9]\d{0,5})\]/y;

export type DataOf =
  | { readonly ok: true; readonly data: Record<string, unknown> }
  /** The first field that does not fit, by its position in the list. */
  | { readonly ok: false; readonly index: number; readonly message: string };

/** The data that a list of fields stands for; never throws. */
export function dataOf(fields: readonly Field[]): DataOf {
  const root: Node = new Map();
  for (const [index, field] of fields.entries()) {
    const value = valueIn(field);
    const path = pathOf(field.name);
    if (value === undefined) return { ok: false, index, message: `is no ${field.type}` };
    if (path === undefined) return { ok: false, index, message: 'is not the name of a field' };
    if (!put(root, path, value.is)) return { ok: false, index, message: 'stands twice or under a value' };
  }
  const data = plain(root);
  return typeof data === 'object' && data !== null && !Array.isArray(data)
    ? { ok: true, data: data as Record<string, unknown> }
    : { ok: false, index: 0, message: 'is an item without a list' };
}

/** Maps instead of objects while the names are untrusted: `__proto__` is then a key like any other. */
type Node = Map<string | number, unknown>;

function put(root: Node, path: readonly (string | number)[], value: unknown): boolean {
  let node = root;
  for (const step of path.slice(0, -1)) {
    const next = node.get(step) ?? new Map();
    if (!(next instanceof Map)) return false;
    node.set(step, next);
    node = next;
  }
  const last = path.at(-1)!;
  if (node.has(last)) return false;
  node.set(last, value);
  return true;
}

function plain(node: unknown): unknown {
  if (!(node instanceof Map)) return node;
  const keys = [...node.keys()];
  if (keys.every((key) => typeof key === 'number')) {
    // A gap becomes null, which no list of a statement holds: a difference like any other.
    return keys.map((_, index) => plain(node.get(index) ?? null));
  }
  return Object.fromEntries([...node].map(([key, value]) => [key, plain(value)]));
}

function pathOf(name: string): (string | number)[] | undefined {
  const path: (string | number)[] = [];
  let at = 0;
  while (at < name.length) {
    if (path.length > 0 && name[at] === '.') at += 1;
    STEP.lastIndex = at;
    const step = STEP.exec(name);
    if (step === null || path.length === DEPTH_MAX) return undefined;
    path.push(step[1] ?? Number(step[2]));
    at = STEP.lastIndex;
  }
  return path.length > 0 ? path : undefined;
}

function valueIn({ type, value }: Field): { readonly is: unknown } | undefined {
  switch (type) {
    case 'text':
      return { is: value };
    case 'number':
      // Exactly what String(number) writes, so that one number has one spelling.
      return String(Number(value)) === value && Number.isFinite(Number(value))
        ? { is: Number(value) }
        : undefined;
    case 'boolean':
      return value === 'true' || value === 'false' ? { is: value === 'true' } : undefined;
    case 'none':
      return value === '' ? { is: null } : undefined;
    case 'empty list':
      return value === '' ? { is: [] } : undefined;
    case 'empty record':
      return value === '' ? { is: {} } : undefined;
    default:
      return undefined;
  }
}
