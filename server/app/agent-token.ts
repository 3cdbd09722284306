import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Token } from '../http/access.ts';

const SECRET_BYTES = 24;

/**
 * The token with which agents connect when none is configured: made at the first start, kept in a file that only
 * its owner may read.
 * @param random  uniform bytes
 */
export function readOrMakeAgentToken(
  file: string,
  random: (bytes: number) => Buffer,
): { readonly token: Token; readonly isNew: boolean } {
  const tokenOf = (secret: string): Token => ({ name: 'generated', role: 'agent', services: 'all', secret });
  mkdirSync(dirname(file), { recursive: true });
  const secret = random(SECRET_BYTES).toString('hex');
  try {
    // 'wx' fails when the file is there, so of two daemons that start at once one makes it.
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    return { token: tokenOf(secret), isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const kept = readFileSync(file, 'utf8').trim();
  if (kept.length >= 16) return { token: tokenOf(kept), isNew: false };
  throw new AgentTokenUnusable(file);
}

export class AgentTokenUnusable extends Error {
  readonly code = 'AGENT_TOKEN_UNUSABLE';
  constructor(file: string) {
    super(
      `${file} holds no token of 16 characters or more; delete it, and a new one is made at the next start`,
    );
    this.name = 'AgentTokenUnusable';
  }
}
