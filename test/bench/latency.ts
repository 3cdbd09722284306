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
 * loop, so that a slow answer does not slow the questions. Beside it, in the same cycle, ws alone and a skeleton,
 * which is ws alone with a group commit into the same Redis; all include the sender's own timer of a millisecond.
 */
const RATES = [1_000, 5_000, 10_000];

printMachine();
const stage = await openStage();
const sides = {
  daemon: await stage.side('daemon'),
  skeleton: await stage.side('skeleton'),
  bare: await stage.side('bare'),
};
const NAMES = ['daemon', 'skeleton', 'bare'] as const;
const rows: string[][] = [
  [
    'frames/s',
    ...['daemon', 'skeleton', 'ws alone'].flatMap((name) => [`${name} p50 ms`, 'p99 ms']),
    'p99 to skeleton',
    'to ws alone',
  ],
];
for (const framesPerSecond of RATES) {
  const load = stage.load();
  const none = (): Record<(typeof NAMES)[number], number[]> => ({ daemon: [], skeleton: [], bare: [] });
  const p50 = none();
  const p99 = none();
  for (let cycle = -1; cycle < CYCLES; cycle += 1) {
    for (const name of NAMES) {
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
    ...NAMES.flatMap((name) => [show(spreadOf(p50[name])), show(spreadOf(p99[name]))]),
    show(ratios(p99.daemon, p99.skeleton)),
    show(ratios(p99.daemon, p99.bare)),
  ]);
}
printTable(rows);
printDisturbed();
await stage.end();
