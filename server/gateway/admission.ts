import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AGENT_PATH, SUBPROTOCOL } from '../../protocol/limits.ts';
import type { GatewayLimits, GatewayOptions, Grant, RefusalReason } from './options.ts';

/** Milliseconds that a refused peer has to read why. */
const REFUSAL_READ_MS = 5_000;

/** Why an upgrade is refused, as HTTP. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly status: 400 | 401 | 403 | 404 | 429 | 503;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Admitted =
  | { readonly ok: true; readonly grant: Grant; readonly address: string }
  | { readonly ok: false; readonly refusal: Refusal };

/** Counts connections by address and by token, so that one of them cannot take all the places. */
export class Occupancy {
  total = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #byToken = new Map<string, number>();

  ofAddress(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  ofToken(agentLabel: string): number {
    return this.#byToken.get(agentLabel) ?? 0;
  }

  enter(address: string, agentLabel: string): void {
    this.total += 1;
    this.#byAddress.set(address, this.ofAddress(address) + 1);
    this.#byToken.set(agentLabel, this.ofToken(agentLabel) + 1);
  }

  leave(address: string, agentLabel: string): void {
    this.total -= 1;
    decrease(this.#byAddress, address);
    decrease(this.#byToken, agentLabel);
  }
}

function decrease(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

/** Judges an upgrade request before any WebSocket exists: what is refused here costs a few hundred bytes. */
export function admit(
  request: IncomingMessage,
  rules: {
    readonly isDraining: boolean;
    readonly occupancy: Occupancy;
    readonly limits: GatewayLimits;
    readonly authenticate: GatewayOptions['authenticate'];
  },
): Admitted {
  const { occupancy, limits } = rules;
  const address = request.socket.remoteAddress ?? '';
  if (request.url?.split('?', 1)[0] !== AGENT_PATH) {
    return no('not-found', 404, 'NOT_FOUND', `agents connect to ${AGENT_PATH}`);
  }
  if (rules.isDraining) {
    return no(
      'draining',
      503,
      'DRAINING',
      'the daemon is stopping; connect again in a moment',
      retryAfter(1),
    );
  }
  // A browser always sends Origin, an agent never: no page may use a visitor's place in the network.
  if (request.headers.origin !== undefined) {
    return no('origin', 403, 'ORIGIN_REFUSED', 'browsers are not served here; connect with an agent');
  }
  if (occupancy.total >= limits.connections) {
    const message = `all ${limits.connections} connections are taken; raise the daemon's limits.agents or add a daemon`;
    return no('too-many', 503, 'TOO_MANY_CONNECTIONS', message, retryAfter(30));
  }
  if (occupancy.ofAddress(address) >= limits.connectionsPerAddress) {
    const message = `your address has its ${limits.connectionsPerAddress} connections; close some or raise the daemon's limits.connectionsPerAddress`;
    return no('too-many-per-address', 429, 'TOO_MANY_PER_ADDRESS', message, retryAfter(30));
  }
  const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  const grant = token === undefined ? null : rules.authenticate(token);
  if (grant === null) {
    const message =
      token === undefined
        ? 'no bearer token; send one in the Authorization header'
        : 'the token is not known; correct it, or add it to the daemon';
    return no('unauthenticated', 401, 'UNAUTHENTICATED', message, { 'WWW-Authenticate': 'Bearer' });
  }
  if (occupancy.ofToken(grant.agentLabel) >= limits.connectionsPerToken) {
    const message = `the token has its ${limits.connectionsPerToken} connections; close some or raise the daemon's limits.connectionsPerToken`;
    return no('too-many-per-token', 429, 'TOO_MANY_PER_TOKEN', message, retryAfter(30));
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) {
    const message = `offer the WebSocket subprotocol ${SUBPROTOCOL}; an older or newer agent may speak another`;
    return no('subprotocol', 400, 'SUBPROTOCOL_REQUIRED', message);
  }
  return { ok: true, grant, address };
}

/** Answers on the raw socket, and makes sure that a peer which does not read cannot keep it. */
export function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  const body = JSON.stringify({ error: { code: refusal.code, message: refusal.message } });
  const headers = {
    Connection: 'close',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...refusal.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  if (socket instanceof Socket) socket.setTimeout(REFUSAL_READ_MS, () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_TEXT[refusal.status]}\r\n${lines.join('')}\r\n${body}`);
}

const STATUS_TEXT = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
} as const;

function retryAfter(seconds: number) {
  return { 'Retry-After': String(seconds) };
}

function no(
  reason: RefusalReason,
  status: Refusal['status'],
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Admitted {
  return { ok: false, refusal: { reason, status, code, message, headers } };
}
