import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from './disk.ts';

/** A holder that cannot be looked up is dead when it has not touched its lock for so long. */
const STALE_MS = {
  /** In another PID namespace of this machine, as a container that was killed and made anew: one clock, one disk. */
  elsewhereHere: 10_000,
  /** On another machine, whose disk may be slow and whose clock may be off. */
  otherMachine: 60_000,
} as const;
const TOUCH_MS = 2_500;
/** A lock touched so lately is held: it is stale for nobody. */
const FRESH_MS = 2 * TOUCH_MS;
const LOOK_EVERY_MS = 250;
/** Contenders look at each other so often, and for so long, while one of them takes the lock: a few milliseconds. */
const CONTEND_EVERY_MS = 5;
const CONTEND_MS = 10_000;
const CLAIM_PREFIX = 'lock.taking.';

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with its number: in a container every agent is process 1. */
  readonly startedAt: string;
  readonly host: string;
  /** In which `pid` is meant; empty where the system has none. A lock of an older agent lacks it. */
  readonly pidNamespace?: string;
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

/** Another process took the directory, as it may from one that was suspended for long. */
export class SpoolTakenError extends Error {
  readonly code = 'SPOOL_TAKEN';
  /** @param holder  undefined when it has let go again */
  constructor(directory: string, holder: Holder | undefined) {
    const taker = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
    super(
      `the spool ${directory} was taken over by ${taker}, as this one did not run for a while; let only one agent have it`,
    );
    this.name = 'SpoolTakenError';
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

export interface DirectoryLock {
  /**
   * To be asked before each write: whoever was suspended may have lost the directory meanwhile, and is not told. Looks
   * at the disk only when that may be.
   * @returns undefined while it is held
   */
  taken(): Promise<SpoolTakenError | undefined>;
  release(): Promise<void>;
}

/**
 * Takes the directory for this process. A lock whose process is gone is taken over; one whose process cannot be
 * looked up is waited for until it is touched or stale.
 *
 * A stale lock must not be deleted by name: another contender may have put its own there meanwhile. So each
 * contender first puts up a claim, a file of its own whose name is never used again, and touches the lock only
 * while it sees no other live claim: of two, the one that came second sees the first. A claim that a crash leaves
 * behind belongs to a dead process, and may be deleted by anybody at any time. The claim becomes the lock by being
 * renamed, which is one step and needs no links of the file system.
 *
 * @throws SpoolLockedError
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock');
  const claim = join(directory, `${CLAIM_PREFIX}${randomUUID()}`);
  const text = JSON.stringify(ownHolder());
  try {
    const deadlineMs = performance.now() + CONTEND_MS;
    for (let isAlone = false; !isAlone; ) {
      await waitForHolder(directory, path);
      const ahead = (await liveClaims(directory)).filter((one) => one.path < claim);
      if (ahead.length === 0) {
        await writeFile(claim, text, { flag: 'wx', mode: 0o600 });
        isAlone = (await isOnlyClaim(directory, claim)) && (await isFree(path));
        if (!isAlone) await rm(claim);
      } else if (performance.now() > deadlineMs) {
        throw new SpoolLockedError(directory, ahead[0]!.holder);
      } else await sleep(CONTEND_EVERY_MS);
    }
    await rename(claim, path);
  } finally {
    await rm(claim, { force: true });
  }
  return new HeldLock(directory, path, text);
}

class HeldLock implements DirectoryLock {
  readonly #directory: string;
  readonly #path: string;
  readonly #text: string;
  readonly #touching: NodeJS.Timeout;
  /** By both clocks: of a machine that slept one of them may have stood still. */
  #touchedAt = bothClocks();
  #looking: Promise<void> | undefined;
  #taken: SpoolTakenError | undefined;

  constructor(directory: string, path: string, text: string) {
    this.#directory = directory;
    this.#path = path;
    this.#text = text;
    this.#touching = setInterval(() => void this.#look(), TOUCH_MS);
    this.#touching.unref();
  }

  async taken(): Promise<SpoolTakenError | undefined> {
    if (!this.#isFresh) await this.#look();
    return this.#taken;
  }

  async release(): Promise<void> {
    clearInterval(this.#touching);
    await this.#looking;
    const holder = await this.#holder().catch(() => undefined);
    if (holder === 'this') await rm(this.#path, { force: true });
  }

  get #isFresh(): boolean {
    return bothClocks().every((ms, i) => Math.abs(ms - this.#touchedAt[i]!) < FRESH_MS);
  }

  /** One after the other; a fault of the disk says nothing about who has it. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAndTouch()
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #lookAndTouch(): Promise<void> {
    if (this.#taken) return;
    const isLate = !this.#isFresh;
    const at = bothClocks();
    if (!(await this.#isHeld(isLate))) return;
    const now = new Date();
    await utimes(this.#path, now, now);
    if (isLate) {
      // Whoever found the lock stale just before it was touched has put its own there by then.
      await sleep(LOOK_EVERY_MS);
      if (!(await this.#isHeld(true))) return;
    }
    this.#touchedAt = at;
  }

  /** @param isLate  the lock may have been stale for others: one who took it may have let it go again */
  async #isHeld(isLate: boolean): Promise<boolean> {
    const holder = await this.#holder();
    if (holder === 'this') return true;
    if (holder === undefined && !isLate) {
      // Somebody deleted it by hand.
      await writeFile(this.#path, this.#text, { flag: 'wx', mode: 0o600 });
      return true;
    }
    this.#taken = new SpoolTakenError(this.#directory, holder);
    clearInterval(this.#touching);
    return false;
  }

  /** @throws when that cannot be read */
  async #holder(): Promise<'this' | Holder | undefined> {
    try {
      const text = await readFile(this.#path, 'utf8');
      return text === this.#text ? 'this' : (JSON.parse(text) as Holder);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

function bothClocks(): readonly number[] {
  return [performance.now(), Date.now()];
}

/**
 * Resolves when nobody seems to hold the lock.
 * @throws SpoolLockedError when somebody does
 */
async function waitForHolder(directory: string, path: string): Promise<void> {
  let first: { readonly mtimeMs: number; readonly atMs: number } | undefined;
  for (;;) {
    const holder = await readHolder(path);
    if (!holder) return;
    const life = await lifeOf(holder, path);
    if (life === 'dead') return;
    const mtimeMs = await touchedAtMs(path);
    first ??= { mtimeMs, atMs: performance.now() };
    const isTouched = mtimeMs !== first.mtimeMs;
    // With clocks that differ the file may be of the future: no reason to wait for that.
    const isWaitedFor = performance.now() - first.atMs > STALE_MS.otherMachine;
    if (life === 'alive' || isTouched || isWaitedFor) throw new SpoolLockedError(directory, holder);
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * Whether a claim remains the only live one. Of several contenders the one whose name comes first waits until the
 * others have taken theirs down.
 */
async function isOnlyClaim(directory: string, own: string): Promise<boolean> {
  const deadlineMs = performance.now() + CONTEND_MS;
  while (performance.now() < deadlineMs) {
    const others = (await liveClaims(directory)).filter(({ path }) => path !== own);
    if (others.length === 0) return true;
    if (others.some(({ path }) => path < own)) return false;
    await sleep(CONTEND_EVERY_MS);
  }
  return false;
}

/** Good for as long as there is no other claim. */
async function isFree(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  return !holder || (await lifeOf(holder, path)) === 'dead';
}

/** Deletes those of the dead on the way. */
async function liveClaims(directory: string): Promise<{ path: string; holder: Holder }[]> {
  const live: { path: string; holder: Holder }[] = [];
  for (const name of await readdir(directory)) {
    if (!name.startsWith(CLAIM_PREFIX)) continue;
    const path = join(directory, name);
    // One without its content is being written, or was left so by a crash.
    const holder = (await readHolder(path)) ?? UNKNOWN;
    if ((await lifeOf(holder, path)) !== 'dead') live.push({ path, holder });
    else await rm(path, { force: true });
  }
  return live;
}

const UNKNOWN: Holder = { pid: 0, startedAt: '', host: 'an unknown host' };

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    // Gone, or cut off by a crash: nobody holds it.
    return undefined;
  }
}

function ownHolder(): Holder {
  const startedAt = startOf(process.pid) ?? '';
  return { pid: process.pid, startedAt, host: hostname(), pidNamespace: ownPidNamespace() };
}

function ownPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** `unsure`: it cannot be looked up, and has touched its file not long ago. */
async function lifeOf(holder: Holder, path: string): Promise<'alive' | 'dead' | 'unsure'> {
  const own = ownHolder();
  const pidNamespace = holder.pidNamespace ?? own.pidNamespace;
  if (holder.host !== own.host || pidNamespace !== own.pidNamespace) {
    const isHere = bootOf(holder) !== '' && bootOf(holder) === bootOf(own);
    const staleMs = isHere ? STALE_MS.elsewhereHere : STALE_MS.otherMachine;
    return Date.now() - (await touchedAtMs(path)) < staleMs ? 'unsure' : 'dead';
  }
  const startedAt = startOf(holder.pid);
  if (startedAt !== undefined) return startedAt === holder.startedAt ? 'alive' : 'dead';
  if (own.startedAt !== '') return 'dead';
  // No /proc on this system: ask for the process itself.
  try {
    process.kill(holder.pid, 0);
    return 'alive';
  } catch (error) {
    return isErrno(error, 'EPERM') ? 'alive' : 'dead';
  }
}

async function touchedAtMs(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}

/** When a process started, in the kernel's ticks since boot, with the boot's id; undefined when it is gone. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The name in parentheses may hold spaces; the state is the first field after it, and the start time the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // One that was killed and whose parent has not asked for it yet, as where a script is process 1, does nothing more.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Tells one kernel from another, whatever the hosts are called. */
function bootOf({ startedAt }: Holder): string {
  return startedAt.split(' ')[0] ?? '';
}
