import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { checkIncident, type Read } from './incident.ts';
import type { SimulatedIncident } from './plan.ts';

/** Scripts of incidents that vendors made public. */
const SHIPPED = fileURLToPath(new URL('./incidents/', import.meta.url));
const SUFFIX = '.yml';

/** Names under which the shipped scripts are known. */
export function shippedScripts(): string[] {
  return readdirSync(SHIPPED)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

/**
 * Reads a script of incidents, YAML or JSON: a list, or a mapping with the list under `incidents`.
 * @param name a file, or the name of a shipped script
 */
export function readScript(name: string, cwd: string): Read<SimulatedIncident[]> {
  const shipped = shippedScripts();
  const path = shipped.includes(name) ? `${SHIPPED}${name}${SUFFIX}` : resolve(cwd, name);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = `give a file, or one of ${shipped.join(', ')}`;
    return { ok: false, message: `${name} cannot be read (${code}); ${advice}` };
  }
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax) return { ok: false, message: `${name}: ${syntax.message}` };
  const content: unknown = document.toJS();
  const list = Array.isArray(content) ? content : (content as { incidents?: unknown } | null)?.incidents;
  if (!Array.isArray(list)) {
    return { ok: false, message: `${name}: write a list of incidents, or one under the key incidents` };
  }
  const incidents: SimulatedIncident[] = [];
  for (const [index, item] of list.entries()) {
    const checked = checkIncident((item ?? {}) as Record<string, unknown>);
    if (!checked.ok) return { ok: false, message: `${name}: incidents[${index}]: ${checked.message}` };
    incidents.push(checked.value);
  }
  return { ok: true, value: incidents };
}
