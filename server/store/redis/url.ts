import { StoreFault } from '../errors.ts';

/** Where Redis is and how to log in, as read from an address. */
export interface RedisTarget {
  readonly kind: 'standalone' | 'sentinel' | 'cluster';
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** Sentinel only: the name under which it watches the master. */
  readonly masterName?: string;
}

const FORMS =
  'redis://[user:password@]host[:port][/db], rediss:// for TLS, ' +
  'redis+sentinel://[user:password@]host:port,host:port/mastername[/db] or ' +
  'redis+cluster://[user:password@]host:port,host:port (rediss+... for TLS)';

const DEFAULT_PORT = { standalone: 6379, sentinel: 26_379, cluster: 6379 } as const;
const MAX_NODES = 64;

/**
 * Reads an address. User and password are percent-encoded; an IPv6 host stands in square brackets.
 * @throws StoreFault STORE_URL_INVALID, naming the part that is wrong and never the address itself, which may
 * hold a password
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/]*)(?:\/(.*))?$/su.exec(url);
  if (match === null) throw invalid('its form is none of these');
  const [, scheme, kindText, login, hosts = '', path = ''] = match;
  const kind = kindText === 'sentinel' || kindText === 'cluster' ? kindText : 'standalone';
  const nodes = hosts.split(',').map((text) => parseNode(text, DEFAULT_PORT[kind]));
  if (nodes.length > MAX_NODES) throw invalid(`it names more than ${MAX_NODES} hosts`);
  if (kind === 'standalone' && nodes.length > 1)
    throw invalid('it names several hosts without +sentinel or +cluster');
  const segments = path.split('/').filter((segment) => segment !== '');
  const masterName = kind === 'sentinel' ? segments.shift() : undefined;
  if (kind === 'sentinel' && masterName === undefined) throw invalid('the name of the master is missing');
  const dbText = segments.shift() ?? '0';
  if (segments.length > 0) throw invalid('its path has too many parts');
  if (!/^\d{1,4}$/u.test(dbText)) throw invalid('the database is not a number');
  if (kind === 'cluster' && dbText !== '0') throw invalid('a cluster has database 0 only');
  return {
    kind,
    nodes,
    tls: scheme === 'rediss',
    db: Number(dbText),
    ...parseLogin(login),
    ...(masterName === undefined ? {} : { masterName: decode(masterName) }),
  };
}

/** The address without user and password, for logs. */
export function describeTarget(target: RedisTarget): string {
  const hosts = target.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  return `Redis ${target.kind} at ${hosts}`;
}

function parseLogin(login: string | undefined): { username?: string; password?: string } {
  if (login === undefined || login === '') return {};
  const colon = login.indexOf(':');
  // `redis://secret@host` is a user without a password to a URL, and a password to nobody.
  if (colon < 0) throw invalid('the part before @ has no colon; write :password@ or user:password@');
  const username = decode(login.slice(0, colon));
  const password = decode(login.slice(colon + 1));
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function parseNode(text: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]?#]+))(?::(\d{1,5}))?$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) throw invalid('a host is missing or not readable');
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port < 1 || port > 65_535) throw invalid('a port is not between 1 and 65535');
  return { host, port };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a part is not percent-encoded correctly');
  }
}

function invalid(why: string): StoreFault {
  return new StoreFault('STORE_URL_INVALID', `the Redis address cannot be read: ${why}; write ${FORMS}`);
}
