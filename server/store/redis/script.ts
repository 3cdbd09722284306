import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script of this folder, known to Redis by the SHA-1 of its text. */
export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

function script(name: string): Script {
  const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** `name-<keys>`; the header of each file states its promise, keys, arguments and result. */
export const SCRIPTS = {
  apply: script('apply-n'),
  nextEpoch: script('next-epoch-1'),
  raise: script('raise-1'),
  append: script('append-1'),
  commit: script('commit-4'),
  claim: script('claim-3'),
  settle: script('settle-3'),
} as const;
