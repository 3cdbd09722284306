import { quote } from '../../sla/text.ts';
import type { Caller, Need } from './access.ts';
import { type Answer, refusal } from './answer.ts';

/** A request as a route sees it: admitted, and its path taken apart. */
export interface RouteRequest {
  readonly caller: Caller;
  /** By the names of the pattern, percent-decoded; untrusted. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly acceptEncoding: string;
  /** '' when the client holds nothing. */
  readonly ifNoneMatch: string;
  /** The body as JSON, or why it cannot be had. */
  readJson(): Promise<
    { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer }
  >;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `/api/v1/services/:service`; a name takes one segment. */
  readonly pattern: string;
  readonly need: Need;
  run(request: RouteRequest): Answer | Promise<Answer>;
}

export type Match =
  | { readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly answer: Answer };

const MAX_PATH_CHARACTERS = 2_048;

/** Finds the route of a method and a path without its query. HEAD is GET. */
export class Router {
  private readonly routes: readonly { readonly route: Route; readonly segments: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.routes = routes.map((route) => ({ route, segments: route.pattern.split('/') }));
  }

  match(method: string, path: string): Match {
    if (path.length > MAX_PATH_CHARACTERS) {
      return {
        answer: refusal('PATH_TOO_LONG', `the path is longer than ${MAX_PATH_CHARACTERS} characters`),
      };
    }
    const segments = decode(path);
    if (!segments) {
      return {
        answer: refusal('PATH_INVALID', 'the path is not percent-encoded correctly; encode it as UTF-8'),
      };
    }
    const fitting = this.routes.flatMap(({ route, segments: pattern }) => {
      const params = paramsOf(pattern, segments);
      return params ? [{ route, params }] : [];
    });
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = fitting.find(({ route }) => route.method === wanted);
    if (found) return found;
    if (fitting.length === 0) {
      return { answer: refusal('NOT_FOUND', `there is nothing at ${quote(path)}; see /api/v1/services`) };
    }
    const allowed = fitting.flatMap(({ route }) =>
      route.method === 'GET' ? ['GET', 'HEAD'] : [route.method],
    );
    const message = `${quote(method)} is not possible here; use ${allowed.join(' or ')}`;
    return { answer: refusal('METHOD_NOT_ALLOWED', message, { headers: { allow: allowed.join(', ') } }) };
  }
}

/** Split before decoding: an encoded slash is part of its segment, never a border. */
function decode(path: string): string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, expected] of pattern.entries()) {
    const segment = segments[i]!;
    if (expected.startsWith(':')) params[expected.slice(1)] = segment;
    else if (expected !== segment) return undefined;
  }
  return params;
}
