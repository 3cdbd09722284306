import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { StoreFault } from '../store/errors.ts';
import { backUpBooks } from '../store/lmdb/backup.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { parseOptions, UsageFault, withFaults, write } from './usage.ts';

const USAGE = `Usage: roomwatch backup DIRECTORY [--config FILE]

Copies the books of the embedded store into a directory, as they are at one instant; the
daemon beside it goes on. To restore, start a daemon on the copy (store.directory): agents
send again what they still keep. Books in Redis are copied by Redis: see OPERATIONS.md.

  --config FILE   whose store (default: ./data)

Exit codes: 0 done; 2 bad usage, or nothing that can be copied.
`;

export const backupCommand: Command = {
  name: 'backup',
  summary: 'copy the books of the embedded store while the daemon runs',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runBackup(args, io)),
};

async function runBackup(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, { config: { type: 'string' } });
  const [to, ...more] = positionals;
  if (to === undefined || more.length > 0) {
    throw new UsageFault('USAGE_INVALID', 'name one directory, like: roomwatch backup /backup/2026-11-23');
  }
  const loaded = loadConfig({ file: values.config ?? null, env: io.env, cwd: process.cwd() });
  if (!loaded.ok) throw new UsageFault('CONFIG_INVALID', loaded.faults.map(faultText).join('\n'));
  const { store } = loaded.config;
  if ('url' in store) {
    const message = 'the books are in Redis; copy its append-only file, as OPERATIONS.md says';
    throw new UsageFault('STORE_UNSUITABLE', message);
  }
  try {
    const bytes = await backUpBooks(store.directory, to);
    await write(io.stdout, `${to} holds the books of ${store.directory}: ${bytes} bytes\n`);
    return EXIT.done;
  } catch (error) {
    if (error instanceof StoreFault) throw new UsageFault(error.code, error.message, { cause: error });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageFault('BACKUP_FAILED', `${to} could not be written (${message}); name another directory`, {
      cause: error,
    });
  }
}
