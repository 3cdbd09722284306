import type { SideKind } from './lib/protocol.ts';
import { printDisturbed, quiet } from './lib/quiet.ts';
import { CYCLES, printMachine, printTable, ratios, show, spreadOf, TURN_MS } from './lib/report.ts';
import { openStage, type Side } from './lib/stage.ts';

/**
 * The longest stall of the event loop under 500 agents that send all they can, beside ws alone: in a flood
 * that ignores every credit, and at the most that the credit allows (64 frames unacknowledged on each).
 */
printMachine();
const stage = await openStage();
const rows: string[][] = [['500 agents', 'daemon, ms', 'ws alone, ms', 'ratio', 'daemon closed']];
for (const kind of ['flood', 'full credit'] as const) {
  const stalls = { daemon: [] as number[], bare: [] as number[] };
  let closed = 0;
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    for (const name of ['daemon', 'bare'] as const) {
      // Anew each time: after a flood a server may be busy for many seconds with what it has buffered.
      const side = await stage.side(name satisfies SideKind);
      const result = await stallOf(side, kind);
      stalls[name].push(result.stallMs);
      if (name === 'daemon') closed += result.closed;
      side.end();
    }
  }
  rows.push([
    kind,
    show(spreadOf(stalls.daemon)),
    show(spreadOf(stalls.bare)),
    show(ratios(stalls.daemon, stalls.bare)),
    String(Math.round(closed / CYCLES)),
  ]);
}
printTable(rows);
printDisturbed();
await stage.end();

async function stallOf(
  side: Side,
  kind: 'flood' | 'full credit',
): Promise<{ stallMs: number; closed: number }> {
  const load = stage.load();
  await load.run({
    job: 'connect',
    port: side.port,
    token: stage.token,
    connections: 500,
    services: ['acme'],
    cells: 10,
    localAddress: '127.0.0.1',
  });
  await quiet();
  side.reset();
  const job = kind === 'flood' ? { job: 'flood' as const } : { job: 'closed' as const, window: 64 };
  const { closed } = await load.run({ ...job, forMs: 2 * TURN_MS });
  const { stallMs } = await side.vitals();
  load.end();
  return { stallMs, closed };
}
