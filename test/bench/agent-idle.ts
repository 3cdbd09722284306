import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { benchFolder } from './lib/agent-folder.ts';
import { CYCLES, isQuick, printMachine, printTable, show, spreadOf } from './lib/report.ts';
import { openStage } from './lib/stage.ts';

/**
 * What an agent uses to which nobody reports: connected to a daemon, with its HTTP intake open and heartbeats
 * going; the program as users start it.
 */
const SETTLE_MS = isQuick ? 3_000 : 15_000;
const WATCH_MS = isQuick ? 5_000 : 20_000;
const TICKS_PER_SECOND = 100;

printMachine();
const stage = await openStage();
const daemon = await stage.side('daemon');
const port = await freePort();
const agent = startProgram(
  'agent',
  [
    ...['--server', `ws://127.0.0.1:${daemon.port}`, '--service', 'acme'],
    ...['--listen', `127.0.0.1:${port}`, '--spool', join(benchFolder('idle'), 'spool')],
  ],
  { cwd: benchFolder('idle-home'), env: { ROOMWATCH_TOKEN: stage.token } },
);
const metric = async (name: string) => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
};
await waitFor('the agent to be connected', async () => (await metric('roomwatch_agent_connected')) === 1);
await sleep(SETTLE_MS);
const shares: number[] = [];
const memory: number[] = [];
for (let cycle = 0; cycle < CYCLES; cycle += 1) {
  const before = cpuSeconds(agent.pid);
  const startedAt = performance.now();
  await sleep(WATCH_MS);
  shares.push(((cpuSeconds(agent.pid) - before) / (performance.now() - startedAt)) * 1_000 * 100);
  memory.push(residentMiB(agent.pid));
}
printTable([
  ['an idle agent', ''],
  ['CPU, % of a core', show(spreadOf(shares))],
  ['resident memory, MiB', show(spreadOf(memory))],
]);
await agent.kill('SIGTERM');
await stage.end();

function cpuSeconds(pid: number): number {
  // Behind the name in parentheses: state is the third field, utime and stime are the 14th and 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}
