import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isErrno } from './disk.ts';

/** A holder on another host cannot be looked up; it is taken for dead when it has not touched its lock so long. */
const FOREIGN_STALE_MS = 60_000;
const TOUCH_MS = 15_000;

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with its number: in a container every agent is process 1. */
  readonly startedAt: string;
  readonly host: string;
}

export class SpoolLockedError extends Error {
  readonly code = 'SPOOL_LOCKED';
  constructor(directory: string, holder: Holder) {
    super(
      `the spool ${directory} is in use by process ${holder.pid} on ${holder.host}; stop that agent or give this one a directory of its own`,
    );
    this.name = 'SpoolLockedError';
  }
}

/** A spool was written to after its directory had been let go: a fault of the program, never of the disk. */
export class SpoolClosedError extends Error {
  readonly code = 'SPOOL_CLOSED';
  constructor(directory: string) {
    super(`the spool ${directory} is closed; open it again`);
    this.name = 'SpoolClosedError';
  }
}

/**
 * Takes the directory for this process. A lock whose process is gone is taken over.
 * @returns releases it
 * @throws SpoolLockedError
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock');
  const own: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? '', host: hostname() };
  const text = JSON.stringify(own);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    for (;;) {
      try {
        // Unlike an exclusive create, a link appears with its content; not every file system has links.
        await link(draft, path).catch((error: unknown) => {
          if (isErrno(error, 'EPERM', 'ENOTSUP', 'ENOSYS'))
            return writeFile(path, text, { flag: 'wx', mode: 0o600 });
          throw error;
        });
        break;
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
      const holder = await readHolder(path);
      if (holder && (await isAlive(holder, path))) throw new SpoolLockedError(directory, holder);
      // Renaming lets exactly one of several contenders take the stale lock away.
      const stale = `${path}.stale.${process.pid}`;
      await rename(path, stale).catch((error: unknown) => {
        if (!isErrno(error, 'ENOENT')) throw error;
      });
      await rm(stale, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
  const touching = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => {});
  }, TOUCH_MS);
  touching.unref();
  return async () => {
    clearInterval(touching);
    await rm(path, { force: true });
  };
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    // Gone, or cut off by a crash: nobody holds it.
    return undefined;
  }
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const touchedAtMs = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
    return Date.now() - touchedAtMs < FOREIGN_STALE_MS;
  }
  const startedAt = startOf(holder.pid);
  if (startedAt !== undefined) return startedAt === holder.startedAt;
  // No /proc on this system: ask for the process itself.
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** When a process started, in the kernel's ticks since boot, with the boot's id; undefined when it is gone. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The name in parentheses may hold spaces; start time is the twentieth field after it.
    return `${boot} ${fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}
