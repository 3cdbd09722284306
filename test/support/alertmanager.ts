import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { waitFor } from './wait-for.ts';

export interface RunningAlertmanager {
  readonly url: string;
  readonly port: number;
  /** What `amtool` prints as JSON for a query of alerts. */
  query(...args: string[]): Promise<AmAlert[]>;
  stop(): Promise<void>;
}

/** As much of an alert as `amtool alert query -o json` shows. */
export interface AmAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A port that was free a moment ago may be taken by another test when the program binds it. */
const START_ATTEMPTS = 3;

/**
 * Starts Debian's prometheus-alertmanager on a free port of the loopback, with its data in a temporary directory.
 * @param options  where it sends what fires and what is resolved, or its whole configuration
 */
export async function startAlertmanager(
  options: { readonly webhookUrl: string } | { readonly config: string },
): Promise<RunningAlertmanager> {
  const directory = await mkdtemp(join(tmpdir(), 'roomwatch-am-'));
  const config = 'config' in options ? options.config : webhookConfig(options.webhookUrl);
  await writeFile(join(directory, 'alertmanager.yml'), config);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return runningAt(port, directory, await launch(directory, port));
    } catch (error) {
      if (attempt < START_ATTEMPTS) continue;
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }
}

function webhookConfig(url: string): string {
  return [
    'route: {receiver: hook, group_by: [alertname, service], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}',
    'receivers:',
    `  - {name: hook, webhook_configs: [{url: '${url}', send_resolved: true}]}`,
    '',
  ].join('\n');
}

async function launch(directory: string, port: number): Promise<ChildProcess> {
  const child = spawn(
    'prometheus-alertmanager',
    [
      `--config.file=${join(directory, 'alertmanager.yml')}`,
      `--storage.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  running.add(child);
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error(missing('prometheus-alertmanager')) : error),
    );
    child.once('exit', (code) => reject(new Error(`prometheus-alertmanager ended with ${code}`)));
  });
  ended.catch(() => {});
  const up = waitFor(
    'prometheus-alertmanager',
    async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok && child.exitCode === null,
    { withinMs: 20_000 },
  );
  up.catch(() => {});
  await Promise.race([up, ended]);
  return child;
}

function runningAt(port: number, directory: string, child: ChildProcess): RunningAlertmanager {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    async query(...args) {
      try {
        const { stdout } = await promisify(execFile)('amtool', [
          ...['alert', 'query', `--alertmanager.url=${url}`, '-o', 'json'],
          ...args,
        ]);
        return JSON.parse(stdout) as AmAlert[];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error(missing('amtool'));
        throw error;
      }
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      running.delete(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function missing(program: string): string {
  return `${program} is missing; install prometheus-alertmanager (Debian: apt-get install prometheus-alertmanager)`;
}
