import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { parseOptions, UsageFault, withFaults, write } from './usage.ts';

const USAGE = `Usage: roomwatch check-config FILE

Checks a configuration file and everything that it refers to, and says every fault at
once, each with its line, its path and the fix. Connects to nothing.

Exit codes: 0 valid, 1 not valid, 2 bad usage.
`;

export const checkConfigCommand: Command = {
  name: 'check-config',
  summary: 'check a configuration file; every fault at once, with its line',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => checkConfig(args, io)),
};

async function checkConfig(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { positionals } = parseOptions(args, {});
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) {
    throw new UsageFault('USAGE_INVALID', 'name one file, like: roomwatch check-config roomwatch.yaml');
  }
  const loaded = loadConfig({ file, env: io.env, cwd: process.cwd() });
  if (!loaded.ok) {
    const { length } = loaded.faults;
    const lines = [
      ...loaded.faults.map(faultText),
      `${file}: ${length} ${length === 1 ? 'fault' : 'faults'}`,
    ];
    await write(io.stderr, `${lines.join('\n')}\n`);
    return EXIT.no;
  }
  for (const warning of loaded.config.warnings) await write(io.stderr, `${file}: warning: ${warning}\n`);
  await write(io.stdout, `${file} is valid\n`);
  return EXIT.done;
}
