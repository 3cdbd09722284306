import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Path } from './document.ts';

/** Something that a value refers to and that is not there. */
export interface ReferenceFault {
  readonly path: Path;
  readonly message: string;
}

/** A key that may be given as `<key>File`: the value is then the text of that file. */
export const FILE_KEYS: readonly string[] = [
  'token',
  'url',
  'password',
  'secret',
  'routingKey',
  'sentinelPassword',
  'ca',
];

const FILE_SUFFIX = 'File';
/** A secret is a line and a certificate a page; more than this is a wrong file. */
const MAX_SECRET_CHARACTERS = 100_000;
const MAX_DEPTH = 32;

/**
 * Replaces `${NAME}` in every text by the environment's value (`$${` stands for a literal `${`), and every
 * `<key>File` of a secret by `<key>` with the file's text.
 * @param folder  what relative files are relative to
 */
export function resolveReferences(
  value: unknown,
  { env, folder }: { readonly env: Readonly<Record<string, string | undefined>>; readonly folder: string },
): { readonly value: unknown; readonly faults: readonly ReferenceFault[] } {
  const faults: ReferenceFault[] = [];

  const expand = (text: string, path: Path): string =>
    text.replace(/(\$?)\$\{([^}]*)\}/g, (whole, dollar: string, name: string) => {
      if (dollar !== '') return whole.slice(1);
      const found = env[name];
      if (found !== undefined) return found;
      faults.push({ path, message: `refers to the environment variable ${name}, which is not set; set it` });
      return '';
    });

  const visit = (node: unknown, path: Path): unknown => {
    if (typeof node === 'string') return expand(node, path);
    if (typeof node !== 'object' || node === null || path.length > MAX_DEPTH) return node;
    if (Array.isArray(node)) return node.map((item, i) => visit(item, [...path, i]));
    const entries = Object.entries(node).map(([key, inner]): [string, unknown] => {
      const secret = secretOf(key);
      const expanded = visit(inner, [...path, key]);
      if (secret === null || typeof expanded !== 'string') return [key, expanded];
      if (Object.hasOwn(node, secret)) {
        faults.push({ path: [...path, key], message: `is given together with ${secret}; keep one of them` });
      }
      const read = readSecret(resolve(folder, expanded));
      if (!read.ok) faults.push({ path: [...path, key], message: read.message });
      // A text in its place, so that the schema does not report the same fault as a missing key.
      return [secret, read.ok ? read.text : UNREADABLE];
    });
    return Object.fromEntries(entries);
  };

  return { value: visit(value, []), faults };
}

/** Long enough for any schema's least length; never used, since the configuration is refused. */
const UNREADABLE = 'https://unreadable.invalid/';

function secretOf(key: string): string | null {
  const secret = key.endsWith(FILE_SUFFIX) ? key.slice(0, -FILE_SUFFIX.length) : '';
  return FILE_KEYS.includes(secret) ? secret : null;
}

function readSecret(file: string): { ok: true; text: string } | { ok: false; message: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      ok: false,
      message: `names ${file}, which cannot be read (${code}); create it or correct the path`,
    };
  }
  if (text === '') return { ok: false, message: `names ${file}, which is empty; write the secret into it` };
  if (text.length > MAX_SECRET_CHARACTERS) {
    return { ok: false, message: `names ${file}, which holds more than ${MAX_SECRET_CHARACTERS} characters` };
  }
  return { ok: true, text };
}
