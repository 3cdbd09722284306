import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { decodeAgentFrame, encodeFrame } from '../../../protocol/codec.ts';
import type { Batch } from '../../../protocol/frame.ts';
import { LIMITS, SUBPROTOCOL } from '../../../protocol/limits.ts';
import { startDaemon } from '../../../server/app.ts';
import { loadConfig } from '../../../server/config/load.ts';
import { createLog } from '../../../server/log.ts';
import type { SideAsk, SideStart, SideVitals } from './protocol.ts';

/** A server of a benchmark, in a process of its own: reports its port, then answers for its vitals. */
const loop = monitorEventLoopDelay({ resolution: 1 });

process.on('message', (message: SideStart | SideAsk) => {
  if (message === 'reset') loop.reset();
  else if (message === 'vitals') process.send?.(vitals());
  else {
    start(message).then(
      (port) => {
        loop.enable();
        process.send?.(port);
      },
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  }
});
process.on('disconnect', () => process.exit(0));

function vitals(): SideVitals {
  // Before the collections, which are not the server's work.
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < 3; i += 1) globalThis.gc?.();
  return {
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
    stallMs: loop.max / 1e6,
  };
}

async function start({ kind, redisUrl, token }: SideStart): Promise<number> {
  if (kind === 'daemon') return startWhole(redisUrl, token);
  if (kind === 'bare') return startBare((taken) => taken.acknowledge());
  if (kind === 'skeleton') return startBare(groupCommit(new Redis(redisUrl)));
  return startPosts(new Redis(redisUrl, { enableAutoPipelining: kind === 'http-incr-auto' }));
}

/** The whole daemon, with everything that it does beside counting: evaluation, alerts, metrics. */
async function startWhole(redisUrl: string, token: string): Promise<number> {
  const loaded = loadConfig({ file: null, env: {}, cwd: process.cwd() });
  if (!loaded.ok) throw new Error('the default configuration is not valid');
  const { config } = loaded;
  const daemon = await startDaemon(
    {
      ...config,
      listen: { host: '127.0.0.1', port: 0 },
      store: { url: redisUrl },
      tokens: [{ name: 'bench', role: 'agent', services: 'all', secret: token }],
      generatedTokenFile: null,
      limits: { ...config.limits, agents: 20_000 },
    },
    { log: createLog('silent') },
  );
  return daemon.port;
}

interface Taken {
  readonly producerId: string;
  readonly batch: Batch;
  acknowledge(): void;
}

/** Keeps a batch, or does not, and then acknowledges it. */
type Keep = (taken: Taken) => void;

/**
 * The least that a daemon with a store can do: what came in while the last transaction was on its way goes into
 * the next one, which adds to one counter and moves the cursors. No books, no rules, nothing read back.
 */
function groupCommit(redis: Redis): Keep {
  let waiting: Taken[] = [];
  let isCommitting = false;
  const commit = async () => {
    isCommitting = true;
    while (waiting.length > 0) {
      const taken = waiting;
      waiting = [];
      const cursors = taken.flatMap(({ producerId, batch }) => [producerId, batch.seq]);
      const outcomes = taken.reduce((sum, { batch }) => sum + batch.cells.length, 0);
      await redis
        .multi()
        .hset('cursors', ...cursors)
        .incrby('outcomes', outcomes)
        .exec();
      for (const { acknowledge } of taken) acknowledge();
    }
    isCommitting = false;
  };
  return (taken) => {
    waiting.push(taken);
    if (!isCommitting) setImmediate(() => isCommitting || void commit());
  };
}

/** What any ws server must do for these frames, and nothing more: read, parse, validate, acknowledge. */
async function startBare(keep: Keep): Promise<number> {
  const server = createServer((_, response) => response.end());
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: LIMITS.framePayloadBytes,
    handleProtocols: () => SUBPROTOCOL,
  });
  sockets.on('connection', (socket) => {
    let producerId = '';
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      const decoded = decodeAgentFrame(data.toString());
      if (!decoded.ok) throw new Error(decoded.fault.message);
      const { frame } = decoded;
      if (frame.type === 'batch') {
        const ack = encodeFrame({ type: 'ack', applied: frame.seq, credit: LIMITS.credit });
        keep({ producerId, batch: frame, acknowledge: () => socket.send(ack) });
      } else if (frame.type === 'hello') {
        producerId = frame.producerId;
        socket.send(
          encodeFrame({
            type: 'welcome',
            epoch: 1,
            storeId: '',
            applied: frame.firstRetained - 1,
            appliedDigest: '',
            credit: LIMITS.credit,
            limits: { framePayloadBytes: LIMITS.framePayloadBytes, cellsPerBatch: LIMITS.cellsPerBatch },
            heartbeatMs: LIMITS.heartbeatMs,
            t0: frame.t0,
            t1: frame.t0,
            t2: frame.t0,
          }),
        );
      }
    });
  });
  return listen(server);
}

/** What a team writes in an afternoon: one request for each outcome, one counter in Redis. */
async function startPosts(redis: Redis): Promise<number> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { service, result } = JSON.parse(body) as { service: string; result: string };
      redis.incr(`count:${service}:${result}`).then(
        () => response.writeHead(202).end(),
        () => response.writeHead(503).end(),
      );
    });
  });
  server.keepAliveTimeout = 60_000;
  return listen(server);
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1_024, resolve));
  return (server.address() as AddressInfo).port;
}
