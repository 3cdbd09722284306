import { readFile } from 'node:fs/promises';
import { isErrno } from './spool/disk.ts';

export interface TokenPlaces {
  /** As given in the configuration or the environment. */
  readonly token?: string;
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
  if (token !== undefined) return token;
  if (tokenFile !== undefined) {
    const text = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Error(
        `the token file ${tokenFile} cannot be read (${error.code}); create it or correct the path`,
      );
    });
    if (text.trim() === '') throw new Error(`the token file ${tokenFile} is empty; write the token into it`);
    return text.trim();
  }
  try {
    return (await readFile(generatedFile, 'utf8')).trim();
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new Error('there is no token; set ROOMWATCH_TOKEN or give --token-file');
  }
}
