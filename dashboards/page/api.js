// The daemon's HTTP interface, as the page uses it. A failed call rejects with ApiError, whose message is the
// daemon's own sentence where it gave one.

/** @import { Reading } from '../../sla/reading.ts' */

const TOKEN_KEY = 'roomwatch-token';
const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  /** @param {number} status  0 when the daemon did not answer @param {string} message @param {string} [field] */
  constructor(status, message, field = '') {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.field = field;
  }
}

/** The token is kept for this tab only, and only if a person typed it. */
export const token = {
  read: () => sessionStorage.getItem(TOKEN_KEY) ?? '',
  /** @param {string} value  '' forgets it */
  keep: (value) => {
    if (value === '') sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, value);
  },
};

/**
 * @param {string} path  from the root, already encoded
 * @param {{ method?: string, body?: unknown }} [request]
 * @returns {Promise<Response>} one with a status below 400
 */
export async function call(path, { method = 'GET', body } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token.read() !== '') headers.authorization = `Bearer ${token.read()}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    cache: 'no-store',
  }).catch(unanswered);
  if (!response.ok) throw await refusal(response);
  return response;
}

/**
 * @template T  what the daemon's interface promises
 * @param {string} path
 * @param {{ method?: string, body?: unknown }} [request]
 * @returns {Promise<T>}
 */
export async function callJson(path, request) {
  const response = await call(path, request);
  return response.json().catch(unanswered);
}

/**
 * No answer, or one that broke off.
 * @param {unknown} cause
 * @returns {never}
 */
function unanswered(cause) {
  throw new ApiError(0, `the daemon does not answer (${cause instanceof Error ? cause.message : cause})`);
}

/** @param {Response} response */
async function refusal(response) {
  const answer = await response.json().catch(() => null);
  const { message, field } = answer?.error ?? {};
  return new ApiError(response.status, message ?? `the daemon answers ${response.status}`, field);
}

/** @param {string} service @param {string} rest */
export function servicePath(service, rest) {
  return `/api/v1/services/${encodeURIComponent(service)}/${rest}`;
}
