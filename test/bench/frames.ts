import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, number, printMachine, printTable, ratios, show, spreadOf, TURN_MS } from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * Acknowledged frames a second, 500 connections: the whole daemon on Redis beside ws alone, which parses,
 * validates and acknowledges the same frames and keeps nothing. Frames of ten cells, of one service or of five.
 */
const CONNECTIONS = 500;
const SERVICES = ['acme', 'globex', 'initech', 'umbrella', 'hooli'];

printMachine();
const stage = await openStage();
const daemon = await stage.side('daemon');
const bare = await stage.side('bare');
const rows: string[][] = [
  ['frames', 'in flight', 'daemon/s', 'ws alone/s', 'ratio', 'daemon us/frame', 'ws us/frame'],
];
for (const services of [SERVICES.slice(0, 1), SERVICES]) {
  for (const window of [1, 8, 64]) {
    const load = stage.load();
    const rates = { daemon: [] as number[], bare: [] as number[] };
    const costs = { daemon: [] as number[], bare: [] as number[] };
    for (let cycle = -1; cycle < CYCLES; cycle += 1) {
      for (const [name, side] of [
        ['daemon', daemon],
        ['bare', bare],
      ] as const) {
        await load.run({
          job: 'connect',
          port: side.port,
          token: stage.token,
          connections: CONNECTIONS,
          services,
          cells: 10,
          localAddress: '127.0.0.1',
        });
        await quiet();
        const before = await side.vitals();
        const { acknowledged, elapsedMs } = await load.run({ job: 'closed', window, forMs: TURN_MS });
        const after = await side.vitals();
        await load.run({ job: 'disconnect' });
        // The first cycle warms up.
        if (cycle < 0) continue;
        rates[name].push(acknowledged / (elapsedMs / 1_000));
        costs[name].push(((after.cpuSeconds - before.cpuSeconds) * 1e6) / acknowledged);
      }
    }
    load.end();
    rows.push([
      services.length === 1 ? '1 service' : `${services.length} services`,
      String(window),
      show(spreadOf(rates.daemon)),
      show(spreadOf(rates.bare)),
      show(ratios(rates.daemon, rates.bare)),
      number(spreadOf(costs.daemon).median),
      number(spreadOf(costs.bare).median),
    ]);
  }
}
printTable(rows);
printDisturbed();
await stage.end();
