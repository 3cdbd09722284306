import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { setFolderAside } from './aside.ts';
import { type Disk, makeDirectory, replaceFile } from './disk.ts';
import { readAround } from './read-around.ts';

/**
 * Who the spool says it is. The id was drawn when the spool was made; the fingerprint beside it tells the
 * original from a copy in a cloned machine image, which must not go on under the same id: two producers with
 * one sequence of numbers would each be taken for repeats of the other.
 */
export interface Identity {
  readonly producerId: string;
  readonly host: string;
  /** Of the spool's directory: a copy within one machine has another. */
  readonly inode: number;
}

const FILE = 'identity.json';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export type FoundIdentity =
  | { readonly status: 'own' | 'new'; readonly identity: Identity }
  /** The spool is a copy: `foreign` is its original's. */
  | { readonly status: 'copied'; readonly identity: Identity; readonly foreign: Identity };

/**
 * @param hostId  names the machine when its own id will not do, e.g. in containers that get a new name each time
 */
export async function findIdentity(disk: Disk, directory: string, hostId?: string): Promise<FoundIdentity> {
  const host = hostId ?? (await machineName());
  const inode = (await stat(directory)).ino;
  const fresh = { producerId: randomUUID(), host, inode };
  const stored = await readIdentity(disk, directory);
  if (!stored) {
    // Without the file, the folder that it named still does: a new id would count what was sent twice.
    const orphan = (await readdir(directory)).filter((name) => UUID.test(name));
    if (orphan.length !== 1) return { status: 'new', identity: fresh };
    return { status: 'own', identity: { ...fresh, producerId: orphan[0]! } };
  }
  if (stored.host === host && stored.inode === inode) return { status: 'own', identity: stored };
  return { status: 'copied', identity: fresh, foreign: stored };
}

/** Makes the identity's folder the current one. */
export async function adoptIdentity(disk: Disk, directory: string, identity: Identity): Promise<void> {
  await makeDirectory(disk, join(directory, identity.producerId));
  const body = JSON.stringify(identity);
  const content = Buffer.from(`${checksum(body)} ${body}\n`);
  const path = join(directory, FILE);
  if (!(await readAround(disk, path)).bytes.equals(content)) await replaceFile(disk, path, content);
}

/** Moves the folders of all other identities to `aside`. */
export async function setOthersAside(
  disk: Disk,
  directory: string,
  { identity, aside }: { identity: Identity; aside: string },
): Promise<void> {
  const others = (await readdir(directory)).filter((name) => UUID.test(name) && name !== identity.producerId);
  for (const name of others) await setFolderAside(disk, join(directory, name), aside, name);
  if (others.length > 0) await disk.syncDirectory(directory);
}

async function readIdentity(disk: Disk, directory: string): Promise<Identity | undefined> {
  const { bytes } = await readAround(disk, join(directory, FILE));
  const text = bytes.toString('utf8').trimEnd();
  const body = text.slice(CHECKSUM_DIGITS + 1);
  return text.slice(0, CHECKSUM_DIGITS) === checksum(body) ? (JSON.parse(body) as Identity) : undefined;
}

const CHECKSUM_DIGITS = 8;

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_DIGITS, '0');
}

const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'] as const;

/**
 * What tells this machine from a clone. The host's name only where there is no id: a machine may be renamed,
 * and a container that is made anew on the same volume gets another name.
 */
export async function machineName(files: readonly string[] = MACHINE_ID_FILES): Promise<string> {
  for (const path of files) {
    const id = (await readFile(path, 'utf8').catch(() => '')).trim();
    if (id !== '') return id;
  }
  return hostname();
}
