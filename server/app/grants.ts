import { isDeepStrictEqual } from 'node:util';
import type { Grant } from '../gateway/options.ts';
import type { Access, Token } from '../http/access.ts';

/** What agents may do by the tokens in force: one grant for each token, however many agents connect with it. */
export class Grants {
  private readonly access: () => Access;
  private readonly byToken = new WeakMap<Token, Grant>();
  private readonly tokens = new WeakMap<Grant, Token>();

  /** @param access  as configured now */
  constructor(access: () => Access) {
    this.access = access;
  }

  /** @returns null when agents may not connect with this secret */
  readonly authenticate = (secret: string): Grant | null => {
    const token = this.access().agentOf(secret);
    if (!token) return null;
    const known = this.byToken.get(token);
    if (known) return known;
    const services = token.services === 'all' ? 'all' : new Set(token.services);
    const grant: Grant = { agentLabel: token.name, services };
    this.byToken.set(token, grant);
    this.tokens.set(grant, token);
    return grant;
  };

  /** @returns what its token gives now: the same object when nothing has changed, null when it is withdrawn */
  readonly renewed = (grant: Grant): Grant | null => {
    const token = this.tokens.get(grant);
    if (!token) return null;
    const now = this.access().agentOf(token.secret);
    return isDeepStrictEqual(now, token) ? grant : this.authenticate(token.secret);
  };
}
