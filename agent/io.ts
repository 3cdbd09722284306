import type { Readable, Writable } from 'node:stream';
import { type DestinationStream, pino } from 'pino';
import type { Log } from './log.ts';

/** What the program may touch of its process, so that it runs the same under a test. */
export interface AgentIo {
  readonly stdin: Readable & { readonly fd?: number };
  /** The answer, and nothing else. */
  readonly stdout: Writable;
  /** Logs and faults. */
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted on SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
}

/** 0 done, 1 the answer is no, 2 bad usage or configuration. */
export const EXIT = { done: 0, no: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One event, one line of JSON. */
export function createLog(level: string, destination: Writable): Log {
  const stream: DestinationStream = { write: (line) => void destination.write(line) };
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, stream);
}
