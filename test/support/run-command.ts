import { Readable, Writable } from 'node:stream';
import type { Command, CommandIo, ExitCode } from '../../server/commands/command.ts';

export interface CommandRun {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandSurroundings {
  readonly stdin?: Readable;
  /** Columns of a terminal; left out = no terminal. */
  readonly stdoutColumns?: number;
  readonly stderrColumns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly now?: () => number;
  readonly signal?: AbortSignal;
}

/** Runs a command in this process and keeps what it writes. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  surroundings: CommandSurroundings = {},
): Promise<CommandRun> {
  const stdout = new Paper(surroundings.stdoutColumns);
  const stderr = new Paper(surroundings.stderrColumns);
  const io: CommandIo = {
    stdin: surroundings.stdin ?? Readable.from([]),
    stdout,
    stderr,
    env: surroundings.env ?? {},
    now: surroundings.now ?? Date.now,
    signal: surroundings.signal ?? new AbortController().signal,
  };
  const code = await command.run(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Paper extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns: number | undefined) {
    super({ decodeStrings: false });
    this.isTTY = columns !== undefined;
    this.columns = columns ?? 80;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
