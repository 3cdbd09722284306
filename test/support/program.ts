import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = resolve(fileURLToPath(new URL('.', import.meta.url)), locateDist());

// The same helper runs from source (vitest) and from dist/ (demo, benches).
function locateDist(): string {
  return import.meta.url.includes('/dist/test/') ? '../..' : '../../dist';
}

/** The two programs as users start them, from the build that `npm test` and `npm run` make first. */
export const PROGRAMS = {
  daemon: join(dist, 'server/main.js'),
  agent: join(dist, 'agent/main.js'),
} as const;

export interface RunningProgram {
  readonly pid: number;
  /** Everything it wrote on stderr, at most the last MiB. */
  log(): string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): Promise<void>;
}

const LOG_BYTES = 1024 * 1024;
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program in a process of its own; it is killed at the latest with the process that started it. */
export function startProgram(
  program: keyof typeof PROGRAMS,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): RunningProgram {
  const child = spawn(process.execPath, [PROGRAMS[program], ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let log = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    log = (log + text).slice(-LOG_BYTES);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((settle) => {
    child.on('exit', (code, signal) => {
      running.delete(child);
      settle({ code, signal });
    });
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? -1,
    log: () => log,
    exited,
    isRunning,
    kill: async (signal) => {
      if (isRunning()) child.kill(signal);
      await exited;
    },
  };
}
