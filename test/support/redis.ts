import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { waitFor } from './wait-for.ts';

export interface RedisOptions {
  /** Append-only file: `true` flushes every second, 'always' before every reply. Without it nothing is kept. */
  readonly aof?: boolean | 'always';
  /** Makes it a replica of the server on this port. */
  readonly replicaOf?: number;
  readonly cluster?: boolean;
  /** Makes it a Sentinel that watches the master on this port under the name 'books'. */
  readonly sentinelOf?: number;
  /** Further lines of redis.conf. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface RunningRedis {
  readonly port: number;
  readonly url: string;
  /** Where it keeps its files; survives `kill9` and `restart`, not `stop`. */
  readonly directory: string;
  /** Sends one command, past any store. */
  command(name: string, ...args: string[]): Promise<unknown>;
  /** SIGKILL, and waits for its death. */
  kill9(): Promise<void>;
  /** Shuts it down in order, if it is up, and starts it again on the same port with the same files. */
  restart(): Promise<void>;
  /** As `restart`, but all its files are gone. */
  restartEmpty(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;
const CLUSTER_WITHIN_MS = 20_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a real redis-server on a free port of the loopback, with its files in a temporary directory. */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const { child: first, directory, port } = await launchAnywhere(options);
  let child = first;

  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    directory,
    async command(name, ...args) {
      const client = new Redis({ port, host: '127.0.0.1', protocol: 2, lazyConnect: true });
      client.on('error', () => {});
      try {
        return await client.call(name, ...args);
      } finally {
        client.disconnect();
      }
    },
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      child = await launch(directory, port, options);
    },
    async restartEmpty() {
      await end('SIGKILL');
      await rm(join(directory, 'appendonlydir'), { recursive: true, force: true });
      await rm(join(directory, 'dump.rdb'), { force: true });
      child = await launch(directory, port, options);
    },
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    async stop() {
      await end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function configOf(
  options: RedisOptions,
  { port, busPort, directory }: { port: number; busPort: number | undefined; directory: string },
): string {
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    'protected-mode no',
    `dir ${directory}`,
    `logfile ${join(directory, 'redis.log')}`,
    'daemonize no',
  ];
  if (options.sentinelOf !== undefined) {
    lines.push(
      `sentinel monitor books 127.0.0.1 ${options.sentinelOf} 1`,
      'sentinel down-after-milliseconds books 500',
      'sentinel failover-timeout books 2000',
    );
  } else {
    // A master waits five seconds for further replicas before it copies itself, unless told not to.
    lines.push('save ""', 'repl-diskless-sync-delay 0', `appendonly ${options.aof ? 'yes' : 'no'}`);
    if (options.aof === 'always') lines.push('appendfsync always');
    if (options.replicaOf !== undefined) lines.push(`replicaof 127.0.0.1 ${options.replicaOf}`);
    if (busPort !== undefined)
      lines.push('cluster-enabled yes', `cluster-port ${busPort}`, 'cluster-node-timeout 2000');
  }
  for (const [name, value] of Object.entries(options.config ?? {})) lines.push(`${name} ${value}`);
  return `${lines.join('\n')}\n`;
}

/** A port that was free a moment ago may be taken by the next; then another one is tried. */
async function launchAnywhere(
  options: RedisOptions,
  attempts = 5,
): Promise<{ child: ChildProcess; directory: string; port: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'roomwatch-redis-'));
  const port = await freePort();
  // Not port + 10,000, the default: that may be no port at all.
  const busPort = options.cluster ? await freePort() : undefined;
  await writeFile(join(directory, 'redis.conf'), configOf(options, { port, busPort, directory }));
  try {
    return { child: await launch(directory, port, options), directory, port };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    if (attempts > 1 && String(error).includes('Address already in use'))
      return launchAnywhere(options, attempts - 1);
    throw error;
  }
}

async function launch(directory: string, port: number, options: RedisOptions): Promise<ChildProcess> {
  const args = [join(directory, 'redis.conf'), ...(options.sentinelOf === undefined ? [] : ['--sentinel'])];
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  running.add(child);
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ENOENT'
          ? new Error('redis-server is missing; install redis-server (Debian: apt-get install redis-server)')
          : error,
      ),
    );
    child.once('exit', () => {
      running.delete(child);
      readFile(join(directory, 'redis.log'), 'utf8')
        .catch(() => 'it left no log')
        .then((log) => reject(new Error(`redis-server on port ${port} ended: ${log.slice(-1_000)}`)));
    });
  });
  ended.catch(() => {});
  const up = waitFor(`redis-server on port ${port}`, () => answers(port, child.pid), {
    withinMs: READY_WITHIN_MS,
  });
  try {
    await Promise.race([up, ended]);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return child;
}

/** Whether the server on the port is ready, and is the process meant and not another that was quicker. */
function answers(port: number, pid: number | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    const settle = (isReady: boolean) => {
      resolve(isReady);
      socket.destroy();
    };
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer to PING')));
    socket.once('error', reject);
    socket.on('data', (data) => {
      text += data.toString();
      const answered = /process_id:(\d+)\r/.exec(text);
      if (answered !== null) settle(text.startsWith('+PONG') && Number(answered[1]) === pid);
      // Without its password it answers NOAUTH, and is up all the same.
      else if (text.startsWith('-')) settle(text.startsWith('-NOAUTH'));
    });
    socket.write('PING\r\nINFO server\r\n');
  });
}

export interface RunningRedisCluster {
  readonly nodes: readonly RunningRedis[];
  readonly url: string;
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Three masters that share the slots, and a replica of each when asked for. */
export async function startRedisCluster(
  options: { readonly replicas?: boolean } = {},
): Promise<RunningRedisCluster> {
  const count = options.replicas ? 6 : 3;
  const nodes = await Promise.all(
    Array.from({ length: count }, () => startRedis({ aof: true, cluster: true })),
  );
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    await joinNodes(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = nodes.map((node) => `127.0.0.1:${node.port}`).join(',');
  return { nodes, url: `redis+cluster://${hosts}`, stop };
}

async function joinNodes(nodes: readonly RunningRedis[]): Promise<void> {
  const masters = nodes.slice(0, 3);
  for (const [i, master] of masters.entries()) {
    const first = Math.floor((SLOTS * i) / 3);
    const last = Math.floor((SLOTS * (i + 1)) / 3) - 1;
    await master.command('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last));
    await master.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  }
  const [first, ...rest] = nodes;
  const busPortOf = async (node: RunningRedis) =>
    String(((await node.command('CONFIG', 'GET', 'cluster-port')) as string[])[1]);
  for (const node of rest)
    await first?.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port), await busPortOf(node));
  const isJoined = async (node: RunningRedis) => {
    const info = String(await node.command('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
  };
  await waitFor('the cluster to form', async () => (await Promise.all(nodes.map(isJoined))).every(Boolean), {
    withinMs: CLUSTER_WITHIN_MS,
  });
  await Promise.all(nodes.slice(3).map((replica, i) => follow(replica, masters[i] as RunningRedis)));
}

async function follow(replica: RunningRedis, master: RunningRedis): Promise<void> {
  await replica.command('CLUSTER', 'REPLICATE', String(await master.command('CLUSTER', 'MYID')));
  await waitFor('a replica to follow', async () =>
    String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
  );
}
