import { type ParseArgsConfig, parseArgs } from 'node:util';
import { parseInstant } from '../../sla/instant.ts';
import { nearestWord } from '../../sla/nearest.ts';
import { SERVICE_PATTERN } from '../../sla/outcome.ts';
import { quote } from '../../sla/text.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** A command line or an input that cannot be taken: a stable code, and a sentence with field, value and fix. */
export class UsageFault extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageFault';
    this.code = code;
  }
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Node's own parser with messages that say what to do.
 * @throws UsageFault USAGE_INVALID
 */
export function parseOptions<const T extends Options>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      const given = /'(-[^']*)'/.exec(message)?.[1] ?? '';
      const known = Object.keys(options).map((name) => `--${name}`);
      const near = nearestWord(given, known);
      const list = known.length === 0 ? 'there is none' : `known are ${known.join(', ')}`;
      const fix = near === undefined ? list : `did you mean ${near}?`;
      throw new UsageFault('USAGE_INVALID', `${given} is not an option here; ${fix}`, { cause: error });
    }
    // "Option '--month <value>' argument missing", "Option '--json' does not take an argument".
    const name = /'(-[^ ']*)/.exec(message)?.[1] ?? 'an option';
    const sentence = message.includes('does not take')
      ? `${name} takes no value; leave out what follows the =`
      : `${name} has no value; write ${name} VALUE, or ${name}=VALUE if it begins with a dash`;
    throw new UsageFault('USAGE_INVALID', sentence, { cause: error });
  }
}

/** @throws UsageFault for a word that no option asked for */
export function noPositionals(positionals: readonly string[]): void {
  if (positionals.length === 0) return;
  const message = `${quote(positionals[0])} is no option; everything here is given as --name VALUE`;
  throw new UsageFault('USAGE_INVALID', message);
}

/** @throws UsageFault when the option was not given */
export function required(name: string, value: string | undefined, example: string): string {
  if (value !== undefined && value !== '') return value;
  throw new UsageFault('USAGE_INVALID', `--${name} is missing; give it, like --${name} ${example}`);
}

/** @throws UsageFault unless the option names a service */
export function serviceOption(value: string | undefined): string {
  const service = required('service', value, 'acme');
  if (SERVICE_PATTERN.test(service)) return service;
  const rule = 'write 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit';
  throw new UsageFault('USAGE_INVALID', `--service is ${quote(service)}; ${rule}`);
}

/** @throws UsageFault unless the option is an instant */
export function instantOption(name: string, value: string): number {
  const atMs = parseInstant(value);
  if (atMs !== undefined) return atMs;
  const rule = 'write RFC 3339 with an offset, like 2026-11-03T10:00:00+08:00';
  throw new UsageFault('USAGE_INVALID', `--${name} is ${quote(value)}; ${rule}`);
}

/** Runs a command's body; a fault with a code of its own becomes a line on stderr and exit code 2. */
export async function withFaults(io: CommandIo, body: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    await write(io.stderr, `${error.code}: ${error.message}\n`);
    return EXIT.usage;
  }
}

/** Writes all of a text, at the reader's pace. */
export function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Columns of an output that has none, as a file or a pipe. */
export const COLUMNS_DEFAULT = 80;

/** How a report for people is laid out on this output; no colour but on a terminal (and see no-color.org). */
export function styleOf({ stdout, env }: CommandIo): { columns: number; isColoured: boolean } {
  return { columns: stdout.columns ?? COLUMNS_DEFAULT, isColoured: stdout.isTTY === true && !env.NO_COLOR };
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
