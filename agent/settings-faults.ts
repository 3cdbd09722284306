import type { z } from 'zod';
import { quote } from '../sla/text.ts';

/** What is wrong with one key of a configuration. */
export interface SettingsFault {
  /** Empty when it is the whole that is wrong. */
  readonly keys: readonly PropertyKey[];
  /** Begins with the key; says its value, but for secrets, and the fix. */
  readonly sentence: string;
}

/** @param error of a schema that was given `sayFault` */
export function faultsOf(error: z.ZodError): SettingsFault[] {
  return faultsIn(error.issues);
}

function faultsIn(issues: readonly z.core.$ZodIssue[], within: readonly PropertyKey[] = []): SettingsFault[] {
  return issues.flatMap((issue) => {
    const keys = [...within, ...issue.path];
    if (issue.code === 'invalid_union') {
      // Of forms that a value may have, the one that fits but for what is inside it was meant.
      const inside = issue.errors.find((one) => one.every(isInside));
      if (inside) return faultsIn(inside, keys);
    }
    if (issue.code !== 'unrecognized_keys') return [{ keys, sentence: sentenceOf(keys, issue.message) }];
    const advice = 'is not a known key; delete it or correct its name';
    return issue.keys.map((key) => ({
      keys: [...keys, key],
      sentence: sentenceOf([...keys, key], advice),
    }));
  });
}

function isInside({ path, code }: z.core.$ZodIssue): boolean {
  return path.length > 0 || code === 'unrecognized_keys';
}

/** What is said where the schema has no words of its own. */
export const sayFault: z.core.$ZodErrorMap = (issue) => {
  const { input } = issue;
  const isSecret = SECRETS.has(issue.path?.at(-1));
  const given = isSecret ? 'is not what it must be' : `is ${quote(input)}`;
  switch (issue.code) {
    case 'invalid_type':
      return input === undefined ? 'is missing; give it' : `${given}; write ${kindOf(issue.expected)}`;
    case 'too_small':
      if (input === '') return 'is empty; write it, or leave it out';
      return `${sized(issue.origin, input, given)}; ${needs(issue.origin, issue.minimum)} or more`;
    case 'too_big':
      return `${sized(issue.origin, input, given)}; ${needs(issue.origin, issue.maximum)} or less`;
    case 'invalid_value':
      return `${given}; write one of ${issue.values.map(String).join(', ')}`;
    default:
      return `${given}, which is not valid here`;
  }
};

/** Keys whose value is not to be seen in a log. */
const SECRETS: ReadonlySet<unknown> = new Set(['token', 'key']);

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list, in brackets',
  object: 'a mapping of keys to values',
};

function kindOf(expected: string): string {
  return KINDS[expected] ?? expected;
}

function sized(origin: string, input: unknown, given: string): string {
  if (origin !== 'string' && origin !== 'array') return given;
  const { length } = input as { readonly length: number };
  return `has ${length} ${origin === 'string' ? 'characters' : 'entries'}`;
}

function needs(origin: string, bound: number | bigint): string {
  return origin === 'string' || origin === 'array' ? `give it ${bound}` : `write ${bound}`;
}

function sentenceOf(keys: readonly PropertyKey[], message: string): string {
  return keys.length === 0 ? message : `${dotted(keys)} ${message}`;
}

function dotted(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
