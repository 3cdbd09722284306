import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningAgent, STOP_FLUSH_MS, startAgent } from '../app.ts';
import { systemClock } from '../clock.ts';
import type { AgentIo, ExitCode } from '../io.ts';
import { createLog, EXIT } from '../io.ts';
import { readToken } from '../token.ts';
import { readSimulateArguments, SIMULATE_USAGE, type SimulateArguments } from './arguments.ts';
import { type SimulationSink, simulate } from './run.ts';
import { SimulatedClock } from './simulated-clock.ts';

/** A backlog of made-up outcomes need not be kind to the daemon: it is there to be hurried. */
const REPLAY_BATCHES_PER_SECOND = 1_000_000;
const BUSY_PAUSE_MS = 10;

/** `roomwatch-agent simulate`; never throws for what the user gave. */
export async function runSimulate(args: readonly string[], io: AgentIo): Promise<ExitCode> {
  if (args.includes('--help') || args.includes('-h')) {
    io.stdout.write(SIMULATE_USAGE);
    return EXIT.done;
  }
  const read = readSimulateArguments(args, { cwd: io.cwd, nowMs: systemClock.nowMs() });
  if (!read.ok) {
    io.stderr.write(`roomwatch-agent simulate: ${read.message}\nTry roomwatch-agent simulate --help.\n`);
    return EXIT.usage;
  }
  return read.value.out === undefined ? send(read.value, io) : write(read.value, read.value.out, io);
}

async function send(given: SimulateArguments, io: AgentIo): Promise<ExitCode> {
  const { plan, fromMs, toMs, speed } = given;
  const log = createLog('info', io.stderr);
  const clock = new SimulatedClock(systemClock, { fromMs, speed });
  const token = given.tokenFile === undefined ? io.env.ROOMWATCH_TOKEN : undefined;
  const agent = await startAgent({
    server: given.server,
    token: () =>
      readToken({
        generatedFile: join(io.cwd, 'data', 'agent-token'),
        ...(token === undefined ? {} : { token }),
        ...(given.tokenFile === undefined ? {} : { tokenFile: resolve(io.cwd, given.tokenFile) }),
      }),
    spoolDirectory: resolve(io.cwd, given.spool),
    services: plan.services,
    ...(io.env.ROOMWATCH_HOST_ID ? { hostId: io.env.ROOMWATCH_HOST_ID } : {}),
    clock,
    correctsClock: false,
    connection: { replayBatchesPerSecond: REPLAY_BATCHES_PER_SECOND },
    log,
  });
  log.info({ from: new Date(fromMs).toISOString(), speed: String(speed), ...plan }, 'simulating');
  const signal = AbortSignal.any([io.signal, agent.taken]);
  const result = await simulate({
    plan,
    fromMs,
    toMs,
    dueMs: () => clock.dueMs(),
    onAdvance: (atMs) => clock.advanceTo(atMs),
    sink: agentSink(agent, signal),
    signal,
  });
  const waitMs = io.signal.aborted ? Math.min(given.waitMs, STOP_FLUSH_MS) : given.waitMs;
  const { isFlushed } = await agent.stop(waitMs);
  const end = { ...result, atMs: undefined, at: new Date(result.atMs).toISOString(), isFlushed };
  log.info(end, isFlushed ? 'all counted' : 'the rest waits in the spool');
  const isDone = isFlushed || io.signal.aborted;
  return isDone && !agent.taken.aborted ? EXIT.done : EXIT.no;
}

function agentSink({ receiver, spool }: RunningAgent, signal: AbortSignal): SimulationSink {
  return {
    take: (outcome) => void receiver.receive(outcome, 'simulation'),
    // A minute in which everybody called proves itself that the agent was alive.
    minuteEnded: async (silent) => {
      if (silent.length > 0) {
        await spool.commit();
        await spool.seal();
      }
    },
    settle: async () => {
      await spool.commit();
      while (spool.refusal() !== undefined && !signal.aborted) await sleep(BUSY_PAUSE_MS);
    },
  };
}

async function write(given: SimulateArguments, path: string, io: AgentIo): Promise<ExitCode> {
  const { plan, fromMs, toMs } = given;
  const out: Writable = path === '-' ? io.stdout : createWriteStream(resolve(io.cwd, path));
  let failure: Error | undefined;
  out.on('error', (error) => {
    failure = error;
  });
  let hasRoom = true;
  const sink: SimulationSink = {
    take: ({ at, ...outcome }) => {
      hasRoom = out.write(`${JSON.stringify({ ...outcome, at: new Date(at).toISOString() })}\n`);
    },
    minuteEnded: async () => {},
    settle: async () => {
      if (failure) throw failure;
      // Not the event alone: a file that cannot be opened never drains, and nothing else would keep the program.
      if (!hasRoom) await once(out, 'drain');
    },
  };
  try {
    // What is only written need not wait for the clock.
    const dueMs = () => Number.POSITIVE_INFINITY;
    await simulate({ plan, fromMs, toMs, dueMs, sink, signal: io.signal });
    if (path !== '-') {
      out.end();
      await finished(out);
    }
    return EXIT.done;
  } catch (error) {
    const { message } = error as Error;
    const advice = 'create its folder, make room, or give --out another file';
    io.stderr.write(`roomwatch-agent simulate: ${path} cannot be written (${message}); ${advice}\n`);
    return EXIT.no;
  }
}
