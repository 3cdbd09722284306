/** What a route answers. `body` in pieces is written as the socket takes it; one that waits, as it comes. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer | Iterable<string> | AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

export function json(value: unknown, status = 200): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}

/** Stable codes of refusals; each with its status. */
const REFUSALS = {
  PATH_INVALID: 400,
  FIELD_MISSING: 400,
  FIELD_INVALID: 400,
  BODY_NOT_JSON: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  BODY_TOO_LARGE: 413,
  PATH_TOO_LONG: 414,
  MEDIA_TYPE_UNSUPPORTED: 415,
  TOO_MANY: 422,
  INTERNAL: 500,
  BUSY: 503,
  STORE_UNAVAILABLE: 503,
} as const;
type RefusalCode = keyof typeof REFUSALS;

/**
 * @param message  a sentence with the fix
 * @param field    the parameter or field at fault, '' for the whole request
 */
export function refusal(
  code: RefusalCode,
  message: string,
  {
    field = '',
    headers,
  }: { readonly field?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Answer {
  const answer = json({ error: { code, message, field } }, REFUSALS[code]);
  return headers ? { ...answer, headers } : answer;
}
