import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, number, printMachine, printTable, ratios, show, spreadOf, TURN_MS } from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * Outcomes a second, counted exactly once from frames of a hundred single outcomes, beside what a team writes
 * first: one HTTP POST and one Redis INCR for each outcome, with and without ioredis's auto-pipelining.
 */
const CELLS = 100;
const POST_CONNECTIONS = 64;

printMachine();
const stage = await openStage();
const sides = {
  daemon: await stage.side('daemon'),
  plain: await stage.side('http-incr'),
  auto: await stage.side('http-incr-auto'),
};
const rates = { daemon: [] as number[], plain: [] as number[], auto: [] as number[] };
const load = stage.load();
for (let cycle = -1; cycle < CYCLES; cycle += 1) {
  await load.run({
    job: 'connect',
    port: sides.daemon.port,
    token: stage.token,
    connections: 500,
    services: ['acme'],
    cells: CELLS,
    localAddress: '127.0.0.1',
  });
  await quiet();
  const frames = await load.run({ job: 'closed', window: 4, forMs: TURN_MS });
  await load.run({ job: 'disconnect' });
  if (cycle >= 0) rates.daemon.push((frames.acknowledged * CELLS) / (frames.elapsedMs / 1_000));
  for (const name of ['plain', 'auto'] as const) {
    await quiet();
    const posts = await load.run({
      job: 'post',
      port: sides[name].port,
      connections: POST_CONNECTIONS,
      forMs: TURN_MS,
    });
    if (cycle >= 0) rates[name].push(posts.acknowledged / (posts.elapsedMs / 1_000));
  }
}
load.end();
const best = rates.plain.map((rate, cycle) => Math.max(rate, rates.auto[cycle] ?? 0));
printTable([
  ['', 'outcomes/s'],
  [`daemon, frames of ${CELLS} outcomes`, show(spreadOf(rates.daemon))],
  ['POST + INCR', show(spreadOf(rates.plain))],
  ['POST + INCR, auto-pipelined', show(spreadOf(rates.auto))],
  ['ratio to the better one', show(ratios(rates.daemon, best))],
]);
console.log(`one outcome took the daemon's path ${number(1e6 / spreadOf(rates.daemon).median)} us`);
printDisturbed();
await stage.end();
