import { once } from 'node:events';
import { AgentTokenUnusable } from '../app/agent-token.ts';
import { startDaemon } from '../app.ts';
import { faultText } from '../config/faults.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { StoreFault } from '../store/errors.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { parseOptions, UsageFault, withFaults, write } from './usage.ts';

const USAGE = `Usage: roomwatch serve [--config FILE] [--dry-run]

Runs the daemon: takes batches from agents, keeps the books, reads the month, warns.
Without a file the books are kept in ./data, it listens on 127.0.0.1:9470 only, and a
token for agents is made in ./data/agent-token at the first start. REDIS_URL keeps the
books in Redis when the file names no store.

  --config FILE   YAML or JSON; see roomwatch check-config
  --dry-run       decide and log every alert, send nothing and keep nothing of it, whatever
                  the file says about alerting.dryRun, also after a reload
  --help          this text

SIGTERM and SIGINT send the agents away, finish what was received and stop; a second one
stops at once. SIGHUP reads the configuration again; a bad one leaves the old in force.

Exit codes: 0 stopped as asked, 2 bad configuration, or it cannot start as configured.
`;

export const serveCommand: Command = {
  name: 'serve',
  summary: 'run the daemon',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => serve(args, io)),
};

async function serve(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  // From the first: unheard, the signal kills the process, and a start that waits for its store takes long.
  let reload: (() => void) | null = null;
  let isAsked = false;
  const onHangUp = () => {
    if (reload) reload();
    else isAsked = true;
  };
  process.on('SIGHUP', onHangUp);
  try {
    return await run(args, io, (whenStarted) => {
      reload = whenStarted;
      if (isAsked) whenStarted();
    });
  } finally {
    process.off('SIGHUP', onHangUp);
  }
}

/** @param onStarted  is given what a SIGHUP does from then on */
async function run(
  args: readonly string[],
  io: CommandIo,
  onStarted: (reload: () => void) => void,
): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, {
    config: { type: 'string' },
    'dry-run': { type: 'boolean' },
  });
  if (positionals.length > 0) {
    throw new UsageFault(
      'USAGE_INVALID',
      `serve takes no ${positionals[0]}; did you mean --config ${positionals[0]}?`,
    );
  }
  const load = () => {
    const loaded = loadConfig({ file: values.config ?? null, env: io.env, cwd: process.cwd() });
    return values['dry-run'] ? dryRun(loaded) : loaded;
  };
  const loaded = load();
  if (!loaded.ok) {
    await write(io.stderr, loaded.faults.map((fault) => `${faultText(fault)}\n`).join(''));
    return EXIT.usage;
  }
  const { config } = loaded;
  const daemon = await startDaemon(config, { nowMs: io.now }).catch((error: unknown) => {
    throw startFault(error, config.listen) ?? error;
  });
  onStarted(() => void daemon.reload(load()));
  if (!io.signal.aborted) await once(io.signal, 'abort');
  await daemon.stop();
  return EXIT.done;
}

function dryRun(loaded: LoadedConfig): LoadedConfig {
  if (!loaded.ok) return loaded;
  const { config } = loaded;
  return { ok: true, config: { ...config, alerting: { ...config.alerting, dryRun: true } } };
}

/** Why the daemon cannot start, as a sentence with the fix; undefined for a bug. */
function startFault(error: unknown, { host, port }: { host: string; port: number }): UsageFault | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const fault = (kind: string, text: string) => new UsageFault(kind, text, { cause: error });
  if (error instanceof StoreFault || error instanceof AgentTokenUnusable) return fault(error.code, message);
  const where = `${host}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return fault('LISTEN_FAILED', `${where} is taken; stop what uses it, or set listen.port`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return fault('LISTEN_FAILED', `${where} is no address of this machine; correct listen.host`);
    case 'EACCES':
      return fault(
        'START_FORBIDDEN',
        `the system refuses ${where} or a file (${message}); grant it, or choose another`,
      );
    default:
      return undefined;
  }
}
