import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { type SettingsFile, settingsSchema } from './settings.ts';
import { faultsOf, sayFault } from './settings-faults.ts';

export type LoadedSettings =
  | { readonly ok: true; readonly settings: SettingsFile; readonly folder: string }
  /** Sentences, each beginning with where the fault is. */
  | { readonly ok: false; readonly faults: readonly string[] };

/** A configuration is written by hand; more than this is a wrong file. */
const FILE_CHARACTERS = 1024 * 1024;

/**
 * Reads the agent's configuration, YAML or JSON.
 * @param file null = the defaults
 * @returns the settings, frozen, or every fault at once; never throws
 */
export function loadSettings(file: string | null, cwd: string): LoadedSettings {
  if (file === null) return { ok: true, settings: Object.freeze(settingsSchema.parse({})), folder: cwd };
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { ok: false, faults: [`${file} cannot be read (${code}); check the path`] };
  }
  if (text.length > FILE_CHARACTERS) {
    return { ok: false, faults: [`${file} has ${text.length} characters; is it the right file?`] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0) {
    return { ok: false, faults: document.errors.map((error) => `${at(error.pos[0])} ${error.message}`) };
  }
  const parsed = settingsSchema.safeParse(document.toJS() ?? {}, { error: sayFault });
  if (parsed.success) {
    return { ok: true, settings: Object.freeze(parsed.data), folder: folderOf(path, cwd) };
  }
  const placeOf = (keys: readonly PropertyKey[]): string => {
    for (let depth = keys.length; depth > 0; depth--) {
      const node: unknown = document.getIn(keys.slice(0, depth) as (string | number)[], true);
      const range = (node as { range?: readonly number[] } | undefined)?.range;
      if (range?.[0] !== undefined) return at(range[0]);
    }
    return file;
  };
  const faults = faultsOf(parsed.error).map(({ keys, sentence }) => {
    if (keys.length > 0) return `${placeOf(keys)} ${sentence}`;
    return `${at(document.contents?.range?.[0] ?? 0)} the file ${sentence}, such as services: [acme]`;
  });
  return { ok: false, faults };
}

/** Where relative paths of a configuration begin: a pipe, as of `--config <(...)`, has no folder of its own. */
function folderOf(path: string, cwd: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? dirname(path) : cwd;
}
