import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { isErrno } from '../spool/disk.ts';

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/**
 * What a path leads to through symbolic links: rotation gives its names beside that file, and after its name. The
 * path as it was configured still names the position.
 */
export class LinkTarget {
  readonly #path: string;
  #last: string;

  constructor(path: string) {
    this.#path = path;
    this.#last = path;
  }

  /** @returns a path that is no link, whether there is a file or not; the last one while there is no link either */
  async resolve(): Promise<string> {
    const target = await follow(this.#path);
    if (target !== undefined) this.#last = target;
    return this.#last;
  }
}

/** @returns undefined when there is nothing at `path` */
async function follow(path: string): Promise<string | undefined> {
  let at = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    let to: string;
    try {
      to = await readlink(at);
    } catch (error) {
      if (links > 0) return tidy(at);
      // Whatever else it is, it is no link.
      return isErrno(error, 'ENOENT') ? undefined : path;
    }
    // Not simplified: what stands before a `..` may be a link itself.
    at = isAbsolute(to) ? to : `${dirname(at)}/${to}`;
  }
  return path;
}

async function tidy(path: string): Promise<string> {
  const folder = dirname(path);
  return join(await realpath(folder).catch(() => folder), basename(path));
}
