import { fstatSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { type AgentOptions, STOP_FLUSH_MS, startAgent } from './app.ts';
import { type CallbackKeyPlaces, readCallbackKey } from './callback-key.ts';
import { systemClock } from './clock.ts';
import { InputCutError, readOutcomeStream } from './intake/stdin.ts';
import { type AgentIo, createLog, EXIT, type ExitCode } from './io.ts';
import { loadSettings } from './load-settings.ts';
import type { Log } from './log.ts';
import { DEFAULT_LISTEN, DEFAULT_SERVER, followedFiles, isServerUrl, type SettingsFile } from './settings.ts';
import { runSimulate } from './simulate/command.ts';
import { SpoolLockedError, SpoolTakenError } from './spool/lock.ts';
import { readToken } from './token.ts';
import { AGENT_VERSION } from './version.ts';

export const USAGE = `roomwatch-agent: takes room-entry outcomes and delivers them to the daemon, each exactly once

usage: roomwatch-agent [options]           take outcomes over HTTP
       roomwatch-agent --stdin < FILE      take outcomes from a stream of NDJSON, then exit
       roomwatch-agent --follow FILE       take outcomes from a growing file of NDJSON
       roomwatch-agent simulate --help     synthetic traffic

  --config FILE        YAML or JSON; options given here win over it
  --server URL         the daemon (default ${DEFAULT_SERVER})
  --service NAME       whose outcomes are reported here; may be given several times, the first one is for
                       records that name none
  --token-file FILE    the daemon's token (default: ROOMWATCH_TOKEN, else ./data/agent-token)
  --spool DIR          where accepted outcomes are kept until they are counted (default ./data/spool)
  --host-id NAME       names this machine where its own id will not do, e.g. in containers (default:
                       ROOMWATCH_HOST_ID, else spool.hostId of the file, else the machine's id)
  --stdin              read NDJSON from standard input
  --wait SECONDS       after --stdin, wait so long for the daemon to count everything (default 30)
  --follow FILE        read NDJSON from a file as it grows, across rotation and gzip; may be given several times
  --listen HOST:PORT   POST /v1/outcomes, /healthz, /metrics (default ${DEFAULT_LISTEN.host}:${DEFAULT_LISTEN.port}; not with --stdin)
  --help, --version

exit codes: 0 done; 1 not everything was counted in time, it waits in the spool, or the input broke off, or
            another process has the spool; 2 bad usage or configuration
`;

/** Runs the program; never throws. */
export async function runAgent(args: readonly string[], io: AgentIo): Promise<ExitCode> {
  const say = (text: string) => io.stderr.write(`roomwatch-agent: ${text}\n`);
  if (args[0] === 'simulate') {
    return runSimulate(args.slice(1), io).catch((error: Error) => {
      say(error.message);
      return EXIT.no;
    });
  }
  const parsed = readArguments(args);
  if (!parsed.ok) {
    say(`${parsed.message}\nTry roomwatch-agent --help.`);
    return EXIT.usage;
  }
  const { values } = parsed;
  if (values.help) {
    io.stdout.write(USAGE);
    return EXIT.done;
  }
  if (values.version) {
    io.stdout.write(`${AGENT_VERSION}\n`);
    return EXIT.done;
  }
  const loaded = loadSettings(values.config ?? null, io.cwd);
  if (!loaded.ok) {
    for (const fault of loaded.faults) say(`CONFIG_INVALID: ${fault}`);
    return EXIT.usage;
  }
  const { settings, folder } = loaded;
  const log = createLog(settings.log.level, io.stderr);
  try {
    return await run(agentOptions(values, settings, { folder, io, log }), { values, io, log });
  } catch (error) {
    say((error as Error).message);
    const isElsewhere = error instanceof SpoolLockedError || error instanceof SpoolTakenError;
    return isElsewhere ? EXIT.no : EXIT.usage;
  }
}

async function run(
  options: AgentOptions,
  { values, io, log }: { values: Values; io: AgentIo; log: Log },
): Promise<ExitCode> {
  if (values.stdin && isDirectory(io.stdin))
    throw new Error('--stdin reads a directory; give it a file or a pipe of lines');
  const agent = await startAgent(options);
  const { http } = agent.ports;
  log.info({ server: options.server, spool: options.spoolDirectory, services: agent.services }, 'started');
  if (http !== undefined)
    log.info({ url: `http://${options.listen?.host}:${http}/v1/outcomes` }, 'listening');
  const { receiver, spool, metrics, taken } = agent;
  const ending = AbortSignal.any([io.signal, taken]);
  if (!values.stdin) {
    await aborted(ending);
    log.info('stopping');
    await agent.stop();
    return taken.aborted ? EXIT.no : EXIT.done;
  }
  // Ending the stream ends the loop; what was read is taken in full.
  ending.addEventListener('abort', () => io.stdin.destroy(), { once: true });
  const read = readOutcomeStream(io.stdin, {
    receiver,
    spool,
    metrics,
    clock: systemClock,
    log,
    signal: ending,
  });
  const result = await read.catch((error: unknown) => {
    if (error instanceof InputCutError) return error;
    throw error;
  });
  const waitMs = Number(values.wait ?? DEFAULT_WAIT_SECONDS) * 1_000;
  const { isFlushed } = await agent.stop(io.signal.aborted ? Math.min(waitMs, STOP_FLUSH_MS) : waitMs);
  if (result instanceof InputCutError) {
    // Done only in part is not done: a job that was interrupted must not look as if it had ended.
    const { linesTaken, message: error } = result;
    const why = ending.aborted ? 'stopped before the end of the input' : 'the input broke off';
    const whereabouts = isFlushed ? 'are counted' : 'wait in the spool';
    const advice = 'give it the lines after them, or with ids all of them, to count the rest';
    log.error(
      { linesTaken, isFlushed, error },
      `${why}: its first ${linesTaken} lines ${whereabouts}; ${advice}`,
    );
    return EXIT.no;
  }
  const services = agent.forbidden.list;
  const uncounted = receiver.acceptedOf(services);
  if (uncounted > 0) {
    log.error(
      { ...result, isFlushed, uncounted, services },
      `up to ${uncounted} outcomes are not counted: the token does not cover their services; correct the names or the token, and give those lines again`,
    );
    return EXIT.no;
  }
  log.info({ ...result, isFlushed }, isFlushed ? 'all counted' : 'the rest waits in the spool');
  return isFlushed ? EXIT.done : EXIT.no;
}

/** Node reads nothing from one, and reports no error. */
function isDirectory({ fd }: { readonly fd?: number }): boolean {
  return fd !== undefined && fstatSync(fd).isDirectory();
}

const DEFAULT_WAIT_SECONDS = 30;

const OPTIONS = {
  config: { type: 'string' },
  server: { type: 'string' },
  service: { type: 'string', multiple: true },
  'token-file': { type: 'string' },
  spool: { type: 'string' },
  'host-id': { type: 'string' },
  stdin: { type: 'boolean' },
  wait: { type: 'string' },
  follow: { type: 'string', multiple: true },
  listen: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function readArguments(
  args: readonly string[],
): { readonly ok: true; readonly values: Values } | { readonly ok: false; readonly message: string } {
  let values: Values;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
  const wrong = values.service?.find((service) => !SERVICE_PATTERN.test(service));
  if (wrong !== undefined) {
    const rule = 'use 1 to 64 letters, digits, dots, dashes or underscores';
    return { ok: false, message: `--service ${wrong}: ${rule}` };
  }
  if (values.server !== undefined && !isServerUrl(values.server)) {
    return { ok: false, message: `--server ${values.server}: write a URL such as ${DEFAULT_SERVER}` };
  }
  if (values.listen !== undefined && readAddress(values.listen) === undefined) {
    return { ok: false, message: `--listen ${values.listen}: write HOST:PORT, e.g. 127.0.0.1:9471` };
  }
  const fault = followedFiles.safeParse(values.follow ?? []).error?.issues[0];
  if (fault) {
    // The list itself has no path.
    const path = values.follow?.[Number(fault.path[0])];
    return { ok: false, message: `--follow ${path === undefined ? '' : `${path} `}${fault.message}` };
  }
  if (values['host-id'] === '') {
    return { ok: false, message: '--host-id is empty; write a name that no other machine has' };
  }
  if (values.wait !== undefined && !/^\d{1,6}$/.test(values.wait)) {
    return { ok: false, message: `--wait ${values.wait}: write whole seconds` };
  }
  return { ok: true, values };
}

function agentOptions(
  values: Values,
  settings: SettingsFile,
  { folder, io, log }: { folder: string; io: AgentIo; log: Log },
): AgentOptions {
  const given = values.listen === undefined ? undefined : readAddress(values.listen);
  // A pipe that runs beside an agent must not fail for the agent's port.
  const byDefault = values.stdin || settings.listen === false ? undefined : settings.listen;
  const listen = given ?? byDefault;
  if (listen === undefined && !values.stdin && settings.trtcCallbacks.length > 0) {
    log.warn('trtcCallbacks are not taken, as the agent does not listen; correct listen');
  }
  const services = [...new Set([...(values.service ?? []), ...settings.services])];
  const defaultService = values.service?.[0] ?? settings.service;
  const spoolDirectory = values.spool
    ? resolve(io.cwd, values.spool)
    : resolve(folder, settings.spool.directory);
  const tokenFile =
    values['token-file'] ?? (settings.tokenFile && resolve(folder, settings.tokenFile)) ?? undefined;
  // An empty variable is one that was not filled in.
  const token = values['token-file'] ? undefined : io.env.ROOMWATCH_TOKEN || settings.token;
  const { maxBytes, minFreeBytes, maxAgeDays } = settings.spool;
  const hostId = values['host-id'] ?? (io.env.ROOMWATCH_HOST_ID || settings.spool.hostId);
  return {
    server: values.server ?? settings.server,
    token: () =>
      readToken({
        generatedFile: join(io.cwd, 'data', 'agent-token'),
        ...(token === undefined ? {} : { token }),
        ...(tokenFile === undefined ? {} : { tokenFile: resolve(io.cwd, tokenFile) }),
      }),
    spoolDirectory,
    services,
    spool: { maxBytes, minFreeBytes, maxAgeMs: maxAgeDays * 86_400_000 },
    origins: settings.origins,
    trtcCallbacks: settings.trtcCallbacks.map(({ sdkAppId, service, key, keyFile }) => ({
      sdkAppId,
      service,
      key: () => readCallbackKey(callbackKeyPlaces({ sdkAppId, key, keyFile }, folder, io)),
    })),
    follow: values.follow
      ? values.follow.map((path) => resolve(io.cwd, path))
      : settings.follow.map((path) => resolve(folder, path)),
    causes: settings.causes.map(({ extraCode, ...row }) =>
      extraCode === undefined ? row : { ...row, extraCode },
    ),
    log,
    ...(settings.agentId === undefined ? {} : { agentId: settings.agentId }),
    ...(defaultService === undefined ? {} : { defaultService }),
    ...(hostId === undefined ? {} : { hostId }),
    ...(listen === undefined ? {} : { listen }),
  };
}

function callbackKeyPlaces(
  { sdkAppId, key, keyFile }: Pick<SettingsFile['trtcCallbacks'][number], 'sdkAppId' | 'key' | 'keyFile'>,
  folder: string,
  io: AgentIo,
): CallbackKeyPlaces {
  if (keyFile !== undefined) return { sdkAppId, keyFile: resolve(folder, keyFile) };
  const given = key ?? io.env.ROOMWATCH_TRTC_CALLBACK_KEY;
  return !given ? { sdkAppId } : { sdkAppId, key: given };
}

function readAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-f:]+\]|[^:]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) return undefined;
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
}
