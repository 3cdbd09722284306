import { parseInstant } from '../../../sla/instant.ts';
import { SERVICE_PATTERN } from '../../../sla/outcome.ts';
import { quote } from '../../../sla/text.ts';
import { mayTouch } from '../access.ts';
import { type Answer, refusal } from '../answer.ts';
import type { RouteRequest } from '../router.ts';

/** What the routes need to know of services. */
export interface KnownServices {
  /** Sorted. */
  services(): readonly string[];
  /** Asks the store about one that is not known yet. */
  isKnown(service: string): Promise<boolean>;
}

/** The service named in the path, or why it cannot be shown to this caller. */
export async function serviceOf(request: RouteRequest, known: KnownServices): Promise<string | Answer> {
  const service = request.params.service ?? '';
  if (!SERVICE_PATTERN.test(service)) {
    const rule = 'write 1 to 64 letters, digits, dots, dashes or underscores';
    return refusal('FIELD_INVALID', `service is ${quote(service)}; ${rule}`, { field: 'service' });
  }
  if (!mayTouch(request.caller, service)) {
    const message = `the token ${request.caller.name} does not cover ${service}; use one that does`;
    return refusal('FORBIDDEN', message, { field: 'service' });
  }
  if (await known.isKnown(service)) return service;
  const message = `no agent ever reported for ${service}; see /api/v1/services`;
  return refusal('NOT_FOUND', message, { field: 'service' });
}

/** An instant of the query, or why it is none; `fallbackMs` when it is left out. */
export function instantOf(request: RouteRequest, field: string, fallbackMs: number | null): number | Answer {
  const text = request.query.get(field);
  if (text === null && fallbackMs !== null) return fallbackMs;
  const fix = 'write RFC 3339 with an offset, like 2026-11-03T10:00:00Z (a + is %2B in an address)';
  if (text === null) return refusal('FIELD_MISSING', `${field} is missing; ${fix}`, { field });
  const atMs = text.length <= 64 ? parseInstant(text) : undefined;
  if (atMs !== undefined) return atMs;
  return refusal('FIELD_INVALID', `${field} is ${quote(text)}; ${fix}`, { field });
}

export function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'status' in value && 'body' in value;
}
