import type { Readable, Writable } from 'node:stream';

/** What a command may touch of its process, so that it runs the same under a test. */
export interface CommandIo {
  readonly stdin: Readable;
  /** The answer, and nothing else. */
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Logs, progress, faults. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  now(): number;
  /** Aborted on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Exit codes of every command. */
export const EXIT = { done: 0, no: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Command {
  readonly name: string;
  /** One line for the list in `roomwatch --help`. */
  readonly summary: string;
  /** The whole text of `roomwatch NAME --help`. */
  readonly usage: string;
  run(args: readonly string[], io: CommandIo): Promise<ExitCode>;
}
