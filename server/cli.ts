import { nearestWord } from '../sla/nearest.ts';
import { quote } from '../sla/text.ts';
import { backupCommand } from './commands/backup.ts';
import { checkConfigCommand } from './commands/check-config.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './commands/command.ts';
import { explainCommand } from './commands/explain.ts';
import { replayCommand } from './commands/replay.ts';
import { serveCommand } from './commands/serve.ts';
import { statementCommand } from './commands/statement.ts';
import { termsCommand } from './commands/terms.ts';
import { testNotifyCommand } from './commands/test-notify.ts';
import { write } from './commands/usage.ts';
import { verifyCommand } from './commands/verify.ts';
import { VERSION } from './version.ts';

const COMMANDS: readonly Command[] = [
  serveCommand,
  checkConfigCommand,
  replayCommand,
  explainCommand,
  statementCommand,
  verifyCommand,
  termsCommand,
  testNotifyCommand,
  backupCommand,
];

/** `roomwatch ARGS`. The answer goes to stdout, everything else to stderr. */
export async function runCli(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined) {
    await write(io.stderr, help());
    return EXIT.usage;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const about = COMMANDS.find((command) => command.name === rest[0]);
    await write(io.stdout, about ? about.usage : help());
    return EXIT.done;
  }
  if (name === '--version') {
    await write(io.stdout, `${VERSION}\n`);
    return EXIT.done;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (!command) {
    const nearest = nearestWord(
      name,
      COMMANDS.map((one) => one.name),
    );
    const fix = nearest ? `did you mean ${nearest}?` : 'see roomwatch --help';
    await write(io.stderr, `USAGE_INVALID: ${quote(name)} is no command; ${fix}\n`);
    return EXIT.usage;
  }
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (options.includes('--help') || options.includes('-h')) {
    await write(io.stdout, command.usage);
    return EXIT.done;
  }
  if (options.includes('--version')) {
    await write(io.stdout, `${VERSION}\n`);
    return EXIT.done;
  }
  return command.run(rest, io);
}

function help(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}   ${summary}`);
  return `Usage: roomwatch COMMAND [ARGS]

Measures a real-time vendor's room-entry availability in the contract's own five-minute
windows, warns before the month is lost, and keeps the evidence for a claim.

${lines.join('\n')}

  roomwatch COMMAND --help   what a command takes
  roomwatch --version        the version

Exit codes: 0 done, 1 the answer is no, 2 bad usage or configuration.
`;
}
