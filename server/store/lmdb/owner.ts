import { randomUUID } from 'node:crypto';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreFault } from '../errors.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { isAlive, isComparable, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/*
 * One daemon per data directory. LMDB itself would let several write; the daemon would not bear it, because
 * each would hold its own agents' cursors and alerts.
 *
 * The owner's record lies in LMDB and is taken in a write transaction, so of two daemons that start at once one
 * wins. Whether a recorded owner still lives is asked of the kernel; where that says nothing (another container,
 * another boot) the time of the file `owner` does, which the owner touches every second. That can err, so every
 * transaction looks whether the directory is still its own.
 */
const TOUCH_EVERY_MS = 1_000;
/** An owner in another container that has not touched its file for this long is dead. */
const STALE_AFTER_MS = 10_000;
const KEY = Buffer.from('owner');
const FILE = 'owner';

interface OwnerRecord extends ProcessIdentity {
  readonly token: string;
  readonly host: string;
}

export interface Ownership {
  /** To be called in every write transaction. @throws StoreFault STORE_IN_USE once another daemon has taken over */
  assertHeld(): void;
  release(): void;
}

/** @throws StoreFault STORE_IN_USE when another daemon has the directory */
export async function takeOwnership(environment: Environment): Promise<Ownership> {
  const own: OwnerRecord = { ...ownIdentity(), host: hostname(), token: randomUUID() };
  const path = join(environment.directory, FILE);
  const firstTouchMs = touchedAtMs(path);
  while (!claim(environment, own, path)) {
    await sleep(TOUCH_EVERY_MS / 2);
    if (touchedAtMs(path) > firstTouchMs) throw inUse(environment);
  }
  writeFileSync(path, `${own.pid} on ${own.host}\n`);
  const timer = setInterval(() => touch(path), TOUCH_EVERY_MS);
  timer.unref();
  return {
    assertHeld() {
      if (recordOf(environment)?.token !== own.token) throw inUse(environment);
    },
    release() {
      clearInterval(timer);
      environment.root.transactionSync(() => {
        if (recordOf(environment)?.token === own.token) environment.meta.removeSync(KEY);
      });
    },
  };
}

/** Makes a copy of the books nobody's: whoever had the original may live on beside it. */
export async function forgetOwner(directory: string): Promise<void> {
  const { root, meta } = openEnvironment(directory, false);
  try {
    root.transactionSync(() => meta.removeSync(KEY));
  } finally {
    await root.close();
  }
}

/** @returns false when the owner may still live: either its file is touched again, or it grows stale */
function claim(environment: Environment, own: OwnerRecord, path: string): boolean {
  return environment.root.transactionSync(() => {
    const record = recordOf(environment);
    if (record !== null) {
      if (isComparable(record, own)) {
        if (isAlive(record)) throw inUse(environment);
      } else if (Date.now() - touchedAtMs(path) < STALE_AFTER_MS) {
        return false;
      }
    }
    environment.meta.putSync(KEY, Buffer.from(JSON.stringify(own)));
    return true;
  });
}

function recordOf(environment: Environment): OwnerRecord | null {
  const bytes = environment.meta.get(KEY);
  return bytes === undefined ? null : (JSON.parse(bytes.toString()) as OwnerRecord);
}

function touchedAtMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Number.NEGATIVE_INFINITY;
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Only the courtesy to a second daemon suffers; this one's transactions still look who owns the directory.
  }
}

function inUse(environment: Environment): StoreFault {
  const record = recordOf(environment);
  const who = record === null ? 'another process' : `process ${record.pid} on ${record.host}`;
  const message = `${who} uses ${environment.directory}; stop it, or give this daemon another directory or Redis`;
  return new StoreFault('STORE_IN_USE', message);
}
