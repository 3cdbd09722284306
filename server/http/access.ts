import type { IncomingHttpHeaders } from 'node:http';
import type { TokenRole } from '../config/schema.ts';
import { createTokenCheck } from '../gateway/tokens.ts';
import { type Answer, refusal } from './answer.ts';

/** A bearer token of the configuration. */
export interface Token {
  readonly name: string;
  readonly role: TokenRole;
  readonly services: 'all' | readonly string[];
  readonly secret: string;
}

/** Who asks: a token's holder, or anybody on this machine. */
export interface Caller {
  readonly name: string;
  readonly role: TokenRole;
  readonly services: 'all' | readonly string[];
}

/** What a route needs: nothing, the right to read, to read the metrics, or to change what is in force. */
export type Need = 'nothing' | 'read' | 'metrics' | 'write';

export interface AccessRules {
  readonly tokens: readonly Token[];
  /** The address that the daemon listens on; reading is open when it is loopback. */
  readonly host: string;
  readonly areMetricsOpen: boolean;
}

const ANYBODY: Caller = { name: 'anonymous', role: 'reader', services: 'all' };

export class Access {
  private readonly check: (secret: string) => Token | null;
  private readonly rules: AccessRules;

  constructor(rules: AccessRules) {
    this.rules = rules;
    this.check = createTokenCheck(rules.tokens.map((token) => ({ token: token.secret, grant: token })));
  }

  /** @returns null for no or an unknown token; in constant time */
  tokenOf(authorization: string | undefined): Token | null {
    const secret = /^Bearer +([\x21-\x7e]{1,512}) *$/i.exec(authorization ?? '')?.[1];
    return secret === undefined ? null : this.check(secret);
  }

  /** Whose secret it is, if it may send outcomes. */
  agentOf(secret: string): Token | null {
    const token = this.check(secret);
    return token?.role === 'reader' ? null : token;
  }

  /** @returns who asks, or why they may not */
  admit(headers: IncomingHttpHeaders, need: Need): Caller | Answer {
    if (need === 'nothing') return ANYBODY;
    const token = this.tokenOf(headers.authorization);
    if (token) {
      if (token.role === 'admin' || (token.role === 'reader' && need !== 'write')) return token;
      const role = need === 'write' ? 'admin' : 'reader or admin';
      return refusal('FORBIDDEN', `the token ${token.name} has the role ${token.role}; this needs ${role}`);
    }
    if (headers.authorization !== undefined) {
      return unauthenticated('the token is not known here; check the Authorization header');
    }
    if (need === 'metrics' && this.rules.areMetricsOpen) return ANYBODY;
    if (need !== 'write' && this.isLocal(headers.host)) return ANYBODY;
    const role = need === 'write' ? 'admin' : 'reader';
    return unauthenticated(
      `send "Authorization: Bearer TOKEN" with a token of role ${role} from the configuration`,
    );
  }

  /**
   * Reading is open to this machine alone. The Host header too must name it: otherwise a page in a browser
   * could read through a name of its own that resolves to 127.0.0.1, and so could all that a proxy lets in.
   */
  private isLocal(hostHeader: string | undefined): boolean {
    return isLoopback(this.rules.host) && isLoopback((hostHeader ?? '').replace(/:\d+$/, ''));
  }
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

export function mayTouch(caller: Caller, service: string): boolean {
  return caller.services === 'all' || caller.services.includes(service);
}

function unauthenticated(message: string): Answer {
  return refusal('UNAUTHENTICATED', message, { headers: { 'www-authenticate': 'Bearer realm="roomwatch"' } });
}
