import { accessSync, closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { StoreFault } from '../errors.ts';
import { assertBooks } from './assert-books.ts';

export type Bytes = Database<Buffer, Buffer>;

/** One LMDB environment, `roomwatch.mdb` in the data directory, and the databases in it. */
export interface Environment {
  readonly directory: string;
  readonly isReadOnly: boolean;
  readonly root: RootDatabase<Buffer, Buffer>;
  /** 'store-id', 'owner', 'ping' */
  readonly meta: Bytes;
  /** service -> '' */
  readonly services: Bytes;
  /** producer -> last epoch handed out */
  readonly epochs: Bytes;
  /** service, producer -> "epoch seq day digest" */
  readonly cursors: Bytes;
  /** service, page -> encoded page (`page-codec.ts`) */
  readonly pages: Bytes;
  /** service, page -> times written */
  readonly revisions: Bytes;
  /** service, hour -> JSON [[packed origin, count], ...] */
  readonly origins: Bytes;
  /** topic, number -> JSON entry */
  readonly journal: Bytes;
  /** service -> JSON {version, token, state} */
  readonly ledger: Bytes;
  /** service, id -> JSON {dueAtMs, leaseUntilMs, token, attempts, entry} */
  readonly outbox: Bytes;
  /** service, id -> token under which it was settled */
  readonly settled: Bytes;
  /** service, token -> id, to find the oldest of `settled` */
  readonly settledOrder: Bytes;
  /**
   * service, page -> encoded callbacks of the page (`page-codec.ts`), where there are any; undefined when books
   * that an older version of the daemon made are opened for reading
   */
  readonly callbacks: Bytes | undefined;
}

const NAMES = [
  'meta',
  'services',
  'epochs',
  'cursors',
  'pages',
  'revisions',
  'origins',
  'journal',
  'ledger',
  'outbox',
  'settled',
  'settledOrder',
] as const;
const CALLBACKS = 'callbacks';
/** All of the books, in their directory. */
export const BOOKS_FILE = 'roomwatch.mdb';

/** @throws StoreFault STORE_MISSING when there is nothing to read, STORE_DAMAGED or STORE_UNSUITABLE when it cannot be opened */
export function openEnvironment(directory: string, isReadOnly: boolean): Environment {
  try {
    return openDatabases(directory, isReadOnly);
  } catch (error) {
    if (error instanceof StoreFault) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreFault(
      'STORE_UNSUITABLE',
      `the books in ${directory} cannot be opened (${why}); give this user a directory it can write, with nothing else in it`,
      { cause: error },
    );
  }
}

function openDatabases(directory: string, isReadOnly: boolean): Environment {
  const path = join(directory, BOOKS_FILE);
  if (isReadOnly) assertPresent(path, directory);
  else mkdirSync(directory, { recursive: true });
  assertBooks(path);
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: NAMES.length + 2,
    readOnly: isReadOnly,
    // Committed shall mean flushed: with it, a promise would resolve before the disk has the data.
    overlappingSync: false,
    // With it, every failed commit rejects a promise that nobody holds, which would end the process.
    eventTurnBatching: false,
  });
  // In a read-only environment lmdb answers undefined for a database that was never made.
  const openOne = (name: string): Bytes | undefined =>
    root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
  const databases = {} as Record<(typeof NAMES)[number], Bytes>;
  for (const name of NAMES) {
    const database = openOne(name);
    if (database === undefined) throw missing(directory);
    databases[name] = database;
  }
  const callbacks = openOne(CALLBACKS);
  if (!isReadOnly) flushNames(directory);
  return { directory, isReadOnly, root, ...databases, callbacks };
}

/** LMDB flushes the file but not its name: after a power failure a new file could be gone, with all in it. */
function flushNames(directory: string): void {
  for (const path of [directory, dirname(directory)]) {
    const handle = openSync(path, 'r');
    fsyncSync(handle);
    closeSync(handle);
  }
}

function assertPresent(path: string, directory: string): void {
  try {
    accessSync(path);
  } catch {
    throw missing(directory);
  }
}

function missing(directory: string): StoreFault {
  const message = `there are no books in ${directory}; start the daemon on it first, or correct store.directory`;
  return new StoreFault('STORE_MISSING', message);
}
