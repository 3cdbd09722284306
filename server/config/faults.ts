import { z } from 'zod';
import { nearestWord } from '../../sla/nearest.ts';
import { quote } from '../../sla/text.ts';
import type { Path, Position, SourceDocument } from './document.ts';

/** One thing wrong with a configuration: where it is written, what it is called, and a sentence with the fix. */
export interface ConfigFault {
  /** As the user named it. */
  readonly file: string;
  readonly position: Position | null;
  /** Dotted, `tokens[1].role`; '' for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** `roomwatch.yml:12:5 tokens[1].role is "admn"; write agent, reader or admin (did you mean admin?)` */
export function faultText({ file, position, path, message }: ConfigFault): string {
  const place = position ? `${file}:${position.line}:${position.column}` : file;
  return `${place} ${path === '' ? '' : `${path} `}${message}`;
}

export function dotted(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/**
 * Stands in a sentence for "is" and the value at fault. The value is taken from the file as written,
 * not as expanded: a message never repeats what came from the environment or from a secret's file.
 */
const VALUE = '\u0000';

/** The words for faults for which a schema has none of its own; give it to `safeParse`. */
export const sentences: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return `is missing; give it ${EXPECTED[issue.expected] ?? 'a value'}`;
      return `${VALUE}; write ${EXPECTED[issue.expected] ?? issue.expected}${hint(issue)}`;
    case 'invalid_value':
      return `${VALUE}; write ${alternatives(issue.values)}${near(issue.input, issue.values)}`;
    case 'too_small':
      return `${VALUE}, too ${isCounted(issue.origin) ? 'short' : 'small'}; the least is ${issue.minimum}`;
    case 'too_big':
      return `${VALUE}, too ${isCounted(issue.origin) ? 'long' : 'large'}; the most is ${issue.maximum}`;
    case 'invalid_union':
      return `${VALUE}, which is none of the forms that this key has`;
    default:
      return `${VALUE}, which is not valid here`;
  }
};

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function alternatives(values: readonly unknown[]): string {
  const texts = values.map(String);
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}

function hint(issue: { readonly expected: string; readonly input?: unknown }): string {
  if (issue.expected === 'string' && typeof issue.input === 'number') return ', in quotation marks';
  if (issue.expected === 'number' && typeof issue.input === 'string') return ', without quotation marks';
  return '';
}

function near(input: unknown, values: readonly unknown[]): string {
  const words = values.filter((value) => typeof value === 'string');
  const nearest = typeof input === 'string' ? nearestWord(input, words) : undefined;
  return nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
}

function isCounted(origin: string): boolean {
  return origin === 'string' || origin === 'array';
}

/** The issues of a schema as faults of the file that holds the value; each unknown key is a fault of its own. */
export function faultsOf(
  issues: readonly z.core.$ZodIssue[],
  source: { readonly file: string; readonly document: SourceDocument; readonly schema: z.ZodType },
): ConfigFault[] {
  const { file, document, schema } = source;
  return issues.flatMap((issue): ConfigFault[] => {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => ({
        file,
        position: document.positionOfKey(path, key),
        path: dotted([...path, key]),
        message: unknownKey(key, known),
      }));
    }
    if (issue.code === 'invalid_key') {
      const message = issue.issues[0]?.message ?? issue.message;
      const position = document.positionOfKey(path.slice(0, -1), String(path.at(-1)));
      return [{ file, position, path: dotted(path), message }];
    }
    const message = issue.message.replace(VALUE, () => `is ${shown(document.value, path)}`);
    return [{ file, position: document.positionOf(path), path: dotted(path), message }];
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = nearestWord(key, known);
  if (nearest !== undefined) return `is not a known key; did you mean ${nearest}?`;
  return known.length === 0
    ? 'is not a known key; delete it'
    : `is not a known key; known here: ${known.join(', ')}`;
}

/** Keys under which a secret may have been written out. */
const SECRET = /token|secret|password|key|url|authorization|header/i;

function shown(value: unknown, path: Path): string {
  const key = path.findLast((step) => typeof step === 'string');
  const isSecret = key !== undefined && SECRET.test(String(key));
  const at = path.reduce<unknown>(
    (node, step) => (typeof node === 'object' && node !== null ? Reflect.get(node, step) : undefined),
    value,
  );
  if (at === undefined || at === null) return 'nothing';
  return isSecret && typeof at !== 'object' ? '(secret)' : quote(at);
}

/** The keys that a schema knows at a path, through lists, options, defaults and alternatives. */
function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  const inner = unwrap(schema);
  const [step, ...rest] = path;
  if (inner instanceof z.core.$ZodUnion) {
    return [...new Set(inner._zod.def.options.flatMap((option) => keysAt(option, path)))];
  }
  if (inner instanceof z.core.$ZodObject) {
    const { shape } = inner._zod.def;
    if (step === undefined) return Object.keys(shape);
    const next = Object.hasOwn(shape, step) ? shape[step] : undefined;
    return next ? keysAt(next, rest) : [];
  }
  if (step === undefined) return [];
  if (inner instanceof z.core.$ZodArray) return keysAt(inner._zod.def.element, rest);
  if (inner instanceof z.core.$ZodRecord) return keysAt(inner._zod.def.valueType, rest);
  return [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.core.$ZodPipe) {
    const { in: input, out } = schema._zod.def;
    return unwrap(input instanceof z.core.$ZodTransform ? out : input);
  }
  const { def } = schema._zod;
  const isWrapper = 'innerType' in def && def.innerType instanceof z.core.$ZodType;
  return isWrapper ? unwrap(def.innerType as z.core.$ZodType) : schema;
}
