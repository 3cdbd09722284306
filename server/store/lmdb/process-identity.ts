import { readFileSync, readlinkSync } from 'node:fs';

/** Names one process of one machine, so that a process id that was used again is not taken for its first owner. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process; '' where there is no /proc. */
  readonly startTicks: string;
  readonly bootId: string;
  /** Two containers may use the same process ids. */
  readonly pidNamespace: string;
}

export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTicks: statOf(process.pid)?.startTicks ?? '',
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
  };
}

/** Whether process ids of `other` mean the same here. */
export function isComparable(other: ProcessIdentity, own: ProcessIdentity): boolean {
  return other.bootId === own.bootId && other.pidNamespace === own.pidNamespace;
}

/** @param identity comparable with this process */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.startTicks !== '') {
    const stat = statOf(identity.pid);
    // A zombie has let go of its files already.
    return stat !== null && stat.startTicks === identity.startTicks && stat.state !== 'Z';
  }
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function statOf(pid: number): { readonly state: string; readonly startTicks: string } | null {
  const text = orEmpty(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (text === '') return null;
  // The second field, the program's name, is in parentheses and may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
