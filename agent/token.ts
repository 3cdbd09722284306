import { readFile } from 'node:fs/promises';
import { isErrno } from './spool/disk.ts';

export interface TokenPlaces {
  /** As given in the configuration or the environment; an empty one is a variable that was not filled in. */
  readonly token?: string | undefined;
  readonly tokenFile?: string;
  /** Where a daemon beside this agent writes one at its first start. */
  readonly generatedFile: string;
}

/**
 * The bearer token, read anew for each connection: a rotated file, or a daemon that is started later, is found
 * without a restart.
 * @throws with a sentence that says what to do
 */
export async function readToken({ token, tokenFile, generatedFile }: TokenPlaces): Promise<string> {
  if (token) return sound(token, 'the token', 'copy it from the daemon’s configuration');
  if (tokenFile !== undefined) {
    const text = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Error(
        `the token file ${tokenFile} cannot be read (${error.code}); create it or correct the path`,
      );
    });
    return soundFile(text, tokenFile);
  }
  let text: string;
  try {
    text = await readFile(generatedFile, 'utf8');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new Error('there is no token; set ROOMWATCH_TOKEN or give --token-file');
  }
  return soundFile(text, generatedFile);
}

function soundFile(text: string, path: string): string {
  const name = `the token file ${path}`;
  if (text.trim() === '') throw new Error(`${name} is empty; write the token into it`);
  return sound(text.trim(), name, 'write the token into it, and nothing else');
}

/** It goes into a header, where anything else ends in a fault that names neither the token nor its place. */
function sound(token: string, name: string, fix: string): string {
  if (/[\r\n]/.test(token)) throw new Error(`${name} has more than one line; ${fix}`);
  const wrong = /[^\x21-\x7e]/u.exec(token)?.[0];
  if (wrong === undefined) return token;
  // Only that one character is told: it is what to look for, and the rest is secret.
  const point = wrong.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new Error(`${name} has a character that no token has (U+${point}); ${fix}`);
}
