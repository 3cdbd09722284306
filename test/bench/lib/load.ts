import { connect, type Socket } from 'node:net';
import { answerJobs } from './answer-jobs.ts';
import type { LoadJob, LoadResult } from './protocol.ts';
import { Wire } from './wire.ts';

/** The load generator, in a process of its own: takes jobs over IPC and answers each with its result. */
let wires: Wire[] = [];
let onAck: (wire: Wire, applied: number) => void = () => {};

answerJobs(run);

async function run(job: LoadJob): Promise<LoadResult> {
  switch (job.job) {
    case 'connect': {
      // Two hundred at a time: a listen queue is finite.
      for (let made = 0; made < job.connections; made += 200) {
        const count = Math.min(200, job.connections - made);
        const opened = Array.from({ length: count }, () =>
          Wire.open(job, (wire, applied) => onAck(wire, applied)),
        );
        wires.push(...(await Promise.all(opened)));
      }
      return result({});
    }
    case 'closed':
      return closedLoop(job.window, job.forMs);
    case 'open':
      return openLoop(job.framesPerSecond, job.forMs);
    case 'flood':
      return flood(job.forMs);
    case 'post':
      return posts(job);
    case 'disconnect': {
      const open = wires.filter((wire) => !wire.isClosed);
      const closed = open.map((wire) => new Promise((resolve) => wire.socket.on('close', resolve)));
      for (const wire of open) wire.socket.destroy();
      await Promise.all(closed);
      wires = [];
      return result({});
    }
  }
}

async function closedLoop(window: number, forMs: number): Promise<LoadResult> {
  let isOver = false;
  const before = totalApplied();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  onAck = (wire) => {
    if (!isOver) wire.send(window - wire.inFlight);
  };
  for (const wire of wires) wire.send(window);
  await sleep(forMs);
  const acknowledged = totalApplied() - before;
  const elapsedMs = performance.now() - startedAt;
  const cpuSeconds = cpuSince(cpu);
  isOver = true;
  await settled();
  return result({ acknowledged, elapsedMs, cpuSeconds });
}

async function openLoop(framesPerSecond: number, forMs: number): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  /** When each frame in flight was due, in order of seq. */
  const dues = new Map<Wire, number[]>(wires.map((wire) => [wire, []]));
  const counted = new Map<Wire, number>(wires.map((wire) => [wire, wire.applied]));
  onAck = (wire, applied) => {
    const now = performance.now();
    const waiting = dues.get(wire) ?? [];
    const newly = applied - (counted.get(wire) ?? 0);
    for (const dueAt of waiting.splice(0, newly)) latenciesMs.push(now - dueAt);
    counted.set(wire, applied);
  };
  const cpu = process.cpuUsage();
  const before = totalApplied();
  const startedAt = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      const due = Math.floor(((Math.min(now, startedAt + forMs) - startedAt) / 1_000) * framesPerSecond);
      for (; sent < due; sent += 1) {
        const wire = wires[sent % wires.length]!;
        wire.send(1);
        dues.get(wire)?.push(startedAt + (sent / framesPerSecond) * 1_000);
      }
      if (now < startedAt + forMs) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  const elapsedMs = performance.now() - startedAt;
  await settled();
  return result({ acknowledged: totalApplied() - before, elapsedMs, latenciesMs, cpuSeconds: cpuSince(cpu) });
}

async function flood(forMs: number): Promise<LoadResult> {
  onAck = () => {};
  const before = totalApplied();
  const startedAt = performance.now();
  let isOver = false;
  const pour = (wire: Wire) => {
    while (!isOver && !wire.isClosed && wire.socket.writableLength < 256 * 1024) wire.send(32);
  };
  for (const wire of wires) {
    wire.socket.on('drain', () => pour(wire));
    pour(wire);
  }
  await sleep(forMs);
  isOver = true;
  const closed = wires.filter((wire) => wire.isClosed).length;
  return result({ acknowledged: totalApplied() - before, elapsedMs: performance.now() - startedAt, closed });
}

/** Each connection posts one outcome after the other. */
async function posts({ port, connections, forMs }: Extract<LoadJob, { job: 'post' }>): Promise<LoadResult> {
  const body = JSON.stringify({ service: 'acme', result: 'ok', platform: 'web-v5', region: 'ap-guangzhou' });
  const post = Buffer.from(
    `POST /outcomes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  let answered = 0;
  let isOver = false;
  const sockets: Socket[] = [];
  for (let i = 0; i < connections; i += 1) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      // One request is in flight, and its answer, some hundred bytes, is one segment.
      if (!data.includes('\r\n\r\n')) return;
      if (data.indexOf('HTTP/1.1 202') !== 0) throw new Error(data.toString());
      answered += 1;
      if (!isOver) socket.write(post);
    });
    sockets.push(socket);
  }
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (const socket of sockets) socket.write(post);
  await sleep(forMs);
  const acknowledged = answered;
  const elapsedMs = performance.now() - startedAt;
  isOver = true;
  for (const socket of sockets) socket.destroy();
  return result({ acknowledged, elapsedMs, cpuSeconds: cpuSince(cpu) });
}

/** Waits until every frame sent on an open connection is acknowledged: nothing may be left over or lost. */
async function settled(): Promise<void> {
  const until = performance.now() + 20_000;
  while (wires.some((wire) => !wire.isClosed && wire.inFlight > 0)) {
    if (performance.now() > until) throw new Error('frames were not acknowledged within 20 s');
    await sleep(5);
  }
}

function totalApplied(): number {
  return wires.reduce((sum, wire) => sum + wire.applied, 0);
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function result(parts: Partial<LoadResult>): LoadResult {
  return { acknowledged: 0, elapsedMs: 0, latenciesMs: [], closed: 0, cpuSeconds: 0, ...parts };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
