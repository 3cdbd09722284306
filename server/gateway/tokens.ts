import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Finds whose token was presented. Every known token is compared, by its hash, in constant time: neither how
 * much of a guess is right nor which token it is near shows in the time.
 * @param entries  secrets with what they grant
 */
export function createTokenCheck<T>(
  entries: readonly { readonly token: string; readonly grant: T }[],
): (token: string) => T | null {
  const known = entries.map(({ token, grant }) => ({ hash: hashOf(token), grant }));
  return (token) => {
    const presented = hashOf(token);
    let found: T | null = null;
    for (const { hash, grant } of known) if (timingSafeEqual(hash, presented)) found = grant;
    return found;
  };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
