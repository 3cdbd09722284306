import { printDisturbed, quiet } from './lib/quiet.ts';
import {
  CYCLES,
  isQuick,
  number,
  percentile,
  printMachine,
  printTable,
  show,
  spreadOf,
  TURN_MS,
} from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * Ten thousand connected agents, each sending a frame of ten cells a second: the time from when a frame was
 * due to its acknowledgement, and what the daemon uses for it.
 */
const AGENTS = isQuick ? 2_000 : 10_000;
/** From several addresses, as a fleet connects; one address has its cap and its ports. */
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];

printMachine();
const stage = await openStage();
const side = await stage.side('daemon');
const loads = ADDRESSES.map(() => stage.load());
for (const [i, load] of loads.entries()) {
  await load.run({
    job: 'connect',
    port: side.port,
    token: stage.token,
    connections: AGENTS / ADDRESSES.length,
    services: ['acme'],
    cells: 10,
    localAddress: ADDRESSES[i] ?? '127.0.0.1',
  });
}
const p50: number[] = [];
const p99: number[] = [];
const cores: number[] = [];
let frames = 0;
for (let cycle = -1; cycle < CYCLES; cycle += 1) {
  await quiet();
  const before = await side.vitals();
  const startedAt = performance.now();
  const framesPerSecond = AGENTS / ADDRESSES.length;
  const results = await Promise.all(
    loads.map((load) => load.run({ job: 'open', framesPerSecond, forMs: 2 * TURN_MS })),
  );
  const elapsedMs = performance.now() - startedAt;
  const after = await side.vitals();
  if (cycle < 0) continue;
  const latencies = results.flatMap((result) => [...result.latenciesMs]);
  frames += latencies.length;
  p50.push(percentile(latencies, 0.5));
  p99.push(percentile(latencies, 0.99));
  cores.push((after.cpuSeconds - before.cpuSeconds) / (elapsedMs / 1_000));
}
const { rssBytes } = await side.vitals();
printTable([
  [`${number(AGENTS)} agents, a frame a second`, ''],
  ['frames acknowledged', number(frames)],
  ['p50 ms', show(spreadOf(p50))],
  ['p99 ms', show(spreadOf(p99))],
  ['cores of the daemon', show(spreadOf(cores))],
  ['resident memory, MiB', number(rssBytes / 2 ** 20)],
]);
printDisturbed();
await stage.end();
