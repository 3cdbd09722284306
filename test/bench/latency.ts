import { printDisturbed, quiet } from './lib/quiet.ts';
import {
  CYCLES,
  percentile,
  printMachine,
  printTable,
  ratios,
  show,
  spreadOf,
  TURN_MS,
} from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * From when a frame was due to its acknowledgement, which means: in Redis. 500 connections, ten cells, open
 * loop, so that a slow answer does not slow the questions. Beside ws alone in the same cycle; both include the
 * sender's own timer of a millisecond.
 */
const RATES = [1_000, 5_000, 10_000];

printMachine();
const stage = await openStage();
const sides = { daemon: await stage.side('daemon'), bare: await stage.side('bare') };
const rows: string[][] = [
  ['frames/s', 'daemon p50 ms', 'p99 ms', 'ws alone p50 ms', 'p99 ms', 'ratio of p99'],
];
for (const framesPerSecond of RATES) {
  const load = stage.load();
  const p50 = { daemon: [] as number[], bare: [] as number[] };
  const p99 = { daemon: [] as number[], bare: [] as number[] };
  for (let cycle = -1; cycle < CYCLES; cycle += 1) {
    for (const name of ['daemon', 'bare'] as const) {
      await load.run({
        job: 'connect',
        port: sides[name].port,
        token: stage.token,
        connections: 500,
        services: ['acme'],
        cells: 10,
        localAddress: '127.0.0.1',
      });
      await quiet();
      const { latenciesMs } = await load.run({ job: 'open', framesPerSecond, forMs: TURN_MS });
      await load.run({ job: 'disconnect' });
      if (cycle < 0) continue;
      p50[name].push(percentile(latenciesMs, 0.5));
      p99[name].push(percentile(latenciesMs, 0.99));
    }
  }
  load.end();
  rows.push([
    framesPerSecond.toLocaleString('en'),
    show(spreadOf(p50.daemon)),
    show(spreadOf(p99.daemon)),
    show(spreadOf(p50.bare)),
    show(spreadOf(p99.bare)),
    show(ratios(p99.daemon, p99.bare)),
  ]);
}
printTable(rows);
printDisturbed();
await stage.end();
