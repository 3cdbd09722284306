import { CYCLES, isQuick, printMachine, printTable, ratios, show, spreadOf } from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/** Resident memory per connected agent that sends nothing, beside ws alone with the same connections. */
const AGENTS = isQuick ? 500 : 3_000;
/** Connections that a server serves before the count begins, so that its code is compiled and its heap grown. */
const WARM_UP = 200;

printMachine();
const stage = await openStage();
const bytes = { daemon: [] as number[], bare: [] as number[] };
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
    bytes[name].push((after.rssBytes - before.rssBytes) / AGENTS / 1_024);
    load.end();
    side.end();
  }
}
printTable([
  ['resident KiB per idle agent', 'daemon', 'ws alone', 'ratio'],
  [
    String(AGENTS),
    show(spreadOf(bytes.daemon)),
    show(spreadOf(bytes.bare)),
    show(ratios(bytes.daemon, bytes.bare)),
  ],
]);
await stage.end();
