import { CYCLES, isQuick, printMachine, printTable, ratios, show, spreadOf } from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * Memory per connected agent that sends nothing, beside ws alone with the same connections: resident, and of
 * it the objects that are alive. So many agents that what a heap has to spare at the start does not matter.
 */
const AGENTS = isQuick ? 1_000 : 8_000;
/** Connections that a server serves before the count begins, so that its code is compiled and its heap grown. */
const WARM_UP = 200;

printMachine();
const stage = await openStage();
const resident = { daemon: [] as number[], bare: [] as number[] };
const alive = { daemon: [] as number[], bare: [] as number[] };
for (let cycle = 0; cycle < CYCLES; cycle += 1) {
  for (const name of ['daemon', 'bare'] as const) {
    // A process for each cycle: memory that one has once grown to does not shrink.
    const side = await stage.side(name);
    const load = stage.load();
    const connect = (connections: number) =>
      load.run({
        job: 'connect',
        port: side.port,
        token: stage.token,
        connections,
        services: ['acme'],
        cells: 10,
        localAddress: '127.0.0.1',
      });
    await connect(WARM_UP);
    const before = await side.vitals();
    await connect(AGENTS);
    const after = await side.vitals();
    resident[name].push((after.rssBytes - before.rssBytes) / AGENTS / 1_024);
    alive[name].push((after.heapBytes - before.heapBytes) / AGENTS / 1_024);
    load.end();
    side.end();
  }
}
printTable([
  [`KiB per idle agent (${AGENTS})`, 'daemon', 'ws alone', 'ratio'],
  [
    'resident',
    show(spreadOf(resident.daemon)),
    show(spreadOf(resident.bare)),
    show(ratios(resident.daemon, resident.bare)),
  ],
  [
    'alive in the heap',
    show(spreadOf(alive.daemon)),
    show(spreadOf(alive.bare)),
    show(ratios(alive.daemon, alive.bare)),
  ],
]);
await stage.end();
