// Where on the page one is: #/SERVICE/MONTH?at=INSTANT. A link from a dashboard or an alert says it too.

/** @import { Route } from './types.d.ts' */

/** @param {string} hash @returns {Route} */
export function readRoute(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [service = '', month = ''] = path.split('/').map(decoded);
  const at = new URLSearchParams(query).get('at');
  return {
    service: service === '' ? null : service,
    month: /^\d{4}-\d{2}$/.test(month) ? month : null,
    at: at === null ? null : /^\d+$/.test(at) ? Number(at) : at,
  };
}

/** @param {string} service @param {string | null} month @param {string} [at] */
export function routeTo(service, month, at) {
  const place = `#/${encodeURIComponent(service)}${month === null ? '' : `/${month}`}`;
  return at === undefined ? place : `${place}?at=${encodeURIComponent(at)}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // A half-copied address; show it as it came.
    return text;
  }
}
