import { z } from 'zod';
import { settingsSchema } from '../../agent/settings.ts';
import { configSchema } from '../../server/config/schema.ts';
import { FILE_KEYS } from '../../server/config/secrets.ts';
import { presetTerms, termsRecord } from '../../sla/terms.ts';

/** As much of a JSON Schema as zod writes for our configurations. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** What may be written into the daemon's configuration file, defaults of the contract included. */
export function daemonSchema(): JsonSchema {
  const written = schemaOf(configSchema, 'Configuration of the roomwatch daemon');
  const terms = (schema: JsonSchema | undefined) =>
    withDefaults(schema ?? {}, termsRecord(presetTerms('trtc')));
  const { properties = {} } = written;
  const services = properties.services?.additionalProperties as JsonSchema;
  return {
    ...written,
    properties: {
      ...properties,
      terms: terms(properties.terms),
      services: {
        ...properties.services,
        additionalProperties: {
          ...services,
          properties: { ...services.properties, terms: terms(services.properties?.terms) },
        },
      },
    },
  };
}

export function agentSchema(): JsonSchema {
  return schemaOf(settingsSchema, 'Configuration of the roomwatch agent');
}

function schemaOf(schema: z.ZodType, title: string): JsonSchema {
  // Draft 7 is what editors understand.
  const written = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) as JsonSchema;
  return { $schema: written.$schema ?? '', title, ...plain(written) };
}

/** Without the bounds that every integer of JavaScript has. */
function plain(schema: JsonSchema): JsonSchema {
  const { minimum, maximum, ...rest } = eachInside(schema, plain);
  return {
    ...rest,
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && { maximum }),
  };
}

/** What a preset says where a field is left out is that field's default. */
function withDefaults(schema: JsonSchema, values: Readonly<Record<string, unknown>>): JsonSchema {
  const entries = Object.entries(schema.properties ?? {}).map(([key, inner]): [string, JsonSchema] => {
    const value = values[key];
    if (value === undefined) return [key, inner];
    if (inner.properties) return [key, withDefaults(inner, value as Record<string, unknown>)];
    return [key, { ...inner, default: value }];
  });
  return { ...schema, properties: Object.fromEntries(entries) };
}

/**
 * The same for an editor, which sees the file as it is written: secrets may be in files (`tokenFile`), and any text
 * may come from the environment (`${NAME}`).
 */
export function forEditors(schema: JsonSchema): JsonSchema {
  const inside = eachInside(schema, forEditors);
  if (inside.type === 'string' && inside.pattern !== undefined) {
    const { description, default: fallback, ...rule } = inside;
    return {
      ...(description !== undefined && { description }),
      ...(fallback !== undefined && { default: fallback }),
      anyOf: [rule, { type: 'string', pattern: '\\$\\{[^}]+\\}' }],
    };
  }
  if (inside.properties === undefined) return inside;
  const files = Object.keys(inside.properties).filter((key) => hasFile(inside.properties ?? {}, key));
  const properties = {
    ...inside.properties,
    ...Object.fromEntries(
      files.map((key) => [`${key}File`, { type: 'string', description: `A file that holds ${key}.` }]),
    ),
  };
  const required = (inside.required ?? []).filter((key) => !files.includes(key));
  return { ...inside, properties, ...(inside.required && { required }) };
}

/** Whether `<key>File` may be written instead of a key. */
export function hasFile(properties: Readonly<Record<string, JsonSchema>>, key: string): boolean {
  return FILE_KEYS.includes(key) && properties[`${key}File`] === undefined;
}

function eachInside(schema: JsonSchema, change: (inner: JsonSchema) => JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, anyOf, oneOf } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, change(one)])),
    }),
    ...(items && { items: change(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: change(additionalProperties) }),
    ...(anyOf && { anyOf: anyOf.map(change) }),
    ...(oneOf && { oneOf: oneOf.map(change) }),
  };
}
