import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DirectoryLock, lockDirectory } from '../../../agent/spool/lock.ts';
import { waitFor } from '../../support/wait-for.ts';
import { temporaryFolder } from './spool-folder.ts';

let folder: string;
let lock: string;
const locks: DirectoryLock[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  lock = join(folder, 'lock');
});

afterEach(async () => {
  for (const one of locks.splice(0)) await one.release();
  await rm(folder, { recursive: true, force: true });
});

/** No process has this number. */
const DEAD = { pid: 4_194_304, startedAt: 'never', host: hostname(), pidNamespace: '' };
const { pidNamespace: _, ...OF_OLDER_AGENT } = DEAD;
const ELSEWHERE = { ...DEAD, pidNamespace: 'pid:[1]' };

/** As a process of this machine writes its lock. */
function holderOf(pid: number): object {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const pidNamespace = readlinkSync('/proc/self/ns/pid');
  return { pid, startedAt: `${boot} ${fields[19]}`, host: hostname(), pidNamespace };
}

async function take(): Promise<void> {
  locks.push(await lockDirectory(folder));
}

/** @returns how many of the contenders hold it */
async function contend(contenders: number): Promise<number> {
  const taken = await Promise.allSettled(Array.from({ length: contenders }, () => lockDirectory(folder)));
  const held = taken.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  for (const one of taken) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'SPOOL_LOCKED' });
  }
  locks.push(...held);
  return held.length;
}

async function writeLock(holder: object, touchedAgoMs = 0): Promise<void> {
  await writeFile(lock, JSON.stringify(holder));
  const touchedAt = new Date(Date.now() - touchedAgoMs);
  await utimes(lock, touchedAt, touchedAt);
}

describe('the lock of a spool', () => {
  it('that a dead process left is taken over by exactly one of many contenders', async () => {
    const holders: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      await writeLock(OF_OLDER_AGENT);
      holders.push(await contend(8));
      for (const one of locks.splice(0)) await one.release();
    }
    expect(holders).toEqual(holders.map(() => 1));
    expect(await readdir(folder)).toEqual([]);
  });

  it('that a dead process left is taken over by exactly one of several processes that start together', {
    timeout: 60_000,
  }, async () => {
    const processes = [startContender(), startContender(), startContender()];
    const holders: number[] = [];
    try {
      await Promise.all(processes.map(heard));
      for (let round = 0; round < 200; round += 1) {
        const directory = await mkdtemp(join(folder, 'spool-'));
        await writeFile(join(directory, 'lock'), JSON.stringify(OF_OLDER_AGENT));
        const answers = processes.map(heard);
        // At the same millisecond, or the first would be done before the others begin.
        for (const one of processes) one.send({ directory, atMs: Date.now() + 3 });
        const taken = await Promise.all(answers);
        holders.push(taken.filter((one) => one === 'held').length);
        expect(taken.filter((one) => one !== 'held' && one !== 'SPOOL_LOCKED')).toEqual([]);
      }
    } finally {
      for (const one of processes) one.kill('SIGKILL');
    }
    expect(holders).toEqual(holders.map(() => 1));
  });

  it('is taken by exactly one of many contenders when there is none', async () => {
    expect(await contend(16)).toBe(1);
    expect(await readdir(folder)).toEqual(['lock']);
  });

  it('is taken over although a crash in the middle of taking it over left a claim', async () => {
    await writeLock(OF_OLDER_AGENT);
    const longAgo = new Date(Date.now() - 120_000);
    await writeFile(join(folder, 'lock.taking.0'), JSON.stringify(DEAD));
    await utimes(join(folder, 'lock.taking.0'), longAgo, longAgo);
    await writeFile(join(folder, 'lock.taking.1'), '');
    await utimes(join(folder, 'lock.taking.1'), longAgo, longAgo);
    await take();
    expect(await readdir(folder)).toEqual(['lock']);
  });

  it('of another PID namespace is not taken from a process that touches it: its number means another there', async () => {
    await writeLock(ELSEWHERE, 3_000);
    const touching = setInterval(() => {
      const now = new Date();
      void utimes(lock, now, now);
    }, 100);
    try {
      await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
    } finally {
      clearInterval(touching);
    }
    expect(JSON.parse(await readFile(lock, 'utf8'))).toEqual(ELSEWHERE);
  });

  it('of another PID namespace or host is waited for until it is stale, and then taken over', async () => {
    await writeLock({ ...DEAD, host: 'another' }, 59_500);
    await take();
    await locks.pop()!.release();
    // On the same kernel a sixth of the time will do.
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    await writeLock({ ...ELSEWHERE, startedAt: `${boot} 1` }, 9_500);
    await take();
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid });
  });

  it('is taken over from a process that was killed and that nobody has waited for', async () => {
    // A shell that never waits, as a container's first process may be, and its child.
    const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [printed] = (await once(shell.stdout, 'data')) as [Buffer];
      const pid = Number(printed.toString());
      await writeLock(holderOf(pid));
      await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
      process.kill(pid, 'SIGKILL');
      await waitFor('the zombie', () => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
      await take();
    } finally {
      shell.kill('SIGKILL');
    }
  });

  it('is not deleted by one that lost it', async () => {
    const lost = await lockDirectory(folder);
    await writeLock(ELSEWHERE);
    await lost.release();
    expect(JSON.parse(await readFile(lock, 'utf8'))).toEqual(ELSEWHERE);
  });

  it('that somebody deleted is put back by its holder, and taken from it by another', async () => {
    await take();
    await rm(lock);
    await waitFor('the lock', async () => (await readdir(folder)).includes('lock'));
    expect(await locks[0]!.taken()).toBeUndefined();
    await writeLock(ELSEWHERE);
    await waitFor('it to be known', async () => (await locks[0]!.taken())?.code === 'SPOOL_TAKEN');
    // The other one's touches are its own: who lost it must not make it look alive.
    const { mtimeMs } = await stat(lock);
    await locks[0]!.taken();
    expect((await stat(lock)).mtimeMs).toBe(mtimeMs);
  }, 20_000);

  it.each([
    ['to another', () => writeLock(ELSEWHERE)],
    ['to another that has let it go again', () => rm(lock)],
  ])(
    'is known to be lost %s at once by a process that was suspended',
    async (_, lose) => {
      const holder = startContender();
      try {
        await heard(holder);
        holder.send({ directory: folder, atMs: Date.now() });
        expect(await heard(holder)).toBe('held');
        holder.kill('SIGSTOP');
        await lose();
        // Longer than a lock is good for without being touched; half of what makes it stale for others.
        await sleep(5_500);
        holder.send('taken?');
        holder.kill('SIGCONT');
        expect(await heard(holder)).toBe('SPOOL_TAKEN');
      } finally {
        holder.kill('SIGKILL');
      }
    },
    20_000,
  );
});

/** What a contender says next. */
async function heard(contender: ChildProcess): Promise<unknown> {
  const [word] = (await once(contender, 'message')) as [unknown];
  return word;
}

/** A process of its own, with the built program: the steps of one process alone hardly ever overlap. */
function startContender(): ChildProcess {
  const lockModule = fileURLToPath(new URL('../../../dist/agent/spool/lock.js', import.meta.url));
  const script = `
    import { lockDirectory } from ${JSON.stringify(lockModule)};
    let held;
    process.on('message', (message) => {
      const answer = (step, said) =>
        step.then(said, (error) => error.code ?? error.message).then((word) => process.send(word));
      if (message === 'taken?') return answer(held.taken(), (taken) => taken?.code ?? 'still held');
      while (Date.now() < message.atMs);
      answer(lockDirectory(message.directory), (lock) => {
        held = lock;
        return 'held';
      });
    });
    process.send('ready');
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}
