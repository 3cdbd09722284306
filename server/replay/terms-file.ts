import { readFileSync } from 'node:fs';
import { parseTerms, type Terms } from '../../sla/terms.ts';
import { readDocument } from '../config/document.ts';
import { type ConfigFault, dotted } from '../config/faults.ts';

export type LoadedTerms =
  | { readonly ok: true; readonly terms: Terms }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** Reads a terms file (YAML or JSON); every fault at once, each with its place. */
export function loadTerms(file: string): LoadedTerms {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot be read (${(error as NodeJS.ErrnoException).code}); check the path`;
    return { ok: false, faults: [{ file, position: null, path: '', message }] };
  }
  const parsed = readDocument(text);
  if (!parsed.ok) return { ok: false, faults: parsed.faults.map((fault) => ({ file, path: '', ...fault })) };
  const { document } = parsed;
  const terms = parseTerms(document.value);
  if (terms.ok) return terms;
  const faults = terms.faults.map(({ path, message }) => ({
    file,
    position: document.positionOf(path),
    path: dotted(path),
    message,
  }));
  return { ok: false, faults };
}
