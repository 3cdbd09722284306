import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PROGRAMS } from '../support/program.ts';
import type { Vitals } from './soak-vitals.ts';

/** One of the two programs as users start it, which also says what memory it uses. */
export interface WatchedProgram {
  vitals(): Promise<Vitals>;
  /** The last of what it wrote on stderr. */
  log(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

const LOG_CHARACTERS = 8_192;
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startWatched(
  program: keyof typeof PROGRAMS,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): WatchedProgram {
  const preload = new URL('./soak-vitals.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--import', preload, PROGRAMS[program], ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  running.add(child);
  let log = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARACTERS);
  });
  const exited = once(child, 'exit').then(() => running.delete(child));
  return {
    log: () => log,
    vitals: async () => {
      const answer = once(child, 'message');
      child.send('vitals');
      return (await answer)[0] as Vitals;
    },
    kill: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}
