import { hasFile, type JsonSchema } from './schema.ts';

/** One key of a configuration, as a reader looks for it. */
export interface Field {
  /** `tokens[].role`, `alerting.receivers[] (type: email).host` */
  readonly path: string;
  readonly values: string;
  /** As it is written; '' when it must be given, or left out stands for nothing. */
  readonly fallback: string;
  readonly description: string;
  readonly isRequired: boolean;
  /** It is a section: its keys follow. */
  readonly isSection: boolean;
}

/** Every key of a schema, in the order in which they are declared, depth first. */
export function fieldsOf(schema: JsonSchema, path = ''): Field[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    const parts = partsOf(inner, at);
    const own: Field = {
      path: at,
      values: valuesOf(inner),
      fallback: fallbackOf(inner),
      description: `${inner.description ?? ''}${hasFile(properties, key) ? ` Also as \`${key}File\`.` : ''}`,
      isRequired: required.includes(key),
      isSection: parts.length > 0,
    };
    return [own, ...parts];
  });
}

/** The keys inside a value: of an object, of each item of a list, of each form that it may have. */
function partsOf(schema: JsonSchema, path: string): Field[] {
  const { properties, items, additionalProperties, anyOf, oneOf } = schema;
  if (properties) return fieldsOf(schema, path);
  if (items) return partsOf(items, `${path}[]`);
  if (typeof additionalProperties === 'object') return partsOf(additionalProperties, `${path}.<name>`);
  if (oneOf) return formsOf(oneOf, path);
  return (anyOf ?? []).flatMap((form) => partsOf(form, path));
}

/** The keys of values that differ by their type; one that several types share is shown once, with their names. */
function formsOf(forms: readonly JsonSchema[], path: string): Field[] {
  const kindOf = (form: JsonSchema) => String(form.properties?.type?.const);
  const shared = new Map<string, { readonly field: Field; readonly kinds: string[] }>();
  for (const form of forms) {
    for (const field of fieldsOf(form, path)) {
      const key = JSON.stringify(field);
      const known = shared.get(key);
      if (known) known.kinds.push(kindOf(form));
      else shared.set(key, { field, kinds: [kindOf(form)] });
    }
  }
  // Those of all first, then each type with what it begins with.
  const rows = [...shared.values()].toSorted((a, b) => b.kinds.length - a.kinds.length);
  return rows.map(({ field, kinds }) =>
    kinds.length === forms.length
      ? field
      : { ...field, path: field.path.replace(path, `${path} (${kinds.join(', ')})`) },
  );
}

/** The default of a section that is empty says nothing. */
function fallbackOf({ default: fallback }: JsonSchema): string {
  const text = fallback === undefined ? '' : JSON.stringify(fallback);
  return text === '{}' ? '' : text;
}

/** What may be written, in a few words. */
function valuesOf(schema: JsonSchema): string {
  const { type, enum: choices, const: only, anyOf, oneOf, items } = schema;
  if (choices) return choices.map((choice) => `\`${String(choice)}\``).join(', ');
  if (only !== undefined) return `\`${only === '' ? '""' : String(only)}\``;
  if (oneOf) return 'a mapping, by its type';
  if (anyOf) return [...new Set(anyOf.filter((form) => form.type !== 'null').map(valuesOf))].join(', or ');
  const kinds = (Array.isArray(type) ? type : [type]).filter((kind) => kind !== 'null');
  switch (kinds[0]) {
    case 'integer':
    case 'number':
      return `${kinds[0] === 'integer' ? 'whole number' : 'number'}${rangeText(schema.minimum, schema.maximum)}`;
    case 'boolean':
      return '`true`, `false`';
    case 'array':
      return `list of ${items ? listed(items) : 'anything'}`;
    case 'object':
      return 'a mapping';
    default:
      return 'text';
  }
}

function listed(items: JsonSchema): string {
  const values = valuesOf(items);
  return values === 'a mapping' || values === 'a mapping, by its type' ? 'mappings' : values;
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  const text = (bound: number) => bound.toLocaleString('en-US');
  if (minimum !== undefined && maximum !== undefined) return `, ${text(minimum)} to ${text(maximum)}`;
  if (minimum !== undefined) return `, at least ${text(minimum)}`;
  return maximum === undefined ? '' : `, at most ${text(maximum)}`;
}
