import { CAUSES } from '../../sla/cause.ts';
import { SERVICE_PATTERN } from '../../sla/outcome.ts';
import type { SimulatedIncident } from './plan.ts';

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  /** A sentence that says what is wrong and what to write instead. */
  | { readonly ok: false; readonly message: string };

export const CODE_PATTERN = /^-?\d{1,9}(\/-?\d{1,9})?$/;
const INSTANT = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d{1,3})?)?(?:Z|[+-]\\d\\d:\\d\\d)';
const INCIDENT = new RegExp(
  `^(${INSTANT})\\.\\.(${INSTANT}):([^:]+)(?::([^:]*))?(?::([^:]*))?(?::([^:]*))?$`,
);
const FORM = 'write FROM..TO:SHARE[:SERVICE][:REGION][:CODE], e.g. 2026-06-02T12:06Z..2026-06-02T14:38Z:5%';

/** Reads `from..to:share[:service][:region][:code]`; a part that is empty stands for all. */
export function readIncident(text: string): Read<SimulatedIncident> {
  const match = INCIDENT.exec(text);
  if (!match) return { ok: false, message: `${text}: ${FORM}` };
  const [, from = '', to = '', share = '', service, region, code] = match;
  const parts = { service, region, code };
  return checkIncident({
    from,
    to,
    share,
    ...Object.fromEntries(Object.entries(parts).filter(([, v]) => v)),
  });
}

/** An incident as a script or a command line gives it. */
export function checkIncident(given: Readonly<Record<string, unknown>>): Read<SimulatedIncident> {
  const no = (message: string): Read<SimulatedIncident> => ({ ok: false, message });
  const known = new Set(['from', 'to', 'share', 'service', 'region', 'code', 'cause']);
  const unknown = Object.keys(given).find((key) => !known.has(key));
  if (unknown !== undefined) return no(`${unknown} is not a known key; known: ${[...known].join(', ')}`);
  const fromMs = readInstant(given.from);
  const toMs = readInstant(given.to);
  if (fromMs === undefined) return no(`from is ${String(given.from)}; write RFC 3339 with an offset`);
  if (toMs === undefined) return no(`to is ${String(given.to)}; write RFC 3339 with an offset`);
  if (toMs <= fromMs) return no(`to ${String(given.to)} is not after from; swap them`);
  const share = readShare(given.share);
  if (share === undefined)
    return no(`share is ${String(given.share)}; write 0 to 1, or a percentage such as 5%`);
  const { service, region, code, cause } = given;
  if (service !== undefined && !(typeof service === 'string' && SERVICE_PATTERN.test(service))) {
    return no(`service is ${String(service)}; write the name of a service`);
  }
  if (region !== undefined && typeof region !== 'string') return no('region is not text; write its name');
  if (code !== undefined && !CODE_PATTERN.test(String(code))) {
    return no(`code is ${String(code)}; write CODE or CODE/EXTRACODE, e.g. 5400/-10015`);
  }
  const knownCause = CAUSES.find((one) => one === cause);
  if (cause !== undefined && knownCause === undefined) {
    return no(`cause is ${String(cause)}; write one of ${CAUSES.join(', ')}`);
  }
  return {
    ok: true,
    value: {
      fromMs,
      toMs,
      share,
      ...(service === undefined ? {} : { service }),
      ...(region === undefined ? {} : { region }),
      ...(code === undefined ? {} : { code: String(code) }),
      ...(knownCause === undefined ? {} : { cause: knownCause }),
    },
  };
}

export function readInstant(value: unknown): number | undefined {
  if (typeof value !== 'string' || !new RegExp(`^${INSTANT}$`).test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

/** @returns 0 to 1 */
export function readShare(value: unknown): number | undefined {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  if (!match) return undefined;
  const share = Number(match[1]) / (match[2] === '%' ? 100 : 1);
  return share <= 1 ? share : undefined;
}
