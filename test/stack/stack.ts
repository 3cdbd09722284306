import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Prometheus, startPrometheus } from '../dashboards/prometheus.ts';
import { type AmAlert, startAlertmanager } from '../support/alertmanager.ts';
import { freePort } from '../support/free-port.ts';
import { type ReceivedMail, startMailSink } from '../support/mail-sink.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { alertmanagerSettings, daemonSettings, prometheusSettings, type StackPorts } from './settings.ts';

const AGENT_TOKEN = 'stack-agents-on-loopback';
export const ADMIN_TOKEN = 'stack-admin-on-loopback';
/** The daemon has to connect to Redis, on a machine that may be busy. */
const READY_WITHIN_MS = 60_000;

/** An outage of the made-up vendor: of every service, in the first region. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the entries, 0 to 1. */
  readonly share: number;
}

export interface Stack {
  readonly addresses: Readonly<Record<'page' | 'prometheus' | 'alertmanager' | 'redis' | 'agent', string>>;
  readonly mails: readonly ReceivedMail[];
  readonly prometheus: Prometheus;
  /** What fires in Alertmanager, as amtool tells it. */
  alerts(): Promise<AmAlert[]>;
  /** Programs that ended by themselves: the end of their logs. */
  dead(): readonly string[];
  stop(): Promise<void>;
}

/**
 * The whole of dashboards/compose/ from Debian's programs instead of containers: Redis, the daemon, an agent, two more
 * with made-up traffic, Prometheus, Alertmanager and a mail server, all on free ports of the loopback, with the
 * configuration that ships. Grafana, which Debian does not have, is left out.
 * @throws when a program is missing, with what to install
 */
export async function startStack({ outage }: { readonly outage: Outage }): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-stack-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const redis = await startRedis({ aof: true, config: { 'maxmemory-policy': 'noeviction' } });
    undo.push(() => redis.stop());
    const mails = await startMailSink();
    undo.push(() => mails.stop());
    const alertmanager = await startAlertmanager({ config: alertmanagerSettings(mails.port) });
    undo.push(() => alertmanager.stop());
    const ports: StackPorts = {
      daemon: await freePort(),
      agent: await freePort(),
      alertmanager: alertmanager.port,
      smtp: mails.port,
    };
    const programs = await startPrograms(folder, { ports, redisUrl: redis.url, outage, undo });
    const prometheus = await startPrometheus({ config: prometheusSettings(ports) });
    undo.push(() => prometheus.stop());
    return {
      addresses: {
        page: `http://127.0.0.1:${ports.daemon}/`,
        prometheus: prometheus.url,
        alertmanager: alertmanager.url,
        redis: redis.url,
        agent: `http://127.0.0.1:${ports.agent}/v1/outcomes`,
      },
      mails: mails.mails,
      prometheus,
      alerts: () => alertmanager.query(),
      dead: () => programs.filter((one) => !one.isRunning()).map((one) => one.log().slice(-2_000)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startPrograms(
  folder: string,
  {
    ports,
    redisUrl,
    outage,
    undo,
  }: {
    readonly ports: StackPorts;
    readonly redisUrl: string;
    readonly outage: Outage;
    readonly undo: (() => Promise<unknown>)[];
  },
): Promise<readonly RunningProgram[]> {
  const file = join(folder, 'roomwatch.yaml');
  await writeFile(file, daemonSettings(ports));
  const daemon = startProgram('daemon', ['serve', '--config', file], {
    cwd: folder,
    env: { REDIS_URL: redisUrl, ROOMWATCH_AGENT_TOKEN: AGENT_TOKEN, ROOMWATCH_ADMIN_TOKEN: ADMIN_TOKEN },
  });
  undo.push(() => daemon.kill('SIGTERM'));
  await waitFor(
    'the daemon to be ready',
    async () => {
      if (!daemon.isRunning()) throw new Error(daemon.log());
      return (await fetch(`http://127.0.0.1:${ports.daemon}/readyz`)).ok;
    },
    { withinMs: READY_WITHIN_MS },
  );
  const server = ['--server', `ws://127.0.0.1:${ports.daemon}`];
  const start = (args: readonly string[], spool: string) => {
    const program = startProgram('agent', [...args, '--spool', join(folder, spool)], {
      cwd: folder,
      env: { ROOMWATCH_TOKEN: AGENT_TOKEN },
    });
    undo.push(() => program.kill('SIGTERM'));
    return program;
  };
  const listening = ['--service', 'classroom', '--listen', `127.0.0.1:${ports.agent}`];
  const regions = [
    { region: 'ap-guangzhou', share: outage.share },
    { region: 'eu-frankfurt', share: outage.share / 10 },
  ];
  const traffic = regions.map(({ region, share }) => [
    ...['simulate', ...server, '--services', 'classroom,live-shopping', '--regions', region],
    ...['--rate', '20', '--failure-share', '0.05%', '--speed', 'max', '--live'],
    ...['--from', new Date(Date.now() - 1_800_000).toISOString(), '--to', 'now'],
    ...['--incident', `${instant(outage.fromMs)}..${instant(outage.toMs)}:${share.toFixed(4)}`],
  ]);
  return [
    daemon,
    start([...server, ...listening], 'spool'),
    ...traffic.map((args, i) => start(args, `spool-${regions[i]!.region}`)),
  ];
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
