import { join } from 'node:path';
import { startAgent } from '../../agent/app.ts';
import { benchFolder, NO_DAEMON } from './lib/agent-folder.ts';
import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, number, printMachine, printTable, ratios, show, spreadOf, TURN_MS } from './lib/report.ts';
import { startReporters } from './lib/reporters.ts';

/**
 * Outcomes a second that applications report over HTTP, each request answered with 202 once it is on disk: one
 * outcome in each, or an array of a hundred. The applications are a process of their own.
 */
const CONNECTIONS = 16;
const OUTCOMES = [1, 100] as const;

printMachine();
const agent = await startAgent({
  server: NO_DAEMON,
  token: async () => 'bench',
  spoolDirectory: join(benchFolder('http'), 'spool'),
  services: ['acme'],
  listen: { host: '127.0.0.1', port: 0 },
});
const reporters = startReporters();
const rates = new Map(OUTCOMES.map((outcomes) => [outcomes, [] as number[]]));
const costs = new Map(OUTCOMES.map((outcomes) => [outcomes, [] as number[]]));
for (let cycle = -1; cycle < CYCLES; cycle += 1) {
  for (const outcomes of OUTCOMES) {
    await quiet();
    const cpuBefore = process.cpuUsage();
    const { requests, elapsedMs } = await reporters.run({
      port: agent.ports.http!,
      connections: CONNECTIONS,
      outcomes,
      forMs: TURN_MS,
    });
    const { user, system } = process.cpuUsage(cpuBefore);
    // The first cycle warms up.
    if (cycle < 0) continue;
    rates.get(outcomes)!.push((requests * outcomes) / (elapsedMs / 1_000));
    costs.get(outcomes)!.push((user + system) / (requests * outcomes));
  }
}
reporters.end();
printTable([
  [`${CONNECTIONS} connections`, 'outcomes/s', 'us of CPU an outcome'],
  ...OUTCOMES.map((outcomes) => [
    outcomes === 1 ? 'one POST each' : `arrays of ${outcomes}`,
    show(spreadOf(rates.get(outcomes)!)),
    number(spreadOf(costs.get(outcomes)!).median),
  ]),
  ['ratio', show(ratios(rates.get(100)!, rates.get(1)!)), ''],
]);
printDisturbed();
await agent.stop(0);
