import { readFileSync } from 'node:fs';
import { type Exclusion, parseExclusion } from '../../sla/exclusion.ts';
import type { Terms } from '../../sla/terms.ts';
import { quote } from '../../sla/text.ts';
import { readDocument } from './document.ts';
import { type ConfigFault, dotted } from './faults.ts';

/** Entries of one file; a month cannot hold more minutes. */
const MAX_ENTRIES = 10_000;

export type LoadedExclusions =
  | { readonly ok: true; readonly exclusions: readonly Exclusion[] }
  | { readonly ok: false; readonly faults: readonly ConfigFault[]; readonly isUnreadable: boolean };

/**
 * Reads an exclusions file (YAML or JSON, an array).
 * @param options.service  the service that every entry must be of; null = any
 */
export function loadExclusions(
  file: string,
  options: { readonly service: string | null; readonly termsOf: (service: string) => Terms },
): LoadedExclusions {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot be read (${(error as NodeJS.ErrnoException).code}); create it or correct the path`;
    return { ok: false, faults: [{ file, position: null, path: '', message }], isUnreadable: true };
  }
  const parsed = readDocument(text);
  if (!parsed.ok) return no(parsed.faults.map((fault) => ({ file, path: '', ...fault })));
  const { document } = parsed;
  const entries = document.value ?? [];
  if (!Array.isArray(entries) || entries.length > MAX_ENTRIES) {
    const message = Array.isArray(entries)
      ? `holds ${entries.length} entries, more than ${MAX_ENTRIES}; merge or split them`
      : `holds ${quote(entries)}; write a list of exclusions`;
    return no([{ file, position: document.positionOf([]), path: '', message }]);
  }
  const faults: ConfigFault[] = [];
  const exclusions = entries.flatMap((entry: unknown, i): Exclusion[] => {
    const { service } = (entry ?? {}) as { service?: unknown };
    const read = parseExclusion(entry, typeof service === 'string' ? options.termsOf(service) : undefined);
    if (!read.ok) {
      for (const { field, message } of read.faults) {
        const path = field === '' ? [i] : [i, field];
        faults.push({ file, position: document.positionOf(path), path: dotted([i]), message });
      }
      return [];
    }
    if (options.service !== null && read.exclusion.service !== options.service) {
      const path = [i, 'service'];
      const message = `is ${quote(read.exclusion.service)}; this file is for ${options.service} only`;
      faults.push({ file, position: document.positionOf(path), path: dotted(path), message });
    }
    return [read.exclusion];
  });
  return faults.length > 0 ? no(faults) : { ok: true, exclusions };
}

function no(faults: readonly ConfigFault[]): LoadedExclusions {
  return { ok: false, faults, isUnreadable: false };
}
